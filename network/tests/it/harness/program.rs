//! Running `gauze`.

use std::fmt;
use std::process::{Command, Output};

use serde_json::Value;

use super::Network;

/// A finished run of `gauze`.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    line: String,
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Network {
    /// Runs `gauze` on this network.
    pub(crate) fn gauze(&self, arguments: &[&str]) -> Run {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gauze"));
        command.arg("--file").arg(self.file()).args(arguments);
        let output = command.env("TMPDIR", self.folder().join("tmp")).output().unwrap();
        Run::of(arguments, &output)
    }

    /// Runs `gauze --output json`, which must succeed, and returns what it printed.
    #[track_caller]
    pub(crate) fn ask(&self, arguments: &[&str]) -> Value {
        self.gauze(&[&["--output", "json"], arguments].concat()).json()
    }

    /// Runs `gauze --output json`, which must fail with this exit code, and returns its error.
    #[track_caller]
    pub(crate) fn refused(&self, code: i32, arguments: &[&str]) -> Value {
        let run = self.gauze(&[&["--output", "json", "--quiet"], arguments].concat());
        assert_eq!(run.code, code, "{run}");
        let error: Value = serde_json::from_str(&run.stderr).unwrap_or_else(|_| panic!("{run}"));
        assert_eq!(error["error"]["code"], code, "{run}");
        error["error"].clone()
    }
}

impl Run {
    fn of(arguments: &[&str], output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self {
            line: arguments.join(" "),
            code: output.status.code().unwrap_or(-1),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        }
    }

    /// The JSON document a successful run printed.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.code, 0, "{self}");
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self}"))
    }
}

impl fmt::Display for Run {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, code, stdout, stderr } = self;
        write!(formatter, "gauze {line}: exit code {code}\n{stdout}{stderr}")
    }
}
