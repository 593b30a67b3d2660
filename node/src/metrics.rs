//! The metrics registry: components register their metrics, the operations endpoint prints them.

use std::sync::Arc;

use parking_lot::Mutex;
pub use prometheus_client::metrics::{
    counter::Counter,
    family::Family,
    gauge::Gauge,
    histogram::{Histogram, exponential_buckets},
};
pub use prometheus_client::{encoding, registry::Metric};

/// A process's metrics; clones are the same registry.
#[derive(Clone, Debug)]
pub struct Registry {
    inner: Arc<Mutex<prometheus_client::registry::Registry>>,
}

impl Default for Registry {
    fn default() -> Self {
        Self::new()
    }
}

impl Registry {
    /// A registry that already counts caught panics.
    #[must_use]
    pub fn new() -> Self {
        let registry =
            Self { inner: Arc::new(Mutex::new(prometheus_client::registry::Registry::default())) };
        registry.register("gauze_panics", "Panics caught at a boundary", crate::panics::counter());
        registry
    }

    /// Registers a metric under its full name (`gauze_<component>_<what>`); the text format
    /// adds `_total` to counters.
    pub fn register(&self, name: &str, help: &str, metric: impl Metric) {
        self.inner.lock().register(name, help, metric);
    }

    /// Registers a default metric and returns it.
    pub fn add<M: Metric + Clone + Default>(&self, name: &str, help: &str) -> M {
        let metric = M::default();
        self.register(name, help, metric.clone());
        metric
    }

    /// A histogram of seconds from 100 µs to 13 s.
    pub fn seconds(&self, name: &str, help: &str) -> Histogram {
        let histogram = Histogram::new(exponential_buckets(0.0001, 2.0, 18));
        self.register(name, help, histogram.clone());
        histogram
    }

    /// All metrics in the OpenMetrics text format.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut text = String::new();
        match encoding::text::encode(&mut text, &self.inner.lock()) {
            Ok(()) => text,
            Err(_) => "# EOF\n".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_what_was_registered() {
        let registry = Registry::new();
        let counter: Counter = registry.add("gauze_test_things", "Things seen");
        counter.inc_by(3);
        registry.seconds("gauze_test_seconds", "Time taken").observe(0.1);
        let text = registry.encode();
        assert!(text.contains("gauze_test_things_total 3"), "{text}");
        assert!(text.contains("gauze_test_seconds_bucket"), "{text}");
        assert!(text.contains("gauze_panics_total"), "{text}");
    }
}
