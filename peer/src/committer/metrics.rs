//! What committers count.

use std::time::Duration;

use node::metrics::encoding::EncodeLabelSet;
use node::metrics::{Counter, Family, Gauge, Histogram, Registry};
use proto::peer::TxValidationCode;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByChannel {
    channel: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByCode {
    channel: String,
    code: &'static str,
}

/// The metrics of the commit pipelines.
#[derive(Debug, Clone)]
pub struct Metrics {
    height: Family<ByChannel, Gauge>,
    transactions: Family<ByCode, Counter>,
    stopped: Family<ByChannel, Gauge>,
    validation: Histogram,
    commit: Histogram,
}

impl Metrics {
    /// Registers the metrics.
    pub fn new(registry: &Registry) -> Self {
        Self {
            height: registry.add("gauze_peer_ledger_height", "Blocks committed, by channel"),
            transactions: registry
                .add("gauze_peer_transactions", "Transactions committed, by channel and code"),
            stopped: registry.add(
                "gauze_peer_channel_stopped",
                "1 if the committer of a channel has stopped for good",
            ),
            validation: registry
                .seconds("gauze_peer_validation_seconds", "Time to judge a block by the state"),
            commit: registry
                .seconds("gauze_peer_commit_seconds", "Time to check reads and write a block"),
        }
    }

    pub(super) fn committed(&self, channel: &str, number: u64, codes: &[TxValidationCode]) {
        self.height(channel, number.saturating_add(1));
        for code in codes {
            let labels = ByCode { channel: channel.to_owned(), code: code.as_str_name() };
            self.transactions.get_or_create(&labels).inc();
        }
    }

    pub(super) fn height(&self, channel: &str, height: u64) {
        let labels = ByChannel { channel: channel.to_owned() };
        self.height.get_or_create(&labels).set(i64::try_from(height).unwrap_or(i64::MAX));
    }

    pub(super) fn stopped(&self, channel: &str, stopped: bool) {
        let labels = ByChannel { channel: channel.to_owned() };
        self.stopped.get_or_create(&labels).set(i64::from(stopped));
    }

    pub(super) fn times(&self, validation: Duration, commit: Duration) {
        self.validation.observe(validation.as_secs_f64());
        self.commit.observe(commit.as_secs_f64());
    }
}
