//! What the operator decides about endorsing.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Bounds of endorsing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Proposals worked on at the same time; more are refused at once.
    pub concurrency_max: usize,
    /// Proposals executed at the same time, each on a thread of its own; more wait.
    pub executions_max: usize,
    /// How long the execution of one proposal may take.
    #[serde(with = "node::config::duration")]
    pub execute_timeout: Duration,
    /// How far the clock of a client may differ from this peer's.
    #[serde(with = "node::config::duration")]
    pub clock_difference_max: Duration,
    /// Ranges and histories one execution may hold open at the same time.
    pub iterators_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            concurrency_max: 2500,
            executions_max: 64,
            execute_timeout: Duration::from_secs(30),
            clock_difference_max: Duration::from_secs(15 * 60),
            iterators_max: 64,
        }
    }
}
