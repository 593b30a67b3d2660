//! What the operator decides about committing.

use serde::{Deserialize, Serialize};

/// Bounds and delays of the commit pipelines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Blocks of one channel whose signatures are verified ahead of their commit.
    pub blocks_ahead_max: usize,
    /// Blocks that go to disk together when the peer is behind.
    pub group_blocks_max: usize,
    /// Bytes of transactions that are enough to go to disk, in however few blocks.
    pub group_bytes_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { blocks_ahead_max: 32, group_blocks_max: 16, group_bytes_max: 1 << 20 }
    }
}
