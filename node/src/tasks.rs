//! Named tasks that can be cancelled together and drained.
//!
//! A component spawns everything through the [`Tasks`] it is given. Shutting down cancels,
//! waits for the grace period, names what is still running, and then drops it.

use std::collections::BTreeMap;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use parking_lot::Mutex;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tokio_util::task::TaskTracker;
use tracing::Instrument;

/// A group of tasks; clones are the same group.
#[derive(Clone, Debug, Default)]
pub struct Tasks {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    parent: Option<Tasks>,
    /// Asks tasks to finish.
    cancel: CancellationToken,
    /// Drops tasks that did not finish.
    kill: CancellationToken,
    tracker: TaskTracker,
    running: Mutex<Running>,
    fatal: Mutex<Option<String>>,
}

#[derive(Debug, Default)]
struct Running {
    next: u64,
    names: BTreeMap<u64, String>,
}

/// What a shutdown found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drained {
    /// Tasks that ignored the cancellation and were dropped after the grace period.
    pub dropped: Vec<String>,
}

impl Tasks {
    /// An empty group.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A group that is cancelled with this one, and can be shut down alone.
    #[must_use]
    pub fn child(&self) -> Self {
        let inner = Inner {
            parent: Some(self.clone()),
            cancel: self.inner.cancel.child_token(),
            kill: self.inner.kill.child_token(),
            ..Inner::default()
        };
        Self { inner: Arc::new(inner) }
    }

    /// Runs `future` under `name` until it ends or the group is dropped. A panic is caught,
    /// counted and logged, and ends only this task.
    pub fn spawn<F>(&self, name: impl Into<String>, future: F) -> JoinHandle<()>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let name = name.into();
        let guard = Guard::new(self, &name);
        let kill = self.inner.kill.clone();
        let task = async move {
            let _guard = guard;
            let guarded = AssertUnwindSafe(future).catch_unwind();
            if let Some(Err(payload)) = kill.run_until_cancelled(guarded).await {
                crate::panics::caught(&name, payload.as_ref());
            }
        };
        #[expect(clippy::disallowed_methods, reason = "this is the one place that spawns")]
        tokio::spawn(task.in_current_span())
    }

    /// Runs blocking `work` on the blocking pool; a shutdown waits for it within the grace
    /// period. A panic is counted and returned as the join error.
    pub fn spawn_blocking<T, F>(&self, name: impl Into<String>, work: F) -> JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let name = name.into();
        let guard = Guard::new(self, &name);
        let span = tracing::Span::current();
        tokio::task::spawn_blocking(move || {
            let _guard = guard;
            let _span = span.entered();
            match std::panic::catch_unwind(AssertUnwindSafe(work)) {
                Ok(value) => value,
                Err(payload) => {
                    crate::panics::caught(&name, payload.as_ref());
                    std::panic::resume_unwind(payload)
                }
            }
        })
    }

    /// Resolves when the group is asked to stop.
    pub fn cancelled(&self) -> WaitForCancellationFutureOwned {
        self.inner.cancel.clone().cancelled_owned()
    }

    /// Whether the group was asked to stop.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.inner.cancel.is_cancelled()
    }

    /// The token behind [`Tasks::cancelled`], for libraries that want one.
    #[must_use]
    pub fn token(&self) -> CancellationToken {
        self.inner.cancel.clone()
    }

    /// Asks the group to stop without waiting.
    pub fn cancel(&self) {
        self.inner.cancel.cancel();
    }

    /// Stops the whole node because going on would be wrong (a failed write to our own disk):
    /// cancels the outermost group and makes the process end with `reason`.
    pub fn fatal(&self, reason: impl Into<String>) {
        if let Some(parent) = &self.inner.parent {
            return parent.fatal(reason);
        }
        let reason = reason.into();
        tracing::error!(%reason, "fatal: stopping");
        self.inner.fatal.lock().get_or_insert(reason);
        self.cancel();
    }

    /// Why the node was stopped by [`Tasks::fatal`], if it was.
    #[must_use]
    pub fn fatal_reason(&self) -> Option<String> {
        match &self.inner.parent {
            Some(parent) => parent.fatal_reason(),
            None => self.inner.fatal.lock().clone(),
        }
    }

    /// The names of the tasks running now.
    #[must_use]
    pub fn running(&self) -> Vec<String> {
        self.inner.running.lock().names.values().cloned().collect()
    }

    /// Cancels, waits up to `grace` for every task of this group and of its children, then
    /// drops the rest.
    pub async fn shutdown(&self, grace: Duration) -> Drained {
        self.inner.cancel.cancel();
        self.inner.tracker.close();
        if tokio::time::timeout(grace, self.inner.tracker.wait()).await.is_ok() {
            return Drained::default();
        }
        let dropped = self.running();
        tracing::warn!(tasks = ?dropped, "tasks did not stop in time and are dropped");
        self.inner.kill.cancel();
        // Dropping a future takes one poll; only blocking work can still hold the tracker.
        let settled = tokio::time::timeout(Duration::from_millis(200), self.inner.tracker.wait());
        if settled.await.is_err() {
            tracing::warn!(tasks = ?self.running(), "blocking work is still running");
        }
        Drained { dropped }
    }
}

/// Keeps a task counted in its group and all groups above while it lives.
struct Guard {
    entries: Vec<(Tasks, u64)>,
    _tokens: Vec<tokio_util::task::task_tracker::TaskTrackerToken>,
}

impl Guard {
    fn new(tasks: &Tasks, name: &str) -> Self {
        let groups: Vec<Tasks> =
            std::iter::successors(Some(tasks.clone()), |t| t.inner.parent.clone()).collect();
        let tokens = groups.iter().map(|group| group.inner.tracker.token()).collect();
        let entries = groups.into_iter().map(|group| {
            let id = group.inner.running.lock().add(name);
            (group, id)
        });
        Self { entries: entries.collect(), _tokens: tokens }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        for (group, id) in &self.entries {
            group.inner.running.lock().names.remove(id);
        }
    }
}

impl Running {
    fn add(&mut self, name: &str) -> u64 {
        self.next += 1;
        self.names.insert(self.next, name.to_owned());
        self.next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn shutdown_waits_for_tasks_that_drain() {
        let tasks = Tasks::new();
        let child = tasks.child();
        let (done, finished) = tokio::sync::oneshot::channel();
        let cancelled = child.cancelled();
        child.spawn("drains", async move {
            cancelled.await;
            tokio::task::yield_now().await;
            done.send(()).unwrap();
        });
        assert_eq!(tasks.running(), ["drains"]);
        assert_eq!(tasks.shutdown(Duration::from_secs(5)).await, Drained::default());
        finished.await.unwrap();
        assert!(tasks.running().is_empty());
    }

    #[tokio::test]
    async fn a_task_that_ignores_cancellation_is_dropped_and_named() {
        let tasks = Tasks::new();
        tasks.spawn("stubborn", std::future::pending());
        let drained = tasks.shutdown(Duration::from_millis(20)).await;
        assert_eq!(drained.dropped, ["stubborn"]);
        assert!(tasks.running().is_empty());
    }

    #[tokio::test]
    async fn a_panic_is_counted_and_ends_one_task() {
        let tasks = Tasks::new();
        let before = crate::panics::count();
        tasks.spawn("broken", async { panic!("as tests do") }).await.unwrap();
        assert!(crate::panics::count() > before);
        assert!(!tasks.is_cancelled());
    }

    #[tokio::test]
    async fn a_child_stops_alone_and_a_fatal_stops_all() {
        let tasks = Tasks::new();
        let (one, two) = (tasks.child(), tasks.child());
        one.shutdown(Duration::from_secs(1)).await;
        assert!(one.is_cancelled() && !two.is_cancelled() && !tasks.is_cancelled());
        two.fatal("disk full");
        assert!(tasks.is_cancelled());
        assert_eq!(tasks.fatal_reason().as_deref(), Some("disk full"));
    }
}
