//! The state: the last value, version and metadata of every key.
//!
//! A [`StateDb`] is derived from the chain of blocks. It takes one batch per block, atomically and
//! fenced by the block before, and gives out [`StateView`]s that later batches do not change.
//! Every implementation passes the suite in `conformance`.
//!
//! # How views stay consistent
//!
//! sled has no snapshots, and a lock held while a batch is written would make endorsing wait for
//! committing. So a batch keeps the values it overwrites (`snapshot`): a view reads the database
//! first and then asks the batches that came after it, oldest first, whether they overwrote the
//! key. The overwritten values are published before the database changes, so a view may meet a
//! half-written batch and never shows it. Each batch is linked from the one before; when the last
//! view in front of it is dropped, so are its old values. Readers take no lock of the writer. A
//! view that falls too far behind is cut off rather than allowed to hold memory.
//!
//! The opposite, new values in memory above an older database, would need the database to wait for
//! the oldest view. A database with snapshots of its own implements `StateDb` directly.

mod batch;
mod buffer;
mod key;
mod memory;
mod range;
mod sled;
mod snapshot;

#[cfg(test)]
mod conformance;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{Version, Versioned};

pub use batch::StateBatch;
pub use key::StateKey;
pub use memory::memory;
pub use range::{Range, Scan};
pub(crate) use sled::on_sled;

/// Which database holds the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// Embedded, on disk.
    Sled,
    /// In memory, rebuilt from the blocks on every start.
    Memory,
}

/// How the state is held.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The database.
    pub backend: Backend,
    /// Memory for pages of the state and of the history of a channel, in bytes.
    pub cache_bytes: u64,
    /// Blocks a view may be behind before it is cut off. Old views keep overwritten values in
    /// memory.
    pub view_lag_blocks_max: usize,
    /// Memory for entries of the state that were read or written lately, in bytes.
    pub recent_bytes_max: u64,
    /// Blocks the database may be behind the chain. After a crash they are replayed.
    pub lag_blocks_max: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            backend: Backend::Sled,
            cache_bytes: 128 << 20,
            view_lag_blocks_max: 1024,
            recent_bytes_max: 32 << 20,
            lag_blocks_max: 256,
        }
    }
}

/// Why the state cannot be read or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The database failed.
    #[error("state database")]
    Database(#[from] crate::DatabaseError),
    /// A stored entry does not decode.
    #[error(
        "the state database is damaged ({0}); stop the node and remove the folder `index` of the \
         channel, it is rebuilt from the blocks"
    )]
    Damaged(&'static str),
    /// The batch is not the successor of what is stored: another process writes, too.
    #[error("state is at block {found:?}, expected {expected:?}")]
    Conflict {
        /// The savepoint the batch builds on.
        expected: Option<u64>,
        /// The savepoint stored.
        found: Option<u64>,
    },
    /// The view is too far behind.
    #[error("the view of the state is too old, simulate again")]
    ViewExpired,
}

/// A state database of one channel.
pub trait StateDb: Send + Sync + Debug {
    /// The newest block applied.
    fn savepoint(&self) -> Result<Option<u64>, Error>;

    /// Versions of many keys, in one round trip.
    fn versions(&self, keys: &[StateKey]) -> Result<Vec<Option<Version>>, Error>;

    /// Applies the changes of one block and its savepoint, all or nothing. Fails if the savepoint
    /// is not the one the batch builds on; does nothing if the block was applied before.
    fn apply(&self, batch: &StateBatch) -> Result<(), Error>;

    /// Changes entries outside of a block, for private data that came late.
    fn amend(&self, updates: &BTreeMap<StateKey, Option<Versioned>>) -> Result<(), Error>;

    /// Says that the blocks applied so far are on disk: a database that collects changes may write
    /// them now. One that wrote earlier could be ahead of the chain after a crash.
    fn settle(&self) -> Result<(), Error> {
        Ok(())
    }

    /// A view at the newest savepoint, unchanged by later batches.
    fn view(&self) -> Result<Arc<dyn StateView>, Error>;

    /// Removes everything, to be rebuilt.
    fn clear(&self) -> Result<(), Error>;

    /// Writes to disk what was applied.
    fn flush(&self) -> Result<(), Error>;
}

/// A state as it was after some block.
pub trait StateView: Send + Sync + Debug {
    /// The newest block in the view.
    fn savepoint(&self) -> Option<u64>;

    /// What is held of a key.
    fn get(&self, key: &StateKey) -> Result<Option<Versioned>, Error>;

    /// What is held of many keys, in one round trip.
    fn get_many(&self, keys: &[StateKey]) -> Result<Vec<Option<Versioned>>, Error> {
        keys.iter().map(|key| self.get(key)).collect()
    }

    /// Up to `limit` entries from `start` up to but without `end`, in the order of the keys. Fewer
    /// mean that there are no more.
    fn range(
        &self,
        start: &StateKey,
        end: &StateKey,
        limit: usize,
    ) -> Result<Vec<(StateKey, Versioned)>, Error>;
}
