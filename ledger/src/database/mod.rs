//! sled databases that hold what can be rebuilt, with damage contained.
//!
//! sled checks what it reads, but on opening a damaged file it may panic, or drop a part of what
//! was written and go on. So each entry carries a checksum of its own, and each [`Tree`] a tally of
//! all its entries that is changed by the very batch that changes them. Opening compares the tally
//! with what is there. Batches of different trees follow each other: the tally of one tree also
//! says how many batches the others had seen, so that no tree can fall behind the others unnoticed.
//!
//! A database that is damaged when it is opened is removed and begun again empty, and its owner
//! fills it from the blocks. One that turns out to be damaged later says so in every error, and is
//! removed when it is opened the next time. A panic of sled becomes an error.

mod batch;
mod entries;
mod open;
mod tally;
mod tree;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

pub(crate) use batch::Batch;
pub(crate) use entries::Entries;
pub(crate) use open::Database;
pub(crate) use tree::Tree;

/// Why a database of derived data cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DatabaseError {
    /// The database, or the operating system below it, refused.
    #[error("{action} the database {}", dir.display())]
    Failed {
        /// What was attempted.
        action: &'static str,
        /// The folder of the database.
        dir: PathBuf,
        /// The answer.
        #[source]
        source: sled::Error,
    },
    /// What is stored is not what was written.
    #[error(
        "the database {} is damaged ({reason}); restart the node: it is then rebuilt from the \
         blocks",
        dir.display()
    )]
    Damaged {
        /// The folder of the database.
        dir: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

/// What a tree is called, and the places at which tests let it fail.
#[derive(Debug)]
pub(crate) struct Spec {
    pub(crate) name: &'static str,
    /// Whether losing entries must be noticed.
    pub(crate) tallied: bool,
    pub(crate) before_write: &'static str,
    pub(crate) after_write: &'static str,
}

/// The trees beside the blocks: the newest state, where history and private data are, and what
/// endorsements left.
pub(crate) const LEDGER: &[Spec] = &[STATE, HISTORY, PRIVATE, TRANSIENT];

pub(crate) const STATE: Spec = Spec {
    name: "state",
    tallied: true,
    before_write: "ledger::state::before_write",
    after_write: "ledger::state::after_write",
};

pub(crate) const HISTORY: Spec = Spec {
    name: "history",
    tallied: true,
    before_write: "ledger::history::before_write",
    after_write: "ledger::history::after_write",
};

pub(crate) const PRIVATE: Spec = Spec {
    name: "private",
    tallied: true,
    before_write: "ledger::private_index::before_write",
    after_write: "ledger::private_index::after_write",
};

/// Losing some of it costs fetching private data from other peers.
pub(crate) const TRANSIENT: Spec = Spec {
    name: "transient",
    tallied: false,
    before_write: "ledger::transient::before_write",
    after_write: "ledger::transient::after_write",
};

/// The only tree of the index of a block store.
pub(crate) const BLOCKS: Spec = Spec {
    name: "blocks",
    tallied: true,
    before_write: "ledger::block_index::before_write",
    after_write: "ledger::block_index::after_write",
};

/// File in the folder of a database that is to be removed at the next start.
const DAMAGED: &str = "damaged";

/// What the trees of a database share.
#[derive(Debug)]
struct Shared {
    dir: PathBuf,
    damaged: AtomicBool,
    /// How many batches each tree has seen, in the order of the specs.
    batches: Vec<AtomicU64>,
}

impl Shared {
    /// Runs a call of sled. Damage that it meets is remembered.
    fn call<T>(
        &self,
        action: &'static str,
        call: impl FnOnce() -> Result<T, sled::Error>,
    ) -> Result<T, DatabaseError> {
        let reason = match catch_unwind(AssertUnwindSafe(call)) {
            Ok(Ok(done)) => return Ok(done),
            Ok(Err(error)) if is_damage(&error) => error.to_string(),
            Ok(Err(source)) => {
                return Err(DatabaseError::Failed { action, dir: self.dir.clone(), source });
            }
            Err(panic) => {
                let text = panic.downcast_ref::<String>().map(String::as_str);
                let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
                text.unwrap_or("panic").to_owned()
            }
        };
        Err(self.damaged(reason))
    }

    /// Takes note of damage: the database is rebuilt at the next start.
    fn damaged(&self, reason: impl Into<String>) -> DatabaseError {
        if !self.damaged.swap(true, Ordering::Relaxed) {
            // If this fails, too, the damage is found again.
            let _ = std::fs::write(self.dir.join(DAMAGED), b"");
        }
        DatabaseError::Damaged { dir: self.dir.clone(), reason: reason.into() }
    }
}

fn is_damage(error: &sled::Error) -> bool {
    use std::io::ErrorKind::{InvalidData, UnexpectedEof};
    match error {
        sled::Error::Corruption { .. } | sled::Error::ReportableBug(_) => true,
        // sled takes a damaged configuration for one of another version.
        sled::Error::Unsupported(_) => true,
        sled::Error::Io(error) => matches!(error.kind(), InvalidData | UnexpectedEof),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
