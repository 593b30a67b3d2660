//! Logs on standard error, as text for people or JSON for machines, with a filter that can be
//! changed while the process runs.

use std::io::IsTerminal;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, reload};

/// How a process logs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// What is logged: a level, or directives such as `info,orderer::consensus=debug`.
    pub filter: String,
    /// `text` or `json`.
    pub format: Format,
}

impl Default for Config {
    fn default() -> Self {
        Self { filter: "info".to_owned(), format: Format::Text }
    }
}

/// The form of a log line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// Why telemetry could not be set up or changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The directives cannot be parsed.
    #[error("log filter `{filter}`: {reason}")]
    Filter {
        /// The directives given.
        filter: String,
        /// What is wrong with them.
        reason: String,
    },
    /// The process has a subscriber that is not ours.
    #[error("another log subscriber is installed in this process")]
    Installed,
}

/// Changes the filter of the running process.
#[derive(Clone, Debug)]
pub struct Handle {
    reload: reload::Handle<EnvFilter, Registry>,
}

static INSTALLED: OnceLock<Handle> = OnceLock::new();

/// Installs the process's log output; later calls return the first handle and change its
/// filter (several nodes in one test process share one output).
///
/// # Errors
/// When the filter cannot be parsed or a foreign subscriber is installed.
pub fn init(config: &Config) -> Result<Handle, Error> {
    if let Some(handle) = INSTALLED.get() {
        handle.set_filter(&config.filter)?;
        return Ok(handle.clone());
    }
    let (filter, reload) = reload::Layer::new(parse(&config.filter)?);
    let ansi = std::io::stderr().is_terminal() && crate::config::environment("NO_COLOR").is_none();
    let output = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(ansi);
    let output = match config.format {
        Format::Text => output.boxed(),
        Format::Json => output.json().flatten_event(true).boxed(),
    };
    let handle = Handle { reload };
    tracing_subscriber::registry()
        .with(filter)
        .with(output)
        .try_init()
        .map_err(|_| Error::Installed)?;
    Ok(INSTALLED.get_or_init(|| handle).clone())
}

impl Handle {
    /// The directives in force.
    #[must_use]
    pub fn filter(&self) -> String {
        self.reload.with_current(ToString::to_string).unwrap_or_default()
    }

    /// Replaces the directives.
    ///
    /// # Errors
    /// When they cannot be parsed; the old ones stay in force.
    pub fn set_filter(&self, filter: &str) -> Result<(), Error> {
        let parsed = parse(filter)?;
        self.reload.reload(parsed).map_err(|_| Error::Installed)
    }
}

/// Parses directives; Fabric's form `module=level:level` reads as well, since `:` between
/// directives is taken for `,`.
fn parse(filter: &str) -> Result<EnvFilter, Error> {
    let normal = filter.replace("::", "\u{0}").replace(':', ",").replace('\u{0}', "::");
    EnvFilter::builder()
        .parse(&normal)
        .map_err(|error| Error::Filter { filter: filter.to_owned(), reason: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_parse_in_both_forms() {
        for good in ["info", "warn,node::tls=debug", "orderer::consensus=debug:info"] {
            assert!(parse(good).is_ok(), "{good}");
        }
        assert!(parse("a=b=c").is_err());
    }
}
