//! What gossip counts.

use node::metrics::encoding::{EncodeLabelSet, EncodeLabelValue};
use node::metrics::{Counter, Family, Gauge, Registry};

/// Why a message or a connection was dropped.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, EncodeLabelValue, thiserror::Error,
)]
pub enum DropReason {
    /// It does not decode, lacks a part, or has the wrong tag.
    #[error("malformed message")]
    Malformed,
    /// A kind of message this peer does not speak.
    #[error("unsupported kind of message")]
    Unsupported,
    /// The identity is not one of a peer of an organization this peer shares a channel with.
    #[error("untrusted identity")]
    Untrusted,
    /// The signature is not that of the peer the message is about.
    #[error("wrong signature")]
    Signature,
    /// The handshake names another TLS session.
    #[error("handshake is for another TLS session")]
    Binding,
    /// The message is not newer than what is known.
    #[error("stale message")]
    Stale,
    /// The sender's organization is not in the channel.
    #[error("sender is not in the channel")]
    NotInChannel,
    /// The ledger cannot be read or written.
    #[error("ledger not accessible")]
    Ledger,
    /// The bound on peers or connections is reached.
    #[error("bound reached")]
    Full,
    /// Longer than allowed, or the stream broke.
    #[error("message too long or stream broken")]
    Transport,
    /// The other side ended the stream.
    #[error("stream closed")]
    Closed,
    /// The other side did not finish the handshake in time.
    #[error("handshake timed out")]
    Timeout,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    reason: DropReason,
}

/// The metrics of gossip.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    dropped: Family<Labels, Counter>,
    pub(super) peers: Gauge,
    pub(super) connections: Gauge,
}

impl Metrics {
    /// Registers the metrics.
    pub fn new(registry: &Registry) -> Self {
        Self {
            dropped: registry
                .add("gauze_peer_gossip_dropped", "Messages and connections dropped, by reason"),
            peers: registry.add("gauze_peer_gossip_peers", "Other peers known to be alive"),
            connections: registry.add("gauze_peer_gossip_connections", "Streams to other peers"),
        }
    }

    pub(super) fn drop(&self, reason: DropReason) {
        self.dropped.get_or_create(&Labels { reason }).inc();
    }

    /// How much was dropped for `reason`.
    pub fn dropped(&self, reason: DropReason) -> u64 {
        self.dropped.get_or_create(&Labels { reason }).get()
    }
}
