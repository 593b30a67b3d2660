//! Cleaning up after a test process, even one that was killed.
//!
//! Statics are never dropped and a panic may abort, so a small shell process waits until its
//! standard input closes, which the operating system does for every way a process can end.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use std::os::unix::process::CommandExt;

/// What the shell does once this process is gone.
const SCRIPT: &str = r#"cat > /dev/null
"$1" --file "$2/gauze.toml" network down --purge
rm -rf "$2""#;

/// Takes a network down and deletes its folder when dismissed, dropped, or left alone.
#[derive(Debug)]
pub(super) struct Janitor {
    shell: Child,
}

impl Janitor {
    pub(super) fn hire(folder: &Path) -> Self {
        let shell = Command::new("sh")
            .args(["-c", SCRIPT, "janitor", env!("CARGO_BIN_EXE_gauze")])
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Ctrl-C is for the tests; the janitor cleans up after it.
            .process_group(0)
            .spawn()
            .unwrap();
        Self { shell }
    }

    /// Lets the janitor work, and waits until everything is clean.
    pub(super) fn dismiss(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}

impl Drop for Janitor {
    fn drop(&mut self) {
        self.dismiss();
    }
}
