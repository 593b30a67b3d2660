//! Why a request about snapshots is refused.

use std::path::PathBuf;

/// Why a request about snapshots is refused. Texts that clients of Fabric see are Fabric's.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The block has been passed.
    #[error(
        "requested snapshot for block number {wanted} cannot be less than the last committed block \
         number {last}"
    )]
    Passed {
        /// The block asked for.
        wanted: u64,
        /// The newest block.
        last: u64,
    },
    /// The newest block has one.
    #[error("snapshot already generated for block number {0}")]
    Exists(u64),
    /// The same was requested before.
    #[error("duplicate snapshot request for block number {0}")]
    Duplicate(u64),
    /// There is nothing to cancel.
    #[error("no snapshot request exists for block number {0}")]
    NoRequest(u64),
    /// It is too late to cancel.
    #[error("cannot cancel the snapshot request because it is under processing")]
    InProgress,
    /// The bound of the configuration.
    #[error("{0} snapshot requests are pending already")]
    TooMany(usize),
    /// One channel is joined at a time.
    #[error("a channel is being joined by the snapshot at {}, try again when that is done", .0.display())]
    Joining(PathBuf),
    /// The channel cannot be joined.
    #[error("{0}")]
    Channel(#[from] crate::channels::Error),
    /// The ledger refuses or failed.
    #[error("{}", crate::causes::in_one_line(.0))]
    Ledger(#[from] ledger::Error),
    /// The requests cannot be kept.
    #[error("keep snapshot requests in {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
}
