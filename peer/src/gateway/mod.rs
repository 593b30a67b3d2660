//! The gateway: does for a client what it takes to have a transaction endorsed, ordered and
//! committed, and tells it what became of it.
//!
//! It has no rights of its own: it passes on what the client signed, to this peer's endorser in
//! process and to other nodes over connections it keeps (`connections`). Whom to ask comes from
//! [`discovery`](crate::discovery); in which order and for how long from a `plan`.

mod config;
mod connections;
mod endorse;
mod endorsers;
mod error;
mod evaluate;
mod events;
mod plan;
mod prepare;
mod service;
mod status;
mod submit;

use std::sync::Arc;

use channel::SignedData;
use futures::{Stream, StreamExt};
use node::tls::ClientTls;
use proto::peer::SignedProposal;
use proto::transaction::PeeledProposal;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};
use tonic::{Code, Status};

use crate::channels::{self, Channel, Channels};
use crate::discovery::Planner;
use crate::endorser::Endorser;
use crate::system::Access;

pub use config::Config;

/// What a gateway needs besides its configuration.
#[derive(Debug, Clone)]
pub struct Dependencies {
    /// The channels of this peer.
    pub channels: Arc<Channels>,
    /// This peer's own endorser.
    pub endorser: Endorser,
    /// Who can endorse what.
    pub planner: Planner,
    /// Who may use which service.
    pub access: Access,
    /// The certificate to present to other nodes; without one plain text is spoken.
    pub tls: Option<Arc<ClientTls>>,
}

/// Serves client applications. Clones are the same gateway.
#[derive(Debug, Clone)]
pub struct Gateway(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: Config,
    msp_id: String,
    channels: Arc<Channels>,
    endorser: Endorser,
    planner: Planner,
    access: Access,
    connections: connections::Connections,
    requests: Semaphore,
    streams: Arc<Semaphore>,
}

impl Gateway {
    /// A gateway with the given bounds.
    pub fn new(config: Config, dependencies: Dependencies) -> Self {
        let Dependencies { channels, endorser, planner, access, tls } = dependencies;
        let bounded = |permits: usize| Semaphore::new(permits.min(Semaphore::MAX_PERMITS));
        let (max, timeout) = (config.connections_max, config.dial_timeout);
        Self(Arc::new(Inner {
            msp_id: access.msp_id().to_owned(),
            connections: connections::Connections::new(tls, max, timeout),
            requests: bounded(config.concurrency_max),
            streams: Arc::new(bounded(config.event_streams_max)),
            config,
            channels,
            endorser,
            planner,
            access,
        }))
    }

    fn permit(&self) -> Result<SemaphorePermit<'_>, Status> {
        self.0.requests.try_acquire().map_err(|_| too_many(self.0.config.concurrency_max))
    }

    fn stream_permit(&self) -> Result<OwnedSemaphorePermit, Status> {
        let streams = self.0.streams.clone();
        streams.try_acquire_owned().map_err(|_| too_many(self.0.config.event_streams_max))
    }
}

fn too_many(max: usize) -> Status {
    Status::unknown(format!(
        "too many requests for /gateway.Gateway, exceeding concurrency limit ({max})"
    ))
}

/// The same stream, which keeps its permit as long as it lives.
fn held<S: Stream>(stream: S, permit: OwnedSemaphorePermit) -> impl Stream<Item = S::Item> {
    stream.map(move |item| {
        let _held = &permit;
        item
    })
}

impl Inner {
    fn channel(&self, id: &str) -> Result<Arc<Channel>, Status> {
        self.channels.find(id).map_err(|error| match error {
            channels::Error::Unavailable(text) => error::status(Code::Unavailable, text, &[]),
            _ => {
                let text = format!("channel {id} is not joined by this peer");
                error::status(Code::FailedPrecondition, text, &[])
            }
        })
    }

    /// The channel, if the signer of `request` may use `resource` on it. Strangers are not told
    /// which channels there are.
    fn authorized(
        &self,
        channel: &str,
        resource: &str,
        request: &SignedData,
    ) -> Result<Arc<Channel>, Status> {
        let denied = |text: String| error::status(Code::PermissionDenied, text, &[]);
        let channel = self.channels.find(channel).map_err(|error| match error {
            channels::Error::Unavailable(text) => error::status(Code::Unavailable, text, &[]),
            _ => denied(format!("access denied: channel [{channel}]")),
        })?;
        self.access
            .check(resource, Some(&channel), request)
            .map_err(|error| denied(error.to_string()))?;
        Ok(channel)
    }
}

/// A proposal a client hands in.
struct Proposal {
    signed: SignedProposal,
    peeled: PeeledProposal,
    channel: String,
}

impl Proposal {
    fn parse(signed: Option<SignedProposal>) -> Result<Self, Status> {
        let invalid = |text: String| error::status(Code::InvalidArgument, text, &[]);
        let signed =
            signed.filter(|signed| !signed.proposal_bytes.is_empty()).ok_or_else(|| {
                invalid("the proposed transaction must contain a signed proposal".into())
            })?;
        let peeled = PeeledProposal::peel(&signed)
            .map_err(|error| invalid(format!("failed to unpack transaction proposal: {error}")))?;
        let channel = peeled.channel_header.channel_id.clone();
        if channel.is_empty() {
            let text = "failed to unpack transaction proposal: no channel id provided";
            return Err(invalid(text.into()));
        }
        Ok(Self { signed, peeled, channel })
    }

    fn has_transient(&self) -> bool {
        !self.peeled.transient.is_empty()
    }
}
