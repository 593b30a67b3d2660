//! Processes of this test binary that may be killed.

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Arc;

use ledger::snapshot::Joining;
use ledger::{Ledger, Ledgers};

use super::script::Script;
use super::{config, describe, open};

/// Where a process finds its work.
const WORK: &str = "GAUZE_LEDGER_TEST_WORK";

/// A folder with a script, a ledger and its snapshots.
#[derive(Debug, Clone)]
pub(super) struct Work(pub(super) PathBuf);

impl Work {
    pub(super) fn new(dir: &Path, script: &Script) -> Self {
        let work = Self(dir.to_owned());
        for folder in [work.script(), work.snapshots(), work.0.join("joined snapshots")] {
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

    /// Asks for a second ledger that begins from the first snapshot.
    pub(super) fn join_too(&self) {
        std::fs::write(self.0.join("join"), b"").unwrap();
    }

    /// Goes on with the second ledger, beginning it if it is not there.
    pub(super) fn joined(&self, script: &Script) -> Result<Arc<Ledger>, ledger::Error> {
        let ledgers = Ledgers::open(self.0.join("joined"), config())?;
        let joining = Joining { accept: &|_| Ok(()), is_member: &|_, _, _| Ok(true) };
        let ledger = match ledgers.get("test") {
            Some(ledger) => ledger,
            None => ledgers.create_from_snapshot(self.snapshots().join("6"), &joining)?,
        };
        script.run(&ledger, &self.0.join("joined snapshots"))?;
        Ok(ledger)
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
    if work.0.join("join").exists() {
        work.joined(&script).unwrap_or_else(|error| panic!("{}", describe(&error)));
    }
    scenario.teardown();
}
