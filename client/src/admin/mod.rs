//! What operators do besides running transactions: install and agree on chaincode, join
//! channels, look into ledgers, manage orderers' channels.
//!
//! [`Peer`] and [`Orderer`] are connections under one identity. Lifecycle and other system
//! chaincodes are called through the peer's `Endorser`; what changes a channel is endorsed by
//! several peers, sent to an orderer and awaited on the peers ([`transact()`]).

mod channels;
mod lifecycle;
mod orderer;
mod participation;
mod past;
mod peer;
mod queries;
mod snapshots;
mod transact;

use std::time::Duration;

use node::tls::{CertificateDer, ClientTls};

pub use channels::{ChannelState, ChannelStatus, Operation, Work};
pub use lifecycle::{Approval, Definition, Installed};
pub use orderer::Orderer;
pub use participation::{ChannelInfo, Participation};
pub use past::{
    Change, Changes, DiffRequest, Entries, Entry, HistoryRequest, KeyName, KeyState, Modification,
    Modifications, Place, RangeRequest, StateRequest,
};
pub use peer::Peer;
pub use queries::{ChainInfo, Position};
pub use transact::{Parties, transact};

use crate::Signer;

/// How to reach a node and as whom.
#[derive(Clone, Debug)]
pub struct Target {
    /// `host:port`.
    pub address: String,
    /// Authorities that vouch for the node's TLS certificate.
    pub roots: Vec<CertificateDer<'static>>,
    /// The TLS certificate to present.
    pub tls: Option<ClientTls>,
    /// Who signs.
    pub signer: Signer,
    /// The time allowed to connect and for each answer.
    pub timeout: Duration,
}

impl Target {
    async fn connect(&self) -> Result<tonic::transport::Channel, crate::Error> {
        let identity = self.tls.as_ref();
        Ok(node::grpc::connect(&self.address, &self.roots, identity, self.timeout).await?)
    }

    fn tls_hash(&self) -> Option<[u8; 32]> {
        self.tls.as_ref().map(ClientTls::certificate_hash)
    }
}
