//! What the operator decides about event streams.

use serde::{Deserialize, Serialize};

/// Bounds of event streams.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Event streams served at the same time.
    pub streams_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { streams_max: 2500 }
    }
}
