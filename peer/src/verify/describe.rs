//! Bytes in words.

use bytes::Bytes;
use ledger::{Version, Versioned};
use proto::common::Block;
use proto::peer::TxValidationCode;

/// Bytes of a value that are shown as they are.
const SHOWN_MAX: usize = 80;

/// A text in quotes, control characters escaped.
pub(crate) fn text(text: &str) -> String {
    format!("{text:?}")
}

/// Bytes as text in quotes if they are some, otherwise in hex.
pub(crate) fn hex_or_text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(valid) => text(valid),
        Err(_) => format!("0x{}", hex::encode(bytes)),
    }
}

/// A value: itself if it is short text, otherwise its length and hash.
pub(crate) fn value(bytes: &Bytes) -> String {
    match std::str::from_utf8(bytes) {
        Ok(valid) if valid.len() <= SHOWN_MAX => text(valid),
        _ => summary(bytes),
    }
}

/// Length and hash of a value, for what is private or long.
pub(crate) fn summary(bytes: &[u8]) -> String {
    format!("{} bytes with SHA-256 {}", bytes.len(), hex::encode(proto::sha256(bytes)))
}

/// A version as people write it.
pub(crate) fn version(version: Version) -> String {
    format!("block {} transaction {}", version.block, version.tx)
}

/// What the state holds of a key.
pub(crate) fn entry(entry: &Versioned, hashed: bool) -> String {
    let value = if hashed { hex::encode(&entry.value) } else { value(&entry.value) };
    format!("{value} of {}", version(entry.version))
}

/// A validation code by its byte.
pub(crate) fn code(byte: u8) -> String {
    TxValidationCode::try_from(i32::from(byte))
        .map_or_else(|_| format!("unknown code {byte}"), |code| code.as_str_name().to_owned())
}

/// A hash, or that there is none.
pub(crate) fn hash(bytes: Option<&Bytes>) -> String {
    bytes.map_or_else(|| "none".to_owned(), |hash| hash_of(hash))
}

/// A hash in hex; an empty one is none.
pub(crate) fn hash_of(bytes: &[u8]) -> String {
    if bytes.is_empty() { "none".to_owned() } else { hex::encode(bytes) }
}

/// The id of a transaction of a block, if it has one.
pub(crate) fn tx_id(block: &Block, index: usize) -> Option<String> {
    ledger::block_store::indexed_tx_id(proto::block::envelopes(block).get(index)?)
}
