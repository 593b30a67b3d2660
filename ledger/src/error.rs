//! Why the ledger could not do what it was asked to.

use std::path::PathBuf;

use crate::{DatabaseError, block_store, private_data, snapshot, state};

/// Why the ledger could not do what it was asked to. An I/O error is never an empty answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The chain of blocks.
    #[error("blocks")]
    Blocks(#[from] block_store::Error),
    /// The state database.
    #[error("state")]
    State(#[from] state::Error),
    /// Private data.
    #[error("private data")]
    Private(#[from] private_data::Error),
    /// A snapshot.
    #[error("snapshot")]
    Snapshot(#[from] snapshot::Error),
    /// The caller refuses what a snapshot holds.
    #[error("the snapshot cannot be used here: {0}")]
    Refused(String),
    /// The block is not committed yet.
    #[error("block {number} is not committed, the height is {height}")]
    NotCommitted {
        /// The block.
        number: u64,
        /// Height of the ledger.
        height: u64,
    },
    /// An index other than the state failed.
    #[error("{name} index")]
    Database {
        /// Which index.
        name: &'static str,
        /// What it said.
        #[source]
        source: DatabaseError,
    },
    /// A stored entry cannot be read.
    #[error("the {0} index is damaged; stop the node and remove the folder `index` of the channel")]
    DamagedIndex(&'static str),
    /// A file or folder.
    #[error("{action} {}", path.display())]
    Io {
        /// What was attempted.
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
    /// A folder that should be a ledger is none.
    #[error("{} is not the folder of a channel's ledger", .0.display())]
    NotALedger(PathBuf),
    /// Not a channel id.
    #[error("{0:?} is not a channel id")]
    ChannelId(String),
    /// The channel's ledger is there already.
    #[error("ledger of channel {0} exists already")]
    Exists(String),
    /// The block cannot be used.
    #[error("block")]
    Block(#[from] proto::block::Error),
    /// There must be one validation code for each transaction.
    #[error("block {block} has {transactions} transactions but {codes} validation codes")]
    Codes {
        /// Number of the block.
        block: u64,
        /// Its transactions.
        transactions: usize,
        /// Codes given.
        codes: usize,
    },
    /// History is switched off in the configuration.
    #[error("the history of keys is not kept on this peer")]
    NoHistory,
    /// The chain cannot be cut back that far.
    #[error("cannot go back to block {to}: this ledger begins with block {first}")]
    BelowBase {
        /// The newest block to be kept.
        to: u64,
        /// The oldest block there is.
        first: u64,
    },
    /// The chain cannot be cut back to a block it does not have.
    #[error("cannot go back to block {to}: this ledger has {height} blocks")]
    NotThere {
        /// The newest block to be kept.
        to: u64,
        /// Height of the chain.
        height: u64,
    },
    /// The chain does not reach the height asked about.
    #[error("height {asked} is above the ledger, which has {height} blocks")]
    AboveHeight {
        /// The height asked about.
        asked: u64,
        /// Height of the chain.
        height: u64,
    },
    /// What is asked about is older than the snapshot the ledger began from.
    #[error("what was at height {asked} is not known here: this ledger begins with block {first}")]
    BeforeBase {
        /// The height asked about.
        asked: u64,
        /// The oldest block there is.
        first: u64,
    },
    /// There is no ledger of the channel.
    #[error("there is no ledger of channel {0}")]
    Unknown(String),
    /// The ledger must be closed for this.
    #[error("the ledger of channel {0} is in use")]
    InUse(String),
    /// The ledger's own copy of the snapshot it began from is damaged.
    #[error(
        "the snapshot in {}, from which the ledger began, is damaged; stop the node and restore \
         this file from a backup, or remove the channel's folder and join the channel again",
        dir.display()
    )]
    Base {
        /// Folder of the copy.
        dir: PathBuf,
        /// Which file, and how.
        #[source]
        source: crate::snapshot::Error,
    },
    /// An earlier commit failed half-way; what is in memory may not be what is on disk.
    #[error("channel {0} refuses commits after an earlier failure; restart the node")]
    Failed(String),
}

/// What the operator can do about an error of the operating system that is the cause of `error`.
/// Other errors say it themselves.
pub fn remedy(error: &(dyn std::error::Error + 'static)) -> Option<&'static str> {
    use std::io::ErrorKind::{PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    let causes = std::iter::successors(Some(error), |error| error.source());
    let mut kinds = causes.filter_map(|cause| match cause.downcast_ref() {
        Some(sled::Error::Io(error)) => Some(error.kind()),
        _ => cause.downcast_ref().map(std::io::Error::kind),
    });
    Some(match kinds.next()? {
        StorageFull | QuotaExceeded => "free space on the file system, then restart the node",
        PermissionDenied | ReadOnlyFilesystem => {
            "make the file system writable for the node, then restart it"
        }
        _ => "check the disk and the system's log, then restart the node",
    })
}
