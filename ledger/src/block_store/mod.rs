//! The chain of blocks on disk: the one truth from which everything else can be rebuilt.
//!
//! Blocks stand in append-only segments with checksums; an append returns when its blocks are on
//! disk. An index beside them finds a block by number, by hash and by transaction id. The index
//! is only a convenience: it is rebuilt from the segments whenever it is missing, damaged, behind
//! or ahead. Orderers use a `BlockStore` alone, peers inside a [`crate::Ledger`]. It checks that
//! blocks follow each other, not who made them.

mod cut;
mod index;
mod recovery;
mod store;
mod transactions;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub(crate) use cut::{cut, drop_index, height};
pub(crate) use index::{Index, Place};
pub use store::BlockStore;
pub use transactions::indexed_tx_id;

/// How blocks are held.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Bytes at which a segment file is full and the next one begins.
    pub segment_bytes_max: u64,
    /// Whether blocks can be found by transaction id. Orderers do without.
    pub index_transactions: bool,
    /// Memory for pages of the index, in bytes.
    pub index_cache_bytes: u64,
    /// How many of the newest blocks are kept in memory for those who follow the chain.
    pub recent_blocks_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            segment_bytes_max: 64 << 20,
            index_transactions: true,
            index_cache_bytes: 32 << 20,
            recent_blocks_max: 16,
        }
    }
}

/// Why a block cannot be stored or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The files of the chain.
    #[error(transparent)]
    Segments(#[from] crate::segments::Error),
    /// The index failed.
    #[error("index of blocks")]
    Index(#[from] crate::DatabaseError),
    /// The index does not say what it should; reopening rebuilds it.
    #[error("the index of blocks in {} is damaged; restart the node to rebuild it", dir.display())]
    DamagedIndex {
        /// The folder of the index.
        dir: PathBuf,
    },
    /// A record of the chain is not a block.
    #[error("stored block {number}")]
    Stored {
        /// Its number.
        number: u64,
        /// What is wrong with it.
        #[source]
        source: proto::block::Error,
    },
    /// The block is not a block.
    #[error("appended block")]
    Block(#[from] proto::block::Error),
    /// The block is not the next one.
    #[error("block {found} does not follow height {height}")]
    Number {
        /// Height of the chain.
        height: u64,
        /// Number of the block.
        found: u64,
    },
    /// The block names another predecessor.
    #[error("block {0} does not name the hash of its predecessor")]
    PreviousHash(u64),
    /// The chain does not begin with block 0, and the block is before its beginning.
    #[error(
        "block {number} is not available: this ledger began from a snapshot of block {last}, its \
         first block is {}", last.saturating_add(1)
    )]
    NotAvailable {
        /// The block asked for.
        number: u64,
        /// The newest block in the snapshot.
        last: u64,
    },
    /// The chain does not begin with block 0, and the transaction is before its beginning.
    #[error(
        "transaction {tx_id} is not available: it is in a block before {}, and this ledger began \
         from a snapshot of block {last}", last.saturating_add(1)
    )]
    TransactionNotAvailable {
        /// The transaction asked for.
        tx_id: String,
        /// The newest block in the snapshot.
        last: u64,
    },
    /// The snapshot the chain began from cannot be read.
    #[error(
        "the snapshot this ledger began from is damaged; stop the node and restore this file from \
         a backup, or remove the channel's folder and join the channel again"
    )]
    Snapshot(#[from] crate::snapshot::Error),
    /// The chain on disk has a gap.
    #[error("the chain in {} lacks block {expected}: found block {found}", dir.display())]
    Gap {
        /// The folder of the chain.
        dir: PathBuf,
        /// What should come next.
        expected: u64,
        /// What came.
        found: u64,
    },
}

#[cfg(test)]
mod tests;
