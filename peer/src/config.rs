//! The peer's configuration: one section per component. `sample.yaml` holds the same, explained.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Everything the operator of a peer decides.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Address on which gRPC is served.
    pub listen_address: String,
    /// `host:port` under which other nodes and clients reach this peer; it enters gossip and
    /// discovery. Empty: the listen address, which only works on one machine.
    pub endpoint: String,
    /// Folder of ledgers, chaincode and everything else the peer keeps.
    pub data_directory: PathBuf,
    /// Who the peer is.
    pub msp: Msp,
    /// TLS of the gRPC listener and of the connections to other nodes.
    pub tls: node::tls::Config,
    /// Bounds of the joined channels.
    pub channels: Channels,
    /// How ledgers are held.
    pub ledger: ledger::Config,
    /// Committing blocks.
    pub committer: crate::committer::Config,
    /// Fetching blocks from orderers.
    pub orderers: deliver::client::Config,
    /// Endorsing proposals.
    pub endorser: crate::endorser::Config,
    /// Installed chaincode.
    pub lifecycle: crate::lifecycle::Config,
    /// Executing chaincode. Keep these equal on all peers of a channel.
    pub runtime: runtime::wasm::Config,
    /// Working for clients.
    pub gateway: crate::gateway::Config,
    /// Finding other peers.
    pub gossip: crate::gossip::Config,
    /// Making snapshots of ledgers.
    pub snapshots: crate::snapshots::Config,
    /// Serving blocks and events.
    pub deliver: deliver::server::Config,
    /// Administration of channels, and questions about the past of keys.
    pub admin: crate::admin::Config,
    /// Metrics, health and version over HTTP.
    pub operations: node::operations::Config,
    /// Logs.
    pub telemetry: node::telemetry::Config,
}

/// The peer's own identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Msp {
    /// MSP id of the peer's organization.
    pub id: String,
    /// MSP folder with certificates and the signing key.
    pub directory: PathBuf,
}

/// Bounds of the joined channels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Channels {
    /// Channels this peer may join.
    pub joined_max: usize,
    /// Transactions of one channel whose commit may be awaited at the same time.
    pub waiters_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen_address: "0.0.0.0:7051".into(),
            endpoint: String::new(),
            data_directory: "data".into(),
            msp: Msp::default(),
            tls: node::tls::Config::default(),
            channels: Channels::default(),
            ledger: ledger::Config::default(),
            committer: crate::committer::Config::default(),
            orderers: deliver::client::Config::default(),
            endorser: crate::endorser::Config::default(),
            lifecycle: crate::lifecycle::Config::default(),
            runtime: runtime::wasm::Config::default(),
            gateway: crate::gateway::Config::default(),
            gossip: crate::gossip::Config::default(),
            snapshots: crate::snapshots::Config::default(),
            deliver: deliver::server::Config::default(),
            admin: crate::admin::Config::default(),
            operations: node::operations::Config::default(),
            telemetry: node::telemetry::Config::default(),
        }
    }
}

impl Default for Msp {
    fn default() -> Self {
        Self { id: String::new(), directory: "msp".into() }
    }
}

impl Default for Channels {
    fn default() -> Self {
        Self { joined_max: 256, waiters_max: 100_000 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_holds_every_key_with_its_default() {
        let sample: serde_json::Value =
            serde_yaml_ng::from_str(include_str!("../sample.yaml")).unwrap();
        let defaults = serde_json::to_value(Config::default()).unwrap();
        for (section, values) in defaults.as_object().unwrap() {
            assert_eq!(&sample[section], values, "section {section}");
        }
        assert_eq!(sample, defaults);
    }
}
