//! The connection to a peer's gateway.

use std::sync::Arc;
use std::time::Duration;

use node::grpc::{Dial, MAX_MESSAGE_BYTES};
use node::tls::{CertificateDer, ClientTls};
use proto::gateway::gateway_client::GatewayClient;
use tonic::transport::Channel;

use crate::{Commit, Error, Network, Proposal, Signer, Transaction};

/// How long each step may take.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// For connecting.
    pub connect: Duration,
    /// For a query.
    pub evaluate: Duration,
    /// For collecting endorsements.
    pub endorse: Duration,
    /// For handing over to an orderer.
    pub submit: Duration,
    /// For the block to arrive.
    pub commit_status: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            evaluate: Duration::from_secs(30),
            endorse: Duration::from_secs(30),
            submit: Duration::from_secs(30),
            commit_status: Duration::from_secs(60),
        }
    }
}

/// A connection to a gateway, acting as one identity; clones share the connection.
#[derive(Clone, Debug)]
pub struct Gateway {
    session: Session,
}

/// What every call needs.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) address: Arc<str>,
    pub(crate) channel: Channel,
    pub(crate) signer: Signer,
    pub(crate) timeouts: Timeouts,
    /// Hash of the TLS certificate presented, for block events.
    pub(crate) tls_hash: Option<[u8; 32]>,
}

impl Gateway {
    /// Connects to the peer at `endpoint` (`host:port`), which must prove itself to `roots`;
    /// presents `tls` if given and acts as `signer`.
    ///
    /// # Errors
    /// When the peer cannot be reached or is not who it should be.
    pub async fn connect(
        endpoint: &str,
        roots: &[CertificateDer<'static>],
        tls: Option<&ClientTls>,
        signer: impl Into<Signer>,
    ) -> Result<Self, Error> {
        let timeout = Timeouts::default().connect;
        let dial = Dial {
            address: endpoint,
            roots: Some(roots),
            identity: tls,
            server_name: None,
            timeout,
        };
        Self::dial(&dial, signer).await
    }

    /// As [`Gateway::connect`], with every way of dialing (other server name, plain text).
    ///
    /// # Errors
    /// As [`Gateway::connect`].
    pub async fn dial(dial: &Dial<'_>, signer: impl Into<Signer>) -> Result<Self, Error> {
        let channel = dial.connect().await?;
        let session = Session {
            address: Arc::from(dial.address),
            channel,
            signer: signer.into(),
            timeouts: Timeouts::default(),
            tls_hash: dial.identity.map(ClientTls::certificate_hash),
        };
        Ok(Self { session })
    }

    /// The same connection with other time limits.
    #[must_use]
    pub fn with_timeouts(mut self, timeouts: Timeouts) -> Self {
        self.session.timeouts = timeouts;
        self
    }

    /// The same connection acting as somebody else.
    #[must_use]
    pub fn as_identity(&self, signer: impl Into<Signer>) -> Self {
        let mut session = self.session.clone();
        session.signer = signer.into();
        Self { session }
    }

    /// A channel.
    #[must_use]
    pub fn network(&self, channel: &str) -> Network {
        Network::new(self.session.clone(), channel)
    }

    /// Restores a proposal made by [`Proposal::to_bytes`].
    ///
    /// # Errors
    /// When the bytes are not such a proposal.
    pub fn proposal(&self, bytes: &[u8]) -> Result<Proposal, Error> {
        Proposal::restore(self.session.clone(), bytes)
    }

    /// Restores a transaction made by [`Transaction::to_bytes`].
    ///
    /// # Errors
    /// When the bytes are not such a transaction.
    pub fn transaction(&self, bytes: &[u8]) -> Result<Transaction, Error> {
        Transaction::restore(self.session.clone(), bytes)
    }

    /// Restores a commit handle made by [`Commit::to_bytes`].
    ///
    /// # Errors
    /// When the bytes are not such a handle.
    pub fn commit(&self, bytes: &[u8]) -> Result<Commit, Error> {
        Commit::restore(self.session.clone(), bytes)
    }
}

impl Session {
    pub(crate) fn client(&self) -> GatewayClient<Channel> {
        GatewayClient::new(self.channel.clone())
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES)
    }

    #[expect(clippy::unused_self, reason = "reads as a call of the session")]
    pub(crate) fn request<T>(&self, message: T, timeout: Duration) -> tonic::Request<T> {
        let mut request = tonic::Request::new(message);
        request.set_timeout(timeout);
        request
    }
}
