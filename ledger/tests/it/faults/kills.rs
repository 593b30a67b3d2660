//! The process is killed before and after every durable step.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use tempfile::TempDir;

use super::answers::{self, compare, expect};
use super::open;
use super::process::Work;
use super::script::Script;
use super::torn::{copy, files, finished};

/// All failpoints in the source of the ledger.
pub(super) fn failpoints() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for file in files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        let text = fs::read_to_string(&file).unwrap();
        let parts = text.split('"').filter(|part| part.starts_with("ledger::"));
        let is_name = |part: &&str| part.split("::").count() == 3 && !part.contains(' ');
        found.extend(parts.filter(is_name).map(str::to_owned));
    }
    found
}

/// What happens to the files between two runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Injury {
    None,
    /// The next append has begun in both logs.
    Tails,
    /// The newest block is torn, so that state and indexes are ahead of the blocks.
    Block,
    /// The database beside the blocks was found damaged.
    Database,
}

const INJURIES: [Injury; 4] = [Injury::None, Injury::Tails, Injury::Block, Injury::Database];

pub(super) fn injure(ledger: &Path, injury: Injury) {
    let newest = |log: &str| files(&ledger.join(log)).pop();
    match injury {
        Injury::None => {}
        Injury::Tails => {
            for file in [newest("blocks/segments"), newest("private")].into_iter().flatten() {
                let mut bytes = fs::read(&file).unwrap();
                bytes.extend_from_slice(b"begun");
                fs::write(file, bytes).unwrap();
            }
        }
        Injury::Block => {
            let Some(file) = newest("blocks/segments") else { return };
            let bytes = fs::read(&file).unwrap();
            fs::write(file, &bytes[..bytes.len() - 1]).unwrap();
        }
        Injury::Database if ledger.join("index").exists() => {
            fs::write(ledger.join("index/damaged"), b"").unwrap();
        }
        Injury::Database => {}
    }
}

/// One life of a ledger with two violent ends.
#[derive(Debug)]
struct Case<'a> {
    name: &'a str,
    /// How often the failpoint is passed before the process dies there.
    passed: u32,
    injury: Injury,
}

impl Case<'_> {
    fn kill(&self, passed: u32) -> String {
        format!("{}={passed}*off->return(abort)", self.name)
    }

    /// Returns how often the process was killed.
    fn run(&self, script: &Script, truth: &[(String, String)]) -> usize {
        let dir = TempDir::new().unwrap();
        let work = Work::new(dir.path(), script);
        if self.name.contains("::join::") {
            return self.join(&work, script);
        }
        let mut killed = usize::from(work.go_on(&self.kill(self.passed)).is_killed());
        if killed == 0 {
            // It comes here less often, or only in a recovery: then the script is done now, and
            // there must be something to recover from.
            fs::remove_dir_all(work.ledger()).unwrap();
            fs::remove_dir_all(work.snapshots()).unwrap();
            fs::create_dir(work.snapshots()).unwrap();
            killed += usize::from(work.go_on(&self.kill(0)).is_killed());
        }
        injure(&work.ledger(), self.injury);
        // The second end comes while the ledger is opened, or soon after.
        killed += usize::from(work.go_on(&self.kill(0)).is_killed());
        killed += usize::from(work.go_on(&self.kill(1)).is_killed());
        let ledger = open(&work.ledger()).unwrap();
        script.run(&ledger, &work.snapshots()).unwrap();
        script.reconcile(&ledger).unwrap();
        let mut found = expect(answers::all(&ledger, script));
        drop(ledger);
        found.extend(expect(answers::of_files(&work.ledger(), &work.snapshots())));
        compare(&found, truth, &format!("{self:?}"));
        killed
    }
}

impl Case<'_> {
    /// The same for a ledger that begins from a snapshot of the first one.
    fn join(&self, work: &Work, script: &Script) -> usize {
        assert!(!work.go_on("").is_killed());
        let truth = TempDir::new().unwrap();
        let untouched = Work::new(truth.path(), script);
        copy(&work.snapshots(), &untouched.snapshots());
        work.join_too();
        let killed = usize::from(work.go_on(&self.kill(0)).is_killed())
            + usize::from(work.go_on(&self.kill(3)).is_killed());
        let ask = |work: &Work| {
            let ledger = work.joined(script).unwrap();
            script.reconcile(&ledger).unwrap();
            answers::told(answers::all(&ledger, script))
        };
        compare(&ask(work), &ask(&untouched), &format!("{self:?}"));
        killed
    }
}

/// Runs cases side by side, and says how often each failpoint killed.
fn run(cases: &[Case<'_>]) {
    let script = Script::new();
    let dir = TempDir::new().unwrap();
    let truth = finished(&script, dir.path());
    let next = AtomicUsize::new(0);
    let reached = Mutex::new(BTreeSet::new());
    std::thread::scope(|scope| {
        let work = || {
            while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                if case.run(&script, &truth) > 0 {
                    reached.lock().unwrap().insert(case.name.to_owned());
                }
            }
        };
        let others: Vec<_> = (0..2).map(|_| scope.spawn(work)).collect();
        for other in others {
            if let Err(panic) = other.join() {
                std::panic::resume_unwind(panic);
            }
        }
    });
    let never: Vec<_> = failpoints().difference(&reached.into_inner().unwrap()).cloned().collect();
    assert!(never.is_empty(), "never killed at {never:?}");
}

/// Which injury leads to a failpoint that only recovery passes.
pub(super) fn injury_for(name: &str, otherwise: usize) -> Injury {
    match name {
        _ if name.contains("_repair::") => Injury::Tails,
        _ if name.contains("::repair::") => Injury::Database,
        "ledger::database::clearing" => Injury::Block,
        _ => INJURIES[otherwise % INJURIES.len()],
    }
}

#[test]
fn killed_at_every_failpoint_it_comes_back() {
    let names = failpoints();
    assert!(names.len() > 30, "{names:?}");
    let cases: Vec<_> = (0..)
        .zip(&names)
        .map(|(index, name)| Case {
            name,
            passed: u32::try_from(index % 4).unwrap(),
            injury: injury_for(name, index),
        })
        .collect();
    run(&cases);
}

#[test]
#[ignore = "long: every failpoint at many of its hits, with every injury"]
fn long_killed_at_every_failpoint_again_and_again() {
    let names = failpoints();
    let mut cases = Vec::new();
    for name in &names {
        for passed in [0, 1, 2, 3, 5, 8, 11, 13, 17, 25, 40] {
            cases.extend(INJURIES.map(|injury| Case { name, passed, injury }));
        }
    }
    run(&cases);
}
