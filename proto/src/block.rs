//! Blocks: header and data hashes, metadata slots, and the commit hash's number format.
//!
//! Facts: a header is hashed as a DER sequence, the data hash is over the plain concatenation of
//! the envelopes, and a block always has five metadata slots.

use bytes::Bytes;
use prost::Message;

use crate::common::{
    Block, BlockData, BlockHeader, BlockMetadata, BlockMetadataIndex, HeaderType, LastConfig,
    Metadata, MetadataSignature, OrdererBlockMetadata,
};
use crate::envelope::{self, Envelope};
use crate::{sha256, sha256_all};

/// Metadata slots of every block.
pub const METADATA_SLOTS: usize = 5;

/// Why a block cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The bytes are not a block.
    #[error("decode block")]
    Decode(#[from] prost::DecodeError),
    /// A part of the block is missing.
    #[error("block has no {0}")]
    Missing(&'static str),
    /// The hash in the header is not that of the data.
    #[error("block {0}: data hash does not match the data")]
    DataHash(u64),
    /// An envelope of the block is not in canonical form.
    #[error("block {number}: envelope {index} is not well formed: {reason}")]
    Malformed {
        /// The block's number.
        number: u64,
        /// Position of the envelope in the block.
        index: usize,
        /// What is wrong with it.
        reason: envelope::Error,
    },
}

/// Decodes a block; header, data and metadata must be present.
pub fn parse(bytes: Bytes) -> Result<Block, Error> {
    let block = Block::decode(bytes)?;
    header(&block)?;
    block.data.as_ref().ok_or(Error::Missing("data"))?;
    block.metadata.as_ref().ok_or(Error::Missing("metadata"))?;
    Ok(block)
}

/// The block's header.
pub fn header(block: &Block) -> Result<&BlockHeader, Error> {
    block.header.as_ref().ok_or(Error::Missing("header"))
}

/// The block's envelopes, undecoded; empty if there are none.
pub fn envelopes(block: &Block) -> &[Bytes] {
    block.data.as_ref().map_or(&[], |data| &data.data)
}

/// The block's number, 0 if it has no header.
pub fn number(block: &Block) -> u64 {
    block.header.as_ref().map_or(0, |header| header.number)
}

/// A block as an orderer makes it: hashes filled in, five empty metadata slots.
pub fn new(number: u64, previous_hash: Bytes, envelopes: Vec<Bytes>) -> Block {
    let data_hash = Bytes::copy_from_slice(&data_hash(&envelopes));
    Block {
        header: Some(BlockHeader { number, previous_hash, data_hash }),
        data: Some(BlockData { data: envelopes }),
        metadata: Some(BlockMetadata { metadata: vec![Bytes::new(); METADATA_SLOTS] }),
    }
}

/// The bytes of a header that are hashed and signed: DER of
/// `SEQUENCE { INTEGER number, OCTET STRING previous_hash, OCTET STRING data_hash }`.
pub fn header_bytes(header: &BlockHeader) -> Vec<u8> {
    let mut body = Vec::with_capacity(80);
    der_integer(&mut body, header.number);
    der_octets(&mut body, &header.previous_hash);
    der_octets(&mut body, &header.data_hash);
    let mut out = Vec::with_capacity(body.len() + 4);
    out.push(0x30);
    der_length(&mut out, body.len());
    out.extend_from_slice(&body);
    out
}

fn der_integer(out: &mut Vec<u8>, number: u64) {
    let bytes = number.to_be_bytes();
    let skip = (number.leading_zeros() as usize / 8).min(7);
    let digits = bytes.get(skip..).unwrap_or(&[]);
    let pad = digits.first().is_some_and(|first| first & 0x80 != 0);
    out.push(0x02);
    der_length(out, digits.len() + usize::from(pad));
    if pad {
        out.push(0);
    }
    out.extend_from_slice(digits);
}

fn der_octets(out: &mut Vec<u8>, octets: &[u8]) {
    out.push(0x04);
    der_length(out, octets.len());
    out.extend_from_slice(octets);
}

fn der_length(out: &mut Vec<u8>, length: usize) {
    if length < 0x80 {
        out.push(length as u8);
        return;
    }
    let bytes = length.to_be_bytes();
    let skip = length.leading_zeros() as usize / 8;
    out.push(0x80 | (bytes.len() - skip) as u8);
    out.extend_from_slice(bytes.get(skip..).unwrap_or(&[]));
}

/// The block's own hash, which the next block names as its `previous_hash`.
pub fn header_hash(header: &BlockHeader) -> [u8; 32] {
    sha256(&header_bytes(header))
}

/// Hash of the block's content: SHA-256 over the envelopes one after the other.
pub fn data_hash(envelopes: &[Bytes]) -> [u8; 32] {
    sha256_all(envelopes.iter().map(AsRef::as_ref))
}

/// Checks that the data hash in the header is that of the data.
pub fn verify_data_hash(block: &Block) -> Result<(), Error> {
    let header = header(block)?;
    if header.data_hash.as_ref() == data_hash(envelopes(block)) {
        Ok(())
    } else {
        Err(Error::DataHash(header.number))
    }
}

/// Checks that every envelope is in the one form an honest orderer produces. A block that holds a
/// single config envelope is exempt, an empty one is refused.
pub fn verify_well_formed(block: &Block) -> Result<(), Error> {
    let envelopes = envelopes(block);
    if envelopes.is_empty() {
        return Err(Error::Missing("data"));
    }
    if is_config(block) {
        return Ok(());
    }
    let number = number(block);
    for (index, bytes) in envelopes.iter().enumerate() {
        envelope::check_canonical(bytes).map_err(|reason| Error::Malformed {
            number,
            index,
            reason,
        })?;
    }
    Ok(())
}

/// Whether the block holds nothing but one config envelope.
pub fn is_config(block: &Block) -> bool {
    match envelopes(block) {
        [only] => Envelope::parse(only.clone())
            .is_ok_and(|envelope| envelope.channel_header.r#type == HeaderType::Config as i32),
        _ => false,
    }
}

/// The bytes in a metadata slot; empty if the slot is absent.
pub fn slot(block: &Block, index: BlockMetadataIndex) -> Bytes {
    block
        .metadata
        .as_ref()
        .and_then(|metadata| metadata.metadata.get(index as usize))
        .cloned()
        .unwrap_or_default()
}

/// Replaces the bytes in a metadata slot, adding missing slots.
pub fn set_slot(block: &mut Block, index: BlockMetadataIndex, bytes: Bytes) {
    let slots = &mut block.metadata.get_or_insert_default().metadata;
    if slots.len() < METADATA_SLOTS {
        slots.resize(METADATA_SLOTS, Bytes::new());
    }
    if let Some(slot) = slots.get_mut(index as usize) {
        *slot = bytes;
    }
}

/// The signatures slot, decoded.
pub fn signatures(block: &Block) -> Result<Metadata, Error> {
    Ok(Metadata::decode(slot(block, BlockMetadataIndex::Signatures))?)
}

/// What the orderer signed besides the header: last config and consensus metadata.
pub fn orderer_metadata(block: &Block) -> Result<OrdererBlockMetadata, Error> {
    Ok(OrdererBlockMetadata::decode(signatures(block)?.value)?)
}

/// Number of the newest config block up to this one.
pub fn last_config(block: &Block) -> Result<u64, Error> {
    let value = signatures(block)?.value;
    if value.is_empty() {
        let metadata = Metadata::decode(slot(block, BlockMetadataIndex::LastConfig))?;
        return Ok(LastConfig::decode(metadata.value)?.index);
    }
    Ok(OrdererBlockMetadata::decode(value)?.last_config.unwrap_or_default().index)
}

/// Fills the slots an orderer fills. The last-config slot stays empty while the index is 0.
pub fn set_orderer_metadata(block: &mut Block, value: Bytes, signatures: Vec<MetadataSignature>) {
    let index = OrdererBlockMetadata::decode(value.clone())
        .ok()
        .and_then(|metadata| metadata.last_config)
        .map_or(0, |last| last.index);
    let last = Metadata { value: LastConfig { index }.encode_to_vec().into(), signatures: vec![] };
    set_slot(block, BlockMetadataIndex::LastConfig, last.encode_to_vec().into());
    let metadata = Metadata { value, signatures };
    set_slot(block, BlockMetadataIndex::Signatures, metadata.encode_to_vec().into());
}

/// The message an orderer signs: slot-0 value, signature (or identifier) header, header bytes.
pub fn signed_message(value: &[u8], signature_header: &[u8], header: &BlockHeader) -> Vec<u8> {
    [value, signature_header, &header_bytes(header)].concat()
}

/// One validation code per transaction, as a peer recorded them; empty before validation.
pub fn transactions_filter(block: &Block) -> Bytes {
    slot(block, BlockMetadataIndex::TransactionsFilter)
}

/// The commit hash a peer recorded, if any.
pub fn commit_hash(block: &Block) -> Option<Bytes> {
    let metadata = Metadata::decode(slot(block, BlockMetadataIndex::CommitHash)).ok()?;
    (!metadata.value.is_empty()).then_some(metadata.value)
}

/// Records the commit hash.
pub fn set_commit_hash(block: &mut Block, hash: &[u8]) {
    let metadata = Metadata { value: Bytes::copy_from_slice(hash), signatures: vec![] };
    set_slot(block, BlockMetadataIndex::CommitHash, metadata.encode_to_vec().into());
}

/// A number as one byte of length and its significant big-endian bytes, so that byte order is
/// numeric order. Used for versions in the commit hash and in snapshots.
pub fn push_ordered_number(out: &mut Vec<u8>, number: u64) {
    let skip = number.leading_zeros() as usize / 8;
    out.push((8 - skip) as u8);
    out.extend_from_slice(number.to_be_bytes().get(skip..).unwrap_or(&[]));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_header(number: u64, previous: &[u8], expected_prefix: &str) {
        let header = BlockHeader {
            number,
            previous_hash: Bytes::copy_from_slice(previous),
            data_hash: Bytes::from_static(&[7; 32]),
        };
        let hex = hex::encode(header_bytes(&header));
        assert!(hex.starts_with(expected_prefix), "{hex}");
    }

    #[test]
    fn headers_are_minimal_der() {
        check_header(0, &[], "3027020100040004200707");
        check_header(1, &[9; 32], "304702010104200909");
        check_header(127, &[9; 32], "304702017f04200909");
        check_header(128, &[9; 32], "30480202008004200909");
        check_header(u64::MAX, &[9; 32], "304f020900ffffffffffffffff0420");
    }

    #[test]
    fn ordered_numbers_are_those_of_fabric() {
        for (number, expected) in [(0, "00"), (1, "0101"), (255, "01ff"), (256, "020100")] {
            let mut out = Vec::new();
            push_ordered_number(&mut out, number);
            assert_eq!(hex::encode(out), expected);
        }
    }

    #[test]
    fn last_config_slot_is_empty_for_the_genesis_config() {
        let mut block = new(1, Bytes::from_static(&[1; 32]), vec![Bytes::from_static(b"x")]);
        let value = |index| {
            let last_config = Some(LastConfig { index });
            OrdererBlockMetadata { last_config, consenter_metadata: Bytes::new() }.encode_to_vec()
        };
        set_orderer_metadata(&mut block, value(0).into(), vec![]);
        assert_eq!(hex::encode(slot(&block, BlockMetadataIndex::Signatures)), "0a020a00");
        assert!(slot(&block, BlockMetadataIndex::LastConfig).is_empty());
        set_orderer_metadata(&mut block, value(1).into(), vec![]);
        assert_eq!(hex::encode(slot(&block, BlockMetadataIndex::LastConfig)), "0a020801");
        assert_eq!(last_config(&block).ok(), Some(1));
    }
}
