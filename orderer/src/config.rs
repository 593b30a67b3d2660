//! The orderer's configuration: one section per component. `sample.yaml` holds the same, explained.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Everything the operator of an orderer decides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Address on which gRPC is served, to clients, peers and other orderers.
    pub listen_address: String,
    /// `host:port` under which other nodes reach this orderer, as the channels' configurations
    /// list it. Empty: the listen address, which only works on one machine.
    pub endpoint: String,
    /// Folder of chains and write-ahead logs.
    pub data_directory: PathBuf,
    /// Who the orderer is.
    pub msp: Msp,
    /// TLS of the gRPC listener.
    pub tls: node::tls::Config,
    /// Talking to other orderers.
    pub cluster: Cluster,
    /// Channel participation over HTTP.
    pub admin: Admin,
    /// Taking in envelopes.
    pub broadcast: Broadcast,
    /// Giving out blocks.
    pub deliver: deliver::server::Config,
    /// Fetching blocks from other orderers.
    pub replication: deliver::client::Config,
    /// Agreeing on an order.
    pub consensus: Consensus,
    /// Metrics, health and version over HTTP.
    pub operations: node::operations::Config,
    /// Logs.
    pub telemetry: node::telemetry::Config,
    /// How long a shutdown waits for running work.
    #[serde(with = "node::config::duration")]
    pub shutdown_grace: Duration,
}

/// The orderer's own identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Msp {
    /// MSP id of the orderer's organization.
    pub id: String,
    /// MSP folder with certificates and the signing key.
    pub directory: PathBuf,
}

/// Talking to other orderers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Cluster {
    /// Client certificate presented to other orderers, as listed in the channels' consenter sets.
    /// Empty: that of the gRPC listener.
    pub certificate: PathBuf,
    /// Its private key.
    pub private_key: PathBuf,
    /// Time allowed to connect.
    #[serde(with = "node::config::duration")]
    pub connect_timeout: Duration,
    /// Shortest pause before connecting again; doubles up to `backoff_max`.
    #[serde(with = "node::config::duration")]
    pub backoff_min: Duration,
    /// Longest pause before connecting again.
    #[serde(with = "node::config::duration")]
    pub backoff_max: Duration,
    /// Consensus messages waiting for one other orderer; beyond, new ones are dropped.
    pub queue_messages_max: usize,
    /// Bytes of consensus messages waiting for one other orderer; beyond, new ones are dropped.
    pub queue_bytes_max: usize,
    /// Envelopes forwarded to a leader and not answered yet, per channel.
    pub forwards_max: usize,
    /// Time a forwarded envelope may take.
    #[serde(with = "node::config::duration")]
    pub forward_timeout: Duration,
}

/// Channel participation over HTTP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Admin {
    /// `host:port`; empty serves nothing.
    pub listen_address: String,
    /// TLS of this listener; client certificates must be required.
    pub tls: node::tls::Config,
    /// Largest body of a join.
    pub body_bytes_max: usize,
    /// Channels this orderer may serve.
    pub channels_max: usize,
}

/// Taking in envelopes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Broadcast {
    /// Broadcast streams served at a time.
    pub streams_max: usize,
    /// Envelopes of one stream that are on their way to being final.
    pub pipeline_max: usize,
    /// Refuse envelopes of creators whose certificate has expired.
    pub check_expiry: bool,
}

/// Agreeing on an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Consensus {
    /// Cut a batch at once when nothing is in flight, instead of waiting for the batch timeout.
    pub early_cut: bool,
    /// Overrides the channels' tick interval; 0 keeps theirs.
    #[serde(with = "node::config::duration")]
    pub tick_interval: Duration,
    /// Envelopes of one channel waiting to be cut; beyond, senders wait.
    pub submissions_max: usize,
    /// Consensus messages of one channel waiting to be processed; beyond, new ones are dropped.
    pub messages_max: usize,
    /// Applied entries kept when the log is compacted, for followers a little behind.
    pub compact_keep: u64,
    /// Committed batches held back while missing blocks are fetched.
    pub held_bytes_max: u64,
    /// A consenter without a leader for so many election timeouts looks at other orderers' chains
    /// for blocks it missed, such as the one that removed it.
    pub suspicion_elections: u32,
    /// How often a panicked consensus core is rebuilt from its log before the channel stops.
    pub restarts_max: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen_address: "0.0.0.0:7050".into(),
            endpoint: String::new(),
            data_directory: "data".into(),
            msp: Msp::default(),
            tls: node::tls::Config::default(),
            cluster: Cluster::default(),
            admin: Admin::default(),
            broadcast: Broadcast::default(),
            deliver: deliver::server::Config::default(),
            replication: deliver::client::Config::default(),
            consensus: Consensus::default(),
            operations: node::operations::Config::default(),
            telemetry: node::telemetry::Config::default(),
            shutdown_grace: Duration::from_secs(10),
        }
    }
}

impl Default for Msp {
    fn default() -> Self {
        Self { id: String::new(), directory: "msp".into() }
    }
}

impl Default for Cluster {
    fn default() -> Self {
        Self {
            certificate: PathBuf::new(),
            private_key: PathBuf::new(),
            connect_timeout: Duration::from_secs(5),
            backoff_min: Duration::from_millis(100),
            backoff_max: Duration::from_secs(5),
            queue_messages_max: 4096,
            queue_bytes_max: 256 << 20,
            forwards_max: 4096,
            forward_timeout: Duration::from_secs(20),
        }
    }
}

impl Default for Admin {
    fn default() -> Self {
        Self {
            listen_address: String::new(),
            tls: node::tls::Config::default(),
            body_bytes_max: 1 << 20,
            channels_max: 1024,
        }
    }
}

impl Default for Broadcast {
    fn default() -> Self {
        Self { streams_max: 2500, pipeline_max: 1024, check_expiry: true }
    }
}

impl Default for Consensus {
    fn default() -> Self {
        Self {
            early_cut: true,
            tick_interval: Duration::ZERO,
            submissions_max: 4096,
            messages_max: 4096,
            compact_keep: 16,
            held_bytes_max: 64 << 20,
            suspicion_elections: 4,
            restarts_max: 3,
        }
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
        for key in ["restarts_max", "forward_timeout", "time_window", "client_root_cas"] {
            assert!(text.contains(key), "{key} is not in the sample");
        }
    }
}
