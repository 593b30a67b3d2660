//! What the operator decides about administration.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Bounds of administration and of questions about the past.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How long an operation waits for requests that still use the channel.
    #[serde(with = "node::config::duration")]
    pub drain_timeout: Duration,
    /// How far the time in a request may be from ours.
    #[serde(with = "node::config::duration")]
    pub time_window: Duration,
    /// How many administration requests are accepted within that time.
    pub requests_max: usize,
    /// Questions answered at a time.
    pub queries_max: usize,
    /// Entries in one answer.
    pub entries_max: u32,
    /// Bytes of values in one answer; one entry is always given.
    pub bytes_max: usize,
    /// Blocks one comparison of two heights may span.
    pub diff_blocks_max: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            drain_timeout: Duration::from_secs(60),
            time_window: Duration::from_secs(5 * 60),
            requests_max: 10_000,
            queries_max: 8,
            entries_max: 1000,
            bytes_max: 16 << 20,
            diff_blocks_max: 100_000,
        }
    }
}
