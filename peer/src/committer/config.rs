//! What the operator decides about committing.

use serde::{Deserialize, Serialize};

/// Bounds and delays of the commit pipelines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Blocks of one channel whose signatures are verified ahead of their commit.
    pub blocks_ahead_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { blocks_ahead_max: 8 }
    }
}
