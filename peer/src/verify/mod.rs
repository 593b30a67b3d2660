//! Is a ledger what its blocks say? Everything a peer ever decided is decided again.
//!
//! ```text
//! Source --> Chain: hashes, form, orderer signatures --> Replay: codes, commit hash --> Recorded: state, indexes
//! ```
//!
//! A [`Source`] gives blocks as they lie on disk, from a peer of Gauze ([`gauze`]) or of Fabric
//! ([`fabric`]). [`verify`] takes nothing of what the peer added for granted: validation codes and
//! commit hashes are removed, the block is judged and committed again by the code a running peer
//! uses, on an empty ledger in a scratch folder, and the results are compared. What else was found
//! beside the blocks, each a [`Recorded`], is compared when the replay is where it was recorded.
//!
//! Verification ends at the first [`Difference`], which says where it is, what was expected and
//! what was found. It never writes to what it verifies. Only the first block is believed, or the
//! snapshot behind which a ledger begins.

mod chain;
mod compare;
mod describe;
mod difference;
mod entries;
pub mod fabric;
pub mod gauze;
mod replay;
mod report;
mod run;
mod source;

use std::path::PathBuf;

use crate::validator::Halt;

pub use difference::{Difference, Place, Transaction, What};
pub use report::{Check, Outcome, Report};
pub use run::{Options, verify};
pub use source::{At, Fault, Findings, Item, Recorded, Source};

/// One ledger to be verified: its blocks, and what else of it is there.
pub struct Subject {
    /// Where it is.
    pub dir: PathBuf,
    /// Its blocks.
    pub source: Box<dyn Source>,
    /// How many blocks to expect, if that is known without reading them.
    pub blocks: Option<u64>,
    /// What is compared with the replay.
    pub recorded: Vec<Box<dyn Recorded>>,
    /// What the first block must be, if that is known from elsewhere.
    pub genesis: Option<proto::common::Block>,
    /// The snapshot behind which the blocks begin, if they do not begin with block 0. Its state is
    /// believed as far as its hashes go.
    pub base: Option<PathBuf>,
    /// What the reader of a report should know.
    pub notes: Vec<String>,
}

impl std::fmt::Debug for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subject").field("dir", &self.dir).finish_non_exhaustive()
    }
}

/// Why a ledger could not be verified.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no ledger.
    #[error("{} holds no ledger: {expected}", dir.display())]
    NoLedger {
        /// Where one was looked for.
        dir: PathBuf,
        /// What would have been one.
        expected: &'static str,
    },
    /// The operating system refused.
    #[error("{action} {}", path.display())]
    Io {
        /// What was attempted.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Its answer.
        #[source]
        source: std::io::Error,
    },
    /// The ledger to be verified cannot be read.
    #[error("read the ledger")]
    Ledger(#[source] ledger::Error),
    /// The ledger on which the blocks are replayed failed.
    #[error("replay blocks in the scratch folder")]
    Scratch(#[source] ledger::Error),
    /// The blocks cannot be judged by this program.
    #[error("judge block {block}")]
    Judge {
        /// Number of the block.
        block: u64,
        /// Why.
        #[source]
        source: Halt,
    },
    /// The channel is of a kind that is not supported.
    #[error("{0}")]
    Unsupported(String),
    /// The operator had enough.
    #[error("verification was cancelled")]
    Cancelled,
    /// A defect of this program.
    #[error("verification stopped in {0}; this is a defect of Gauze")]
    Panicked(&'static str),
}

impl Error {
    pub(crate) fn io(
        action: &'static str,
        path: &std::path::Path,
    ) -> impl FnOnce(std::io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}
