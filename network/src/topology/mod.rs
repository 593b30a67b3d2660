//! `gauze.toml`: organizations, nodes, channels, policies and chaincode of a network.

mod check;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::failure::{Exit, Failure, Result};

/// The file `network init` writes.
pub(crate) const SAMPLE: &str = include_str!("sample.toml");

/// The name of the file.
pub(crate) const FILE_NAME: &str = "gauze.toml";

/// A network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Topology {
    /// Its name, for people.
    pub(crate) name: String,
    /// The host nodes listen on and are known under.
    #[serde(default = "localhost")]
    pub(crate) host: String,
    /// Ports are taken from here on.
    #[serde(default = "first_port")]
    pub(crate) first_port: u16,
    /// The folder for keys, ledgers and logs, relative to the file.
    #[serde(default = "state")]
    pub(crate) state: PathBuf,
    /// Who takes part.
    pub(crate) organizations: BTreeMap<String, Organization>,
    /// What they share.
    #[serde(default)]
    pub(crate) channels: BTreeMap<String, Channel>,
    /// What nodes log.
    #[serde(default = "log_filter")]
    pub(crate) log: String,
}

/// An organization and its nodes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Organization {
    /// Its name, for people.
    #[serde(default)]
    pub(crate) title: String,
    /// Its id in identities and policies.
    pub(crate) msp_id: String,
    /// Its domain, in names of nodes and certificates.
    pub(crate) domain: String,
    /// How many peers it runs.
    #[serde(default)]
    pub(crate) peers: u16,
    /// How many orderers it runs.
    #[serde(default)]
    pub(crate) orderers: u16,
    /// Its users besides `admin`.
    #[serde(default)]
    pub(crate) users: BTreeMap<String, User>,
}

/// A user of an organization.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct User {
    /// Attributes in the user's certificate.
    #[serde(default)]
    pub(crate) attributes: BTreeMap<String, String>,
}

/// A channel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Channel {
    /// Organizations that use it.
    pub(crate) organizations: Vec<String>,
    /// Organizations that order it.
    pub(crate) ordered_by: Vec<String>,
    /// Policies of the application that differ from the usual ones.
    #[serde(default)]
    pub(crate) policies: BTreeMap<String, String>,
    /// Limits of a block.
    #[serde(default)]
    pub(crate) batch: Batch,
    /// Orderers hear from their leader this often; ten silent ticks, and they elect another.
    #[serde(default = "raft_tick")]
    pub(crate) raft_tick: String,
    /// Chaincode, by the name under which it is called.
    #[serde(default)]
    pub(crate) chaincode: BTreeMap<String, Chaincode>,
}

/// When orderers cut a block.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Batch {
    /// The longest a transaction waits for others.
    pub(crate) timeout: String,
    /// Most transactions in a block.
    pub(crate) max_messages: u32,
    /// Block size that is not exceeded by several transactions together.
    pub(crate) preferred_bytes: u32,
    /// Largest transaction.
    pub(crate) absolute_bytes: u32,
}

impl Default for Batch {
    fn default() -> Self {
        Self {
            timeout: "2s".to_owned(),
            max_messages: 500,
            preferred_bytes: 2 << 20,
            absolute_bytes: 10 << 20,
        }
    }
}

/// Chaincode to be deployed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Chaincode {
    /// A folder with a Cargo package, a `.wasm` module, or a package (`.tar.gz`).
    pub(crate) source: PathBuf,
    /// Its version, free text.
    #[serde(default = "first_version")]
    pub(crate) version: String,
    /// Who must endorse, as a signature policy or the path of a policy of the channel; the
    /// channel's `Endorsement` policy when left out.
    #[serde(default)]
    pub(crate) endorsement: Option<String>,
    /// Whether it must be initialized before other calls.
    #[serde(default)]
    pub(crate) init_required: bool,
}

fn raft_tick() -> String {
    "200ms".to_owned()
}

fn localhost() -> String {
    "localhost".to_owned()
}

fn first_port() -> u16 {
    17_050
}

fn state() -> PathBuf {
    ".gauze".into()
}

fn log_filter() -> String {
    "info".to_owned()
}

fn first_version() -> String {
    "1.0".to_owned()
}

impl Topology {
    /// Reads and checks a file.
    pub(crate) fn load(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            let exit = match error.kind() {
                std::io::ErrorKind::NotFound => Exit::NotFound,
                _ => Exit::Failed,
            };
            Failure::new(exit, format!("no network description at {}", path.display()))
                .because(error)
                .next("gauze network init")
        })?;
        Self::parse(&text)
            .map_err(|why| Failure::usage(format!("{} is not usable", path.display())).because(why))
    }

    /// Parses and checks a text.
    pub(crate) fn parse(text: &str) -> std::result::Result<Self, String> {
        let topology: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        check::check(&topology)?;
        Ok(topology)
    }

    /// An organization by name.
    pub(crate) fn organization(&self, name: &str) -> Result<&Organization> {
        self.organizations.get(name).ok_or_else(|| {
            let known: Vec<_> = self.organizations.keys().map(String::as_str).collect();
            Failure::not_found(format!("there is no organization `{name}`"))
                .because(format!("gauze.toml has {}", known.join(", ")))
        })
    }

    /// A channel by name.
    pub(crate) fn channel(&self, name: &str) -> Result<&Channel> {
        self.channels.get(name).ok_or_else(|| {
            let known: Vec<_> = self.channels.keys().map(String::as_str).collect();
            Failure::not_found(format!("there is no channel `{name}`"))
                .because(format!("gauze.toml has {}", known.join(", ")))
                .next("gauze channel list")
        })
    }

    /// The channel and description of a chaincode; `channel` is needed when several have it.
    pub(crate) fn chaincode(
        &self,
        name: &str,
        channel: Option<&str>,
    ) -> Result<(&str, &Chaincode)> {
        let mut found = self.channels.iter().filter_map(|(id, described)| {
            let wanted = channel.is_none_or(|wanted| wanted == id);
            Some((id.as_str(), described.chaincode.get(name)?)).filter(|_| wanted)
        });
        let first = found.next().ok_or_else(|| {
            Failure::not_found(format!("gauze.toml has no chaincode `{name}`"))
                .next("gauze chaincode list")
        })?;
        match found.next() {
            None => Ok(first),
            Some(_) => Err(Failure::usage(format!("several channels have chaincode `{name}`"))
                .next(format!("add --channel, such as --channel {}", first.0))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_is_a_network() {
        let topology = Topology::parse(SAMPLE).unwrap();
        assert_eq!(topology.organizations["orderer"].orderers, 3);
        assert_eq!(topology.channels["care"].organizations, ["hospital", "pharmacy"]);
        assert_eq!(topology.chaincode("rx", None).unwrap().0, "pharma");
        assert!(topology.chaincode("nothing", None).is_err());
    }

    #[track_caller]
    fn refused(from: &str, to: &str, expected: &str) {
        let text = SAMPLE.replace(from, to);
        assert_ne!(text, SAMPLE, "nothing replaced");
        let error = Topology::parse(&text).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn mistakes_are_named() {
        refused("first_port", "first_prot", "unknown field `first_prot`");
        refused(
            r#"organizations = ["hospital", "pharmacy"]"#,
            r#"organizations = ["clinic"]"#,
            "clinic",
        );
        refused("PharmacyMSP", "HospitalMSP", "HospitalMSP");
        refused("orderers = 3", "orderers = 2", "odd");
        refused(r#"ordered_by = ["orderer"]"#, r#"ordered_by = ["hospital"]"#, "has no orderers");
        refused("channels.care", "channels.Care", "Care");
        refused("MAJORITY Endorsement", "SOME Endorsement", "SOME");
        refused("timeout = \"2s\"", "timeout = \"soon\"", "soon");
        refused("raft_tick = \"200ms\"", "raft_tick = \"often\"", "often");
    }
}
