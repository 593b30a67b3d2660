//! What is counted of endorsing.

use std::time::Duration;

use node::metrics::{Counter, Histogram, Registry};

/// Counters of the endorser.
#[derive(Debug, Clone)]
pub struct Metrics {
    pub(super) received: Counter,
    pub(super) refused: Counter,
    pub(super) failed: Counter,
    pub(super) endorsed: Counter,
    duration: Histogram,
}

impl Metrics {
    /// Registers the metrics.
    pub fn new(registry: &Registry) -> Self {
        let counter =
            |name: &str, help: &str| registry.add(&format!("gauze_endorser_{name}"), help);
        Self {
            received: counter("proposals", "Proposals received"),
            refused: counter("proposals_refused", "Proposals answered with an error of the call"),
            failed: counter("proposals_failed", "Proposals whose chaincode did not succeed"),
            endorsed: counter("endorsements", "Endorsements signed"),
            duration: registry
                .seconds("gauze_endorser_proposal_seconds", "Time from proposal to answer"),
        }
    }

    pub(super) fn took(&self, duration: Duration) {
        self.duration.observe(duration.as_secs_f64());
    }
}
