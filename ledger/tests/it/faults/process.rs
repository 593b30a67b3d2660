//! Processes of this test binary that may be killed.

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use super::script::Script;
use super::{describe, open};

/// Where a process finds its work.
const WORK: &str = "GAUZE_LEDGER_TEST_WORK";

/// A folder with a script, a ledger and its snapshots.
#[derive(Debug, Clone)]
pub(super) struct Work(pub(super) PathBuf);

impl Work {
    pub(super) fn new(dir: &Path, script: &Script) -> Self {
        let work = Self(dir.to_owned());
        for folder in [work.script(), work.snapshots()] {
            std::fs::create_dir_all(folder).unwrap();
        }
        script.save(&work.script());
        work
    }

    pub(super) fn script(&self) -> PathBuf {
        self.0.join("script")
    }

    pub(super) fn ledger(&self) -> PathBuf {
        self.0.join("ledger")
    }

    pub(super) fn snapshots(&self) -> PathBuf {
        self.0.join("snapshots")
    }

    /// Goes on with the script in another process, with these failpoints.
    pub(super) fn go_on(&self, failpoints: &str) -> Ended {
        run("faults::process::goes_on_with_its_script", failpoints, &self.0)
    }
}

/// How a process ended.
#[derive(Debug)]
pub(super) struct Ended {
    status: ExitStatus,
    pub(super) text: String,
}

impl Ended {
    /// Whether it was killed by a failpoint.
    pub(super) fn is_killed(&self) -> bool {
        const ABORT: i32 = 6;
        let killed = self.status.signal() == Some(ABORT);
        assert!(killed || self.status.success(), "{}", self.text);
        killed
    }
}

/// Runs one test of this binary in a process of its own.
pub(super) fn run(test: &str, failpoints: &str, work: &Path) -> Ended {
    let output = Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture", "--include-ignored"])
        .env(WORK, work)
        .env("FAILPOINTS", failpoints)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    Ended { status: output.status, text: String::from_utf8_lossy(&text).into_owned() }
}

/// The work of this process, if it was started by [`run`].
pub(super) fn work() -> Option<Work> {
    Some(Work(std::env::var_os(WORK)?.into()))
}

#[test]
fn goes_on_with_its_script() {
    let Some(work) = work() else { return };
    let scenario = fail::FailScenario::setup();
    let script = Script::load(&work.script());
    let ledger = open(&work.ledger()).unwrap_or_else(|error| panic!("{}", describe(&error)));
    script.run(&ledger, &work.snapshots()).unwrap_or_else(|error| panic!("{}", describe(&error)));
    drop(ledger);
    scenario.teardown();
}
