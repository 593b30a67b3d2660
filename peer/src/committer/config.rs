//! What the operator decides about committing.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Bounds and delays of the commit pipelines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Blocks of one channel whose signatures are verified ahead of their commit.
    pub blocks_ahead_max: usize,
    /// How long the private data of a block is looked for before the block is committed without.
    #[serde(with = "node::config::duration")]
    pub private_data_wait: Duration,
    /// Private data of transactions that never came is dropped after that many blocks.
    pub transient_blocks_to_retain: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            blocks_ahead_max: 8,
            private_data_wait: Duration::ZERO,
            transient_blocks_to_retain: 1000,
        }
    }
}
