//! The configuration of an authority. `sample.yaml` holds the same, explained.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Secret;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Everything the operator of an authority decides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Name of the authority; the common names of its roots are derived from it.
    pub name: String,
    /// Organization written into certificates; left out if empty.
    pub organization: String,
    /// Address on which gRPC is served, always over TLS.
    pub listen_address: String,
    /// Host names and addresses under which clients reach the service.
    pub hosts: Vec<String>,
    /// Folder of the roots, their keys and the registry.
    pub data_directory: PathBuf,
    /// The first registrar.
    pub bootstrap: Bootstrap,
    /// Affiliations that are there from the first start.
    pub affiliations: Vec<String>,
    /// Registering and enrolling.
    pub registry: Registry,
    /// How long certificates hold.
    pub validity: Validity,
    /// How long a revocation list holds.
    #[serde(with = "node::config::duration")]
    pub revocation_list_validity: Duration,
    /// How far the time in a token may be from ours.
    #[serde(with = "node::config::duration")]
    pub token_window: Duration,
    /// Larger requests are refused.
    pub request_bytes_max: usize,
    /// Requests worked on at a time.
    pub requests_max: usize,
    /// Entries in one answer.
    pub list_max: usize,
    /// Metrics, health and version over HTTP.
    pub operations: node::operations::Config,
    /// Logs.
    pub telemetry: node::telemetry::Config,
}

/// The first registrar, created when the registry is empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Bootstrap {
    /// Its id.
    pub id: String,
    /// Its secret, needed at the first start only.
    pub secret: Secret,
}

/// Registering and enrolling.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Registry {
    /// How often a secret may be used; -1 is without limit.
    pub max_enrollments: i32,
    /// Wrong secrets after which an identity is locked; 0 never locks.
    pub wrong_secrets_max: u32,
    /// Whether identities can be removed.
    pub allow_removal: bool,
    /// Whether an expired certificate may still ask for its successor.
    pub reenroll_expired: bool,
    /// Rounds of PBKDF2 over secrets.
    pub secret_rounds: NonZeroU32,
}

/// How long certificates hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Validity {
    /// Roots.
    #[serde(with = "node::config::duration")]
    pub root: Duration,
    /// Identities.
    #[serde(with = "node::config::duration")]
    pub identity: Duration,
    /// TLS.
    #[serde(with = "node::config::duration")]
    pub tls: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            name: "ca".to_owned(),
            organization: String::new(),
            listen_address: "0.0.0.0:7054".to_owned(),
            hosts: vec!["localhost".to_owned(), "127.0.0.1".to_owned()],
            data_directory: PathBuf::from("data"),
            bootstrap: Bootstrap::default(),
            affiliations: Vec::new(),
            registry: Registry::default(),
            validity: Validity::default(),
            revocation_list_validity: DAY,
            token_window: Duration::from_secs(5 * 60),
            request_bytes_max: 256 * 1024,
            requests_max: 8,
            list_max: 1000,
            operations: node::operations::Config::default(),
            telemetry: node::telemetry::Config::default(),
        }
    }
}

impl Default for Bootstrap {
    fn default() -> Self {
        Self { id: "admin".to_owned(), secret: Secret::default() }
    }
}

impl Default for Registry {
    fn default() -> Self {
        Self {
            max_enrollments: -1,
            wrong_secrets_max: 10,
            allow_removal: false,
            reenroll_expired: false,
            secret_rounds: NonZeroU32::MIN.saturating_add(99_999),
        }
    }
}

impl Default for Validity {
    fn default() -> Self {
        Self { root: 15 * 365 * DAY, identity: 365 * DAY, tls: 365 * DAY }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_equals_the_defaults() {
        let sample = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/sample.yaml"));
        let loaded: Config = node::config::load_from(Some(sample), "", [], &[]).unwrap();
        assert_eq!(loaded, Config::default());
        let text = std::fs::read_to_string(sample).unwrap();
        let all = serde_json::to_value(Config::default()).unwrap();
        for key in all.as_object().unwrap().keys() {
            assert!(text.contains(&format!("\n{key}:")), "{key} is not in the sample");
        }
    }

    #[test]
    fn the_bootstrap_secret_comes_from_the_environment_and_is_never_shown() {
        let environment = [("CA_BOOTSTRAP__SECRET".to_owned(), "s3cret".to_owned())];
        let loaded: Config = node::config::load_from(None, "CA", environment, &[]).unwrap();
        assert_eq!(loaded.bootstrap.secret.expose(), "s3cret");
        assert!(!format!("{loaded:?}").contains("s3cret"));
        assert!(!serde_json::to_string(&loaded).unwrap().contains("s3cret"));
    }
}
