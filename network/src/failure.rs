//! What went wrong, for the person at the terminal: what, why, and the next command.

use std::fmt;

use client::Class;

/// The exit codes scripts can rely on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// The command could not do its work.
    Failed = 1,
    /// The command line or `gauze.toml` is wrong.
    Usage = 2,
    /// What was asked for does not exist.
    NotFound = 3,
    /// The identity may not do this.
    Denied = 4,
    /// The state does not allow it.
    Conflict = 5,
    /// A node does not run or cannot serve now.
    Unavailable = 6,
    /// No answer in time.
    Timeout = 7,
}

/// A failed command.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    pub(crate) what: String,
    pub(crate) why: Option<String>,
    pub(crate) next: Option<String>,
}

pub(crate) type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    pub(crate) fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self { exit, what: what.into(), why: None, next: None }
    }

    pub(crate) fn usage(what: impl Into<String>) -> Self {
        Self::new(Exit::Usage, what)
    }

    pub(crate) fn not_found(what: impl Into<String>) -> Self {
        Self::new(Exit::NotFound, what)
    }

    pub(crate) fn because(mut self, why: impl fmt::Display) -> Self {
        self.why = Some(why.to_string());
        self
    }

    pub(crate) fn next(mut self, command: impl Into<String>) -> Self {
        self.next = Some(command.into());
        self
    }

    /// The same as JSON, for `--output json`.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        serde_json::json!({ "error": {
            "code": self.exit as i32, "what": self.what, "why": self.why, "next": self.next,
        }})
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.what)?;
        if let Some(why) = &self.why {
            write!(formatter, "\n  why:  {}", why.replace("; ", "\n        "))?;
        }
        if let Some(next) = &self.next {
            write!(formatter, "\n  next: {next}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}

/// Says what was attempted when something failed.
pub(crate) trait Explain<T> {
    /// Turns an error into a [`Failure`] that names `what`.
    fn explain(self, what: impl FnOnce() -> String) -> Result<T>;
}

impl<T> Explain<T> for std::result::Result<T, client::Error> {
    fn explain(self, what: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|error| of_client(&error, what()))
    }
}

impl<T> Explain<T> for std::io::Result<T> {
    fn explain(self, what: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|error| Failure::new(Exit::Failed, what()).because(error))
    }
}

impl<T> Explain<T> for anyhow::Result<T> {
    fn explain(self, what: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|error| Failure::new(Exit::Failed, what()).because(format!("{error:#}")))
    }
}

fn of_client(error: &client::Error, what: String) -> Failure {
    let (exit, next) = match error.class() {
        Class::NotFound => (Exit::NotFound, None),
        Class::Denied => (Exit::Denied, None),
        Class::Conflict => (Exit::Conflict, None),
        Class::Unavailable => (Exit::Unavailable, Some("gauze network ps")),
        Class::Timeout => (Exit::Timeout, Some("gauze network ps")),
        Class::Failed => (Exit::Failed, None),
    };
    let mut why = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        why = format!("{why}: {cause}");
        source = cause.source();
    }
    Failure { exit, what, why: Some(why), next: next.map(str::to_owned) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_why_and_next() {
        let failure = Failure::not_found("there is no gauze.toml in /tmp")
            .because("no such file")
            .next("gauze network init");
        assert_eq!(
            failure.to_string(),
            "there is no gauze.toml in /tmp\n  why:  no such file\n  next: gauze network init"
        );
        assert_eq!(failure.to_json()["error"]["code"], 3);
    }

    #[test]
    fn classes_become_exit_codes() {
        let denied = client::Error::Refused {
            peer: "p:1".into(),
            what: "w".into(),
            status: 500,
            message: "access denied: channel [c]".into(),
        };
        let failure = Err::<(), _>(denied).explain(|| "query".into()).unwrap_err();
        assert_eq!(failure.exit, Exit::Denied);
    }
}
