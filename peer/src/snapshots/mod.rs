//! Snapshots of ledgers: made on request and by schedule, and joining channels by them.
//!
//! A request names a block, usually one to come. It is kept on disk until the snapshot is there
//! ([`Snapshots`]), in the folder where Fabric puts it: `completed/<channel>/<block>`. Commits do
//! not wait while one is written. [`Service`] is how administrators ask for it; [`Joins`] begins a
//! channel from a folder with a snapshot.

mod error;
mod join;
mod registry;
mod requests;
mod run;
mod service;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use error::Error;
pub use join::Joins;
pub use registry::Snapshots;
pub use service::Service;

/// Where snapshots are, when they are made, and how many.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Folder of all snapshots; empty: `snapshots` in the data directory.
    pub directory: PathBuf,
    /// A snapshot is made of every block whose number is a multiple of this; 0: on request only.
    pub every_blocks: u64,
    /// How many of those are kept for each channel. Requested ones stay until somebody removes
    /// them.
    pub scheduled_kept_max: usize,
    /// Requests that may be pending for each channel.
    pub pending_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { directory: PathBuf::new(), every_blocks: 0, scheduled_kept_max: 2, pending_max: 100 }
    }
}
