//! What was measured, for people and for programs.

use std::time::Duration;

use serde_json::{Value, json};

use super::Shape;
use super::limit::Limit;
use super::replay::Replayed;

/// The result for one chain.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    pub(crate) shape: Shape,
    pub(crate) limit: Limit,
    pub(crate) replayed: Replayed,
}

impl Outcome {
    /// Transactions committed in a second.
    pub(crate) fn rate(&self) -> f64 {
        per_second(self.replayed.transactions, self.replayed.spent.wall)
    }

    /// Transactions in a second whose signatures can be verified.
    pub(crate) fn limit_rate(&self) -> f64 {
        per_second(self.limit.transactions, self.limit.spent.wall)
    }

    /// How close the peer comes to the limit.
    pub(crate) fn ratio(&self) -> f64 {
        self.rate() / self.limit_rate()
    }

    /// Microseconds of processor time per transaction.
    pub(crate) fn cpu(&self) -> f64 {
        micros(self.replayed.spent.cpu, self.replayed.transactions)
    }

    /// The same for the signatures alone.
    pub(crate) fn limit_cpu(&self) -> f64 {
        micros(self.limit.spent.cpu, self.limit.transactions)
    }

    /// The ratio of processor times, on which other programs weigh less.
    pub(crate) fn cpu_ratio(&self) -> f64 {
        self.limit_cpu() / self.cpu()
    }

    /// Microseconds of processor time per transaction by part, largest first. What no stage
    /// accounts for is decoding, policies and handing over, in the threads that also verify.
    pub(crate) fn parts(&self) -> Vec<(&'static str, f64)> {
        let each = |(name, spent): (&&'static str, &Duration)| {
            (*name, micros(*spent, self.replayed.transactions))
        };
        let mut parts: Vec<_> = self.replayed.stages.iter().map(each).collect();
        parts.push(("signatures", self.limit_cpu()));
        let rest = self.cpu() - parts.iter().map(|(_, micros)| micros).sum::<f64>();
        parts.push(("decode and the rest", rest.max(0.0)));
        parts.sort_by(|a, b| b.1.total_cmp(&a.1));
        parts
    }

    /// For programs.
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "transactions": self.replayed.transactions,
            "valid": self.replayed.valid,
            "endorsements": self.shape.endorsements,
            "blockSize": self.shape.block_size,
            "valueBytes": self.shape.value_bytes,
            "keys": self.shape.keys,
            "seconds": self.replayed.spent.wall.as_secs_f64(),
            "transactionsPerSecond": self.rate(),
            "limitTransactionsPerSecond": self.limit_rate(),
            "ratio": self.ratio(),
            "cpuMicrosPerTransaction": self.cpu(),
            "limitCpuMicrosPerTransaction": self.limit_cpu(),
            "cpuRatio": self.cpu_ratio(),
            "diskBytesPerTransaction":
                self.replayed.disk_bytes as f64 / self.replayed.transactions.max(1) as f64,
            "cpuMicrosPerTransactionByPart": stage_json(self),
        })
    }
}

/// The parts as a JSON object.
fn stage_json(outcome: &Outcome) -> Value {
    outcome.parts().into_iter().map(|(name, micros)| (name.to_owned(), json!(micros))).collect()
}

/// The parts as rows: name, microseconds, share.
pub(crate) fn stage_rows(outcome: &Outcome) -> Vec<Vec<String>> {
    let all = outcome.cpu().max(f64::MIN_POSITIVE);
    let row = |(name, micros): (&'static str, f64)| {
        vec![name.to_owned(), format!("{micros:.1}"), format!("{:.1} %", 100.0 * micros / all)]
    };
    outcome.parts().into_iter().map(row).collect()
}

fn per_second(count: u64, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64().max(f64::MIN_POSITIVE)
}

fn micros(time: Duration, count: u64) -> f64 {
    time.as_secs_f64() * 1e6 / count.max(1) as f64
}
