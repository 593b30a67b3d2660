//! Versions of keys and what the state holds of one key.

use std::collections::BTreeMap;

use bytes::Bytes;
use proto::kvrwset;

/// The transaction that last wrote a key: its block and its position there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// Number of the block.
    pub block: u64,
    /// Position of the transaction in the block.
    pub tx: u64,
}

impl Version {
    /// A version.
    pub const fn new(block: u64, tx: u64) -> Self {
        Self { block, tx }
    }

    /// Both numbers so that byte order is the order of versions, as in commit hashes and snapshots.
    pub fn to_ordered_bytes(self) -> Vec<u8> {
        let mut out = Vec::with_capacity(6);
        proto::block::push_ordered_number(&mut out, self.block);
        proto::block::push_ordered_number(&mut out, self.tx);
        out
    }
}

impl Version {
    /// Parses what [`to_ordered_bytes`](Self::to_ordered_bytes) gives, and nothing else.
    pub fn from_ordered_bytes(bytes: &[u8]) -> Option<Self> {
        let (block, rest) = ordered_number(bytes)?;
        let (tx, rest) = ordered_number(rest)?;
        rest.is_empty().then_some(Self { block, tx })
    }
}

/// The number at the beginning, and the rest: a count of bytes, then those, the first not zero.
fn ordered_number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (count, rest) = bytes.split_first()?;
    let (digits, rest) = rest.split_at_checked(usize::from(*count))?;
    if digits.len() > 8 || digits.first() == Some(&0) {
        return None;
    }
    let number = digits.iter().fold(0, |number, digit| number << 8 | u64::from(*digit));
    Some((number, rest))
}

impl From<Version> for kvrwset::Version {
    fn from(version: Version) -> Self {
        Self { block_num: version.block, tx_num: version.tx }
    }
}

impl From<kvrwset::Version> for Version {
    fn from(version: kvrwset::Version) -> Self {
        Self { block: version.block_num, tx: version.tx_num }
    }
}

/// What the state holds of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versioned {
    /// The value; of a hashed key, the hash of the value.
    pub value: Bytes,
    /// Encoded `KVMetadataWrite` with entries and no key; empty if there is no metadata.
    pub metadata: Bytes,
    /// Who wrote it last.
    pub version: Version,
}

impl Versioned {
    /// The metadata by name. Bytes that do not decode count as no metadata.
    pub fn metadata_entries(&self) -> BTreeMap<String, Bytes> {
        let entries = proto::decode::<kvrwset::KvMetadataWrite>(self.metadata.clone());
        let entries = entries.map(|write| write.entries).unwrap_or_default();
        entries.into_iter().map(|entry| (entry.name, entry.value)).collect()
    }

    /// The key-level endorsement policy, if the key has one.
    pub fn validation_parameter(&self) -> Option<Bytes> {
        if self.metadata.is_empty() {
            return None;
        }
        self.metadata_entries().remove(VALIDATION_PARAMETER).filter(|value| !value.is_empty())
    }
}

/// Name of the metadata entry that holds a key-level endorsement policy.
pub const VALIDATION_PARAMETER: &str = "VALIDATION_PARAMETER";
