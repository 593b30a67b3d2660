//! Nodes as processes: started with a log file, found again by process number and start time,
//! stopped by signal.

use std::fs::OpenOptions;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::failure::{Exit, Explain, Failure, Result};
use crate::inventory::write_whole;

/// A started process. Numbers are reused by the system; the start time tells whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Process {
    /// The process number.
    pub(crate) pid: u32,
    /// Ticks from boot to its start.
    started: u64,
}

impl Process {
    /// Starts `program` in `folder`, writing to `log`, and notes it in `note`. The process lives
    /// on when this one ends, and does not get the terminal's Ctrl-C.
    pub(crate) fn start(
        program: &Path,
        arguments: &[&str],
        environment: &[(String, String)],
        folder: &Path,
        log: &Path,
        note: &Path,
    ) -> Result<Self> {
        let what = || format!("start {}", program.display());
        let output = OpenOptions::new().create(true).append(true).open(log).explain(what)?;
        let errors = output.try_clone().explain(what)?;
        let child = Command::new(program)
            .args(arguments)
            .envs(environment.iter().cloned())
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .process_group(0)
            .spawn()
            .explain(what)?;
        let pid = child.id();
        let started = start_time(pid)
            .ok_or_else(|| Failure::new(Exit::Failed, what()).because(tail(log, 5)))?;
        let process = Self { pid, started };
        let text = serde_json::to_vec(&process).unwrap_or_default();
        write_whole(note, &text).explain(|| format!("write {}", note.display()))?;
        Ok(process)
    }

    /// The process noted in a file, if it is still the one that was started.
    pub(crate) fn find(note: &Path) -> Option<Self> {
        let noted: Self = serde_json::from_slice(&std::fs::read(note).ok()?).ok()?;
        noted.is_alive().then_some(noted)
    }

    pub(crate) fn is_alive(&self) -> bool {
        start_time(self.pid) == Some(self.started)
    }

    /// Resident memory in bytes.
    pub(crate) fn resident_bytes(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid)).ok()?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
        let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
        Some(kib * 1024)
    }

    /// Asks the process to end, insists after `grace`, and waits until it has.
    pub(crate) async fn stop(&self, grace: Duration) {
        self.signal("TERM");
        let started = Instant::now();
        let mut insisted = false;
        while self.is_alive() {
            if !insisted && started.elapsed() > grace {
                self.signal("KILL");
                insisted = true;
            }
            if started.elapsed() > grace + Duration::from_secs(5) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }

    /// Sends a signal by name. The shell's own `kill` needs no package to be installed.
    fn signal(&self, name: &str) {
        if self.is_alive() {
            let script = format!("kill -{name} {}", self.pid);
            let _ = Command::new("sh").args(["-c", &script]).stderr(Stdio::null()).status();
        }
    }
}

/// Field 22 of `/proc/<pid>/stat`; `None` when there is no such process or it is a zombie.
fn start_time(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may itself hold spaces and parentheses.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

/// The last lines of a log.
pub(crate) fn tail(log: &Path, lines: usize) -> String {
    const BYTES: u64 = 256 * 1024;
    let Ok(mut file) = std::fs::File::open(log) else { return String::new() };
    let length = file.metadata().map(|metadata| metadata.len()).unwrap_or(0);
    let mut bytes = Vec::new();
    let read = file
        .seek(SeekFrom::Start(length.saturating_sub(BYTES)))
        .and_then(|_| file.read_to_end(&mut bytes));
    if read.is_err() {
        return String::new();
    }
    let text = String::from_utf8_lossy(&bytes);
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_process_is_started_found_and_stopped() {
        let directory = tempfile::tempdir().unwrap();
        let (log, note) = (directory.path().join("log"), directory.path().join("note"));
        let script = ["-c", "echo hello; exec sleep 60"];
        let process =
            Process::start(Path::new("/bin/sh"), &script, &[], directory.path(), &log, &note)
                .unwrap();
        assert_eq!(Process::find(&note), Some(process));
        assert!(process.resident_bytes().unwrap() > 0);
        process.stop(Duration::from_secs(5)).await;
        assert!(!process.is_alive());
        assert_eq!(Process::find(&note), None);
        assert_eq!(tail(&log, 3), "hello");
    }

    #[tokio::test]
    async fn a_process_that_ignores_the_request_is_killed() {
        let directory = tempfile::tempdir().unwrap();
        let (log, note) = (directory.path().join("log"), directory.path().join("note"));
        let script = ["-c", "trap '' TERM; echo ready; while true; do sleep 0.1; done"];
        let process =
            Process::start(Path::new("/bin/sh"), &script, &[], directory.path(), &log, &note)
                .unwrap();
        while tail(&log, 1) != "ready" {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        process.stop(Duration::from_millis(100)).await;
        assert!(!process.is_alive());
    }

    #[test]
    fn another_process_with_the_same_number_is_not_ours() {
        let directory = tempfile::tempdir().unwrap();
        let note = directory.path().join("note");
        let other = Process { pid: std::process::id(), started: 1 };
        std::fs::write(&note, serde_json::to_vec(&other).unwrap()).unwrap();
        assert_eq!(Process::find(&note), None);
    }
}
