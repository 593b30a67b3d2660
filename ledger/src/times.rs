//! Where the time of a commit goes.
//!
//! Nothing is measured until somebody asks for it, because the answer is for benchmarks.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::Duration;

use parking_lot::Mutex;

/// Time as the measuring side wants it, such as that of the calling thread.
pub type Clock = fn() -> Duration;

/// Time spent by stage.
#[derive(Debug, Default)]
pub struct Times {
    clock: OnceLock<Clock>,
    spent: Mutex<BTreeMap<&'static str, Duration>>,
}

impl Times {
    /// Measures from now on.
    pub fn start(&self, clock: Clock) {
        // Whoever was first keeps measuring.
        let _ = self.clock.set(clock);
    }

    /// Runs a stage.
    pub fn stage<T>(&self, name: &'static str, work: impl FnOnce() -> T) -> T {
        let Some(clock) = self.clock.get() else { return work() };
        let begun = clock();
        let result = work();
        let spent = clock().saturating_sub(begun);
        *self.spent.lock().entry(name).or_default() += spent;
        result
    }

    /// What was spent so far.
    pub fn spent(&self) -> BTreeMap<&'static str, Duration> {
        self.spent.lock().clone()
    }
}
