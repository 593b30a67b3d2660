//! What the operator decides about gossip.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Periods and bounds of gossip.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Endpoints of peers of the own organization to start from; those of other organizations come
    /// from the anchor peers of the channels.
    pub bootstrap: Vec<String>,
    /// How often this peer says that it is alive.
    #[serde(with = "node::config::duration")]
    pub alive_interval: Duration,
    /// How often this peer looks whether it has news about its channels, which it tells at once.
    #[serde(with = "node::config::duration")]
    pub news_interval: Duration,
    /// A peer not heard of for so long counts as dead.
    #[serde(with = "node::config::duration")]
    pub alive_expiration: Duration,
    /// How often peers that are not connected are dialled.
    #[serde(with = "node::config::duration")]
    pub reconnect_interval: Duration,
    /// How long dialling and the handshake may take.
    #[serde(with = "node::config::duration")]
    pub handshake_timeout: Duration,
    /// Peers remembered, over all channels.
    pub peers_max: usize,
    /// Connections accepted from other peers.
    pub connections_max: usize,
    /// Bytes of one gossip message; longer ones are dropped.
    pub message_bytes_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            bootstrap: Vec::new(),
            alive_interval: Duration::from_secs(5),
            news_interval: Duration::from_millis(500),
            alive_expiration: Duration::from_secs(25),
            reconnect_interval: Duration::from_secs(5),
            handshake_timeout: Duration::from_secs(3),
            peers_max: 4096,
            connections_max: 1024,
            message_bytes_max: 1 << 20,
        }
    }
}
