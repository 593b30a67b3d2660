//! A commit that hangs on its disk keeps nobody from endorsing.

use std::sync::mpsc;
use std::time::Duration;

use parking_lot::Mutex;
use tempfile::TempDir;

use super::process;
use crate::chain::{create, entry, submit, text};

/// Long enough for any simulation, short enough for a test that fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// Both ends of a place at which a commit waits.
fn hold(failpoint: &str) -> (mpsc::Receiver<()>, mpsc::Sender<()>) {
    let (arrived, arrivals) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let ends = Mutex::new((arrived, released));
    fail::cfg_callback(failpoint, move || {
        let (arrived, released) = &*ends.lock();
        // Once the test has let go, both fail at once.
        if arrived.send(()).is_ok() {
            let _ = released.recv();
        }
    })
    .unwrap();
    (arrivals, release)
}

/// Simulates on a ledger whose next block hangs in its fsync.
#[test]
fn simulates_beside_a_hanging_commit() {
    let Some(work) = process::work() else { return };
    let scenario = fail::FailScenario::setup();
    let ledger = create(&work.0);
    submit(&ledger, "t1", |tx| tx.put_state("cc", "k", text("old")).unwrap());
    let (arrivals, release) = hold("ledger::block_append::before_sync");
    std::thread::scope(|scope| {
        let commit = scope
            .spawn(|| submit(&ledger, "t2", |tx| tx.put_state("cc", "k", text("new")).unwrap()));
        arrivals.recv_timeout(PATIENCE).unwrap();
        let (done, simulated) = mpsc::channel();
        let ledger = &ledger;
        scope.spawn(move || {
            let mut tx = ledger.simulator("t3").unwrap();
            let read = tx.get_state("cc", "k").unwrap();
            tx.put_state("cc", "other", text("x")).unwrap();
            done.send((read, ledger.height(), tx.finish().is_ok())).unwrap();
        });
        let simulated = simulated.recv_timeout(PATIENCE);
        let hanging = !commit.is_finished();
        drop((release, arrivals));
        assert_eq!(simulated.unwrap(), (Some(text("old")), 2, true));
        assert!(hanging, "the commit did not wait");
    });
    assert_eq!((entry(&ledger, "k").unwrap().0.as_str(), ledger.height()), ("new", 3));
    println!("simulated");
    scenario.teardown();
}

#[test]
fn endorsing_never_waits_for_a_commit() {
    let dir = TempDir::new().unwrap();
    let ended = process::run("faults::blocked::simulates_beside_a_hanging_commit", "", dir.path());
    assert!(!ended.is_killed());
    assert!(ended.text.contains("simulated"), "{}", ended.text);
}
