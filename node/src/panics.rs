//! Panics that were caught: counted and logged where they stop.
//!
//! No panic should be reachable from network, file or chaincode input. Boundaries (tasks, RPC
//! handlers, chaincode calls) catch what happens anyway, so that one request cannot take a node
//! down, and report it here. The metric `gauze_panics_total` is 0 in a healthy node.

use std::any::Any;
use std::sync::LazyLock;

use prometheus_client::metrics::counter::Counter;

static CAUGHT: LazyLock<Counter> = LazyLock::new(Counter::default);

/// Counts and logs a panic caught at the boundary `place`, and returns its message.
pub fn caught(place: &str, payload: &(dyn Any + Send)) -> String {
    CAUGHT.inc();
    let message = payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned());
    tracing::error!(place, panic = %message, "panic caught");
    message
}

/// How many panics this process has caught.
#[must_use]
pub fn count() -> u64 {
    CAUGHT.get()
}

/// The counter itself, for the metrics registry.
pub(crate) fn counter() -> Counter {
    CAUGHT.clone()
}
