//! The peers this peer knows to be alive; gossip is who knows.

use std::collections::BTreeMap;

use bytes::Bytes;
use proto::gossip;

/// One peer, as others may be told about it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PeerInfo {
    /// MSP id of its organization.
    pub msp_id: String,
    /// Its `host:port`.
    pub endpoint: String,
    /// Its `SerializedIdentity`.
    pub identity: Bytes,
    /// How many blocks of the channel it has.
    pub height: u64,
    /// The chaincodes of the channel it can run, with the sequences of their definitions.
    pub chaincodes: BTreeMap<String, String>,
    /// Whether it is this peer.
    pub is_local: bool,
    /// Its signed alive message.
    pub alive: gossip::Envelope,
    /// Its signed state info of the channel; absent when asked without a channel.
    pub state_info: Option<gossip::Envelope>,
}

/// Who is alive, this peer included.
pub trait Membership: Send + Sync {
    /// The live peers that have joined `channel`; all live peers, with neither height nor
    /// chaincodes, if `channel` is empty.
    fn peers(&self, channel: &str) -> Vec<PeerInfo>;
}
