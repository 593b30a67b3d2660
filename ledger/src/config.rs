//! How ledgers are held on this node.

use serde::{Deserialize, Serialize};

use crate::{block_store, private_data, snapshot, state};

/// Configuration of all ledgers of a node.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The chain of blocks.
    pub blocks: block_store::Config,
    /// The state database.
    pub state: state::Config,
    /// Private data.
    pub private_data: private_data::Config,
    /// Reading snapshots.
    pub snapshots: snapshot::SnapshotConfig,
    /// Whether the history of keys is kept.
    pub history: bool,
    /// Results after which a query stops.
    pub query_results_max: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            blocks: block_store::Config::default(),
            state: state::Config::default(),
            private_data: private_data::Config::default(),
            snapshots: snapshot::SnapshotConfig::default(),
            history: true,
            query_results_max: 100_000,
        }
    }
}
