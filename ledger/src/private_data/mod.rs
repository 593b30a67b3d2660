//! Clear private data of this peer.
//!
//! Blocks carry only hashes of what is written to private collections. The clear write sets come
//! beside a block; those that match the hashes are kept in a durable log of their own (`store`)
//! before the block is, and the values of valid transactions enter the state (`clear`). What does
//! not come is noted as missing and never delays the block. Private data ends in two ways: it
//! expires some blocks after it was written, as its collection says, or it is purged by a
//! transaction (`ending`). Then its bytes are overwritten on disk as well.

mod clear;
mod ending;
mod matching;
mod record;
mod store;

use std::collections::{BTreeMap, BTreeSet};

use proto::rwset::TxPvtReadWriteSet;
use serde::{Deserialize, Serialize};

pub(crate) use clear::{late, record_clear};
pub(crate) use ending::{
    EXPIRING_KEY, PURGED, expiring_key, expiring_set, kept, record_ends, run_jobs,
};
pub(crate) use matching::{Matched, matching};
pub(crate) use record::Stored;
pub(crate) use store::PrivateStore;

/// How private data is held.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Bytes at which a file of the private data log is full and the next one begins.
    pub segment_bytes_max: u64,
    /// Blocks after which private data of endorsed transactions that never came is forgotten.
    pub transient_blocks_max: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self { segment_bytes_max: 16 << 20, transient_blocks_max: 20_000 }
    }
}

/// Why private data cannot be stored or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The log of private data.
    #[error(transparent)]
    Segments(#[from] crate::segments::Error),
    /// The index of private data.
    #[error("index of private data")]
    Index(#[from] crate::DatabaseError),
    /// The index does not say what it should.
    #[error(
        "the index of private data is damaged; stop the node and remove the folder `index` of the \
         channel, it is rebuilt"
    )]
    DamagedIndex,
    /// A stored write set does not decode.
    #[error("stored private data of block {0} does not decode")]
    Decode(u64),
}

/// One collection written by one transaction of a block, whose private data is not here.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Missing {
    /// Position of the transaction in the block.
    pub tx: u32,
    /// The namespace: a chaincode's name.
    pub namespace: String,
    /// Name of the collection.
    pub collection: String,
}

/// Clear private data that goes with a block.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PrivateWriteSets {
    /// Write sets by position of the transaction. What does not match the hashes of the
    /// transaction is not used.
    pub write_sets: BTreeMap<u32, TxPvtReadWriteSet>,
    /// Collections this peer is no member of: their absence is not recorded as missing.
    pub not_member: BTreeSet<Missing>,
}
