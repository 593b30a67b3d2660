//! What the operator decides about the gateway.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Bounds of the gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Requests worked on at the same time; more are refused at once.
    pub concurrency_max: usize,
    /// Streams of chaincode events served at the same time; more are refused at once.
    pub event_streams_max: usize,
    /// How long one endorser may take.
    #[serde(with = "node::config::duration")]
    pub endorsement_timeout: Duration,
    /// How long one orderer may take.
    #[serde(with = "node::config::duration")]
    pub broadcast_timeout: Duration,
    /// How long connecting to a peer or an orderer may take.
    #[serde(with = "node::config::duration")]
    pub dial_timeout: Duration,
    /// Connections to other nodes that are kept open.
    pub connections_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            concurrency_max: 500,
            event_streams_max: 2500,
            endorsement_timeout: Duration::from_secs(30),
            broadcast_timeout: Duration::from_secs(30),
            dial_timeout: Duration::from_secs(10),
            connections_max: 256,
        }
    }
}
