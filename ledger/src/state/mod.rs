//! The state: the last value, version and metadata of every key.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{Version, Versioned};

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
}

impl Default for Config {
    fn default() -> Self {
        Self { backend: Backend::Sled, cache_bytes: 128 << 20, view_lag_blocks_max: 1024 }
    }
}

/// Why the state cannot be read or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The database failed.
    #[error("state database")]
    Database(#[from] sled::Error),
    /// A stored entry does not decode; reopening rebuilds the state.
    #[error("the state database is damaged: {0}")]
    Damaged(&'static str),
    /// The batch is not the successor of what is stored: another process writes, too.
    #[error("state is at {found:?}, expected {expected:?}")]
    Conflict {
        /// The savepoint the batch builds on.
        expected: Option<u64>,
        /// The savepoint stored.
        found: Option<u64>,
    },
    /// The view is too far behind.
    #[error("the state view is too old, simulate again")]
    ViewExpired,
}

/// Where a key is in the order of the database: namespace, a NUL, and the key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct StateKey(bytes::Bytes);

/// A state as it was after some block.
pub trait StateView: Send + Sync + std::fmt::Debug {
    /// The newest block in the view.
    fn savepoint(&self) -> Option<u64>;
    /// What is held of a key.
    fn get(&self, key: &StateKey) -> Result<Option<Versioned>, Error>;
}

/// A state database.
pub trait StateDb: Send + Sync + std::fmt::Debug {
    /// The newest block applied.
    fn savepoint(&self) -> Result<Option<u64>, Error>;
    /// Versions of many keys.
    fn versions(&self, keys: &[StateKey]) -> Result<Vec<Option<Version>>, Error>;
    /// A consistent view at the savepoint.
    fn view(&self) -> Result<Arc<dyn StateView>, Error>;
}

/// Keys and what is held of them, ascending.
#[derive(Debug)]
pub struct Range {}

impl Iterator for Range {
    type Item = Result<(String, Versioned), Error>;
    fn next(&mut self) -> Option<Self::Item> {
        todo!()
    }
}
