//! Disks that are full or fail: the ledger says so, shows what is durable, and refuses the rest
//! until it is opened again.

use std::sync::atomic::{AtomicUsize, Ordering};

use tempfile::TempDir;

use super::answers::{self, compare, expect};
use super::kills::{Injury, failpoints, injure, injury_for};
use super::process::{self, Work};
use super::script::Script;
use super::torn::finished;
use super::{describe, open};

/// Goes on with its script on a disk that refuses one step, and says how often it met that.
#[test]
fn goes_on_behind_a_failure() {
    let Some(work) = process::work() else { return };
    let scenario = fail::FailScenario::setup();
    let script = Script::load(&work.script());
    let refused = |text: &str| text.contains("No space left") || text.contains("refuses");
    let mut met = 0;
    for _ in 0..5 {
        let ledger = match open(&work.ledger()) {
            Ok(ledger) => ledger,
            Err(error) => {
                assert!(describe(&error).contains("No space left"), "{}", describe(&error));
                assert!(ledger::remedy(&error).unwrap().contains("free space"));
                met += 1;
                continue;
            }
        };
        let Err(error) = script.run(&ledger, &work.snapshots()) else {
            drop(ledger);
            if !work.0.join("join").exists() {
                break;
            }
            let Err(error) = work.joined(&script) else { break };
            assert!(describe(&error).contains("No space left"), "{}", describe(&error));
            met += 1;
            continue;
        };
        assert!(describe(&error).contains("No space left"), "{}", describe(&error));
        assert!(ledger::remedy(&error).unwrap().contains("free space"));
        met += 1;
        // What is durable can still be read, and is what it was.
        let before = expect(answers::of_blocks(&ledger));
        assert_eq!(before.len() as u64, ledger.height());
        // The state may have taken the block at which a later step failed.
        let ahead = ledger.view().unwrap().height() - ledger.height();
        assert!(ahead <= 1);
        if let Err(again) = script.run(&ledger, &work.snapshots()) {
            assert!(refused(&describe(&again)), "{}", describe(&again));
            assert_eq!(expect(answers::of_blocks(&ledger)), before);
        }
    }
    println!("met {met}");
    scenario.teardown();
}

/// Lets a step fail after it was passed some times; whether that happened.
fn case(script: &Script, truth: &[(String, String)], name: &str, passed: usize) -> bool {
    let dir = TempDir::new().unwrap();
    let work = Work::new(dir.path(), script);
    if injury_for(name, 0) != Injury::None {
        assert!(!work.go_on("").is_killed());
        injure(&work.ledger(), injury_for(name, 0));
    }
    if name.contains("::join::") {
        work.join_too();
    }
    let failpoints = format!("{name}={passed}*off->1*return(28)->off");
    let test = "faults::full::goes_on_behind_a_failure";
    let ended = process::run(test, &failpoints, &work.0);
    assert!(!ended.is_killed(), "{name}: {}", ended.text);
    let ledger = open(&work.ledger()).unwrap();
    script.run(&ledger, &work.snapshots()).unwrap();
    script.reconcile(&ledger).unwrap();
    let mut found = expect(answers::all(&ledger, script));
    drop(ledger);
    found.extend(expect(answers::of_files(&work.ledger(), &work.snapshots())));
    compare(&found, truth, &format!("{name} failed after {passed}"));
    !ended.text.contains("met 0")
}

#[test]
fn a_full_disk_is_told_and_survived_at_every_step() {
    let script = Script::new();
    let dir = TempDir::new().unwrap();
    let truth = finished(&script, dir.path());
    let names: Vec<_> = failpoints().into_iter().collect();
    let next = AtomicUsize::new(0);
    let work = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(name) = names.get(index) else { return };
            let met = case(&script, &truth, name, index % 3) || case(&script, &truth, name, 0);
            // Opening tries once more by itself.
            assert!(met || name.contains("::repair::"), "{name} was never met");
        }
    };
    std::thread::scope(|scope| {
        let others = [scope.spawn(work), scope.spawn(work)];
        for other in others {
            if let Err(panic) = other.join() {
                std::panic::resume_unwind(panic);
            }
        }
    });
}
