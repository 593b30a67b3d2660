//! A network in a temporary folder, driven through the command line.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Each network of this test process looks for ports in a range of its own.
static NETWORKS: AtomicU16 = AtomicU16::new(0);

/// What a command answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Answer {
    /// The result of a command that must succeed, as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.code, 0, "{}\n{}", self.out, self.err);
        serde_json::from_str(&self.out).unwrap_or_else(|_| panic!("not JSON: {}", self.out))
    }

    /// Asserts that the command failed with this code and says `why`.
    #[track_caller]
    pub(crate) fn fails(&self, code: i32, why: &str) {
        assert_eq!(self.code, code, "{}\n{}", self.out, self.err);
        assert!(self.err.contains(why), "{} does not say {why}", self.err);
    }
}

/// A network; dropped, it is stopped and deleted.
pub(crate) struct Lab {
    folder: tempfile::TempDir,
}

impl Lab {
    /// A folder with a description, nothing started. `change` edits the description.
    pub(crate) fn new(change: impl FnOnce(String) -> String) -> Self {
        let lab = Self { folder: tempfile::tempdir().unwrap() };
        assert_eq!(lab.gauze(&["network", "init"]).code, 0);
        let number = NETWORKS.fetch_add(1, Ordering::Relaxed);
        let base = u16::try_from(std::process::id() % 100).unwrap() * 100 + 20_000 + number * 40;
        let file = lab.path("gauze.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        let text = text.replace("first_port = 17050", &format!("first_port = {base}"));
        std::fs::write(&file, change(text)).unwrap();
        lab
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs `gauze` in the folder.
    pub(crate) fn gauze(&self, arguments: &[&str]) -> Answer {
        answer(self.command(arguments).output().unwrap())
    }

    /// Runs `gauze … --output json` and returns what it prints.
    #[track_caller]
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        self.gauze(&[arguments, &["--output", "json"]].concat()).json()
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gauze"));
        command.current_dir(self.folder.path()).args(arguments).env("NO_COLOR", "1");
        command
    }

    #[track_caller]
    pub(crate) fn up(&self) -> Value {
        self.json(&["network", "up"])
    }

    /// Nodes as `network ps` reports them.
    #[track_caller]
    pub(crate) fn nodes(&self) -> Vec<Value> {
        self.json(&["network", "ps"]).as_array().unwrap().clone()
    }

    #[track_caller]
    pub(crate) fn node(&self, name: &str) -> Value {
        self.nodes().into_iter().find(|node| node["node"] == name).unwrap()
    }

    /// Kills a node without warning.
    pub(crate) fn kill(&self, name: &str) {
        let pid = self.node(name)["pid"].as_u64().unwrap();
        let status = Command::new("sh").args(["-c", &format!("kill -KILL {pid}")]).status();
        assert!(status.unwrap().success());
    }

    /// Height of a channel on a peer.
    #[track_caller]
    pub(crate) fn height(&self, node: &str, channel: &str) -> u64 {
        self.node(node)["heights"][channel].as_u64().unwrap_or(0)
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for name in ["orderer0.orderer", "peer0.hospital", "peer0.pharmacy"] {
                let logs = self.gauze(&["network", "logs", name, "-n", "30"]);
                eprintln!("---- {name}\n{}", logs.out);
            }
        }
        self.gauze(&["network", "down"]);
    }
}

fn answer(output: Output) -> Answer {
    Answer {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Waits until `done` gives a value.
#[track_caller]
pub(crate) fn until<T>(what: &str, mut done: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(value) = done() {
            return value;
        }
        assert!(begin.elapsed() < Duration::from_secs(120), "{what} did not happen");
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Whether a process with this number runs; one that waits to be reaped does not.
pub(crate) fn is_running(pid: u64) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let state = status.lines().find(|line| line.starts_with("State:"));
    state.is_some_and(|state| !state.contains('Z'))
}
