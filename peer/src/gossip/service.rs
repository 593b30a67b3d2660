//! The accepting side of gossip, and what both sides do with a stream.

use std::sync::Arc;

use node::grpc::ClientCertificate;
use node::tasks::Tasks;
use proto::gossip::gossip_message::Content;
use proto::gossip::gossip_server::{self, GossipServer};
use proto::gossip::{Empty, Envelope, MembershipRequest, StateInfoPullRequest};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt};
use tonic::{Request, Response, Status, Streaming};

use super::connections::QUEUE;
use super::handshake::{self, Remote};
use super::message::{channel_mac, unsigned};
use super::run::Shared;
use super::{DropReason, Gossip, receive};

/// The gRPC service.
#[derive(Debug, Clone)]
pub struct Service {
    shared: Arc<Shared>,
    tasks: Tasks,
}

impl Service {
    /// The service of `gossip`, with its bound on message sizes.
    pub fn server(gossip: &Gossip, tasks: &Tasks) -> GossipServer<Self> {
        let shared = gossip.shared().clone();
        let bytes_max = shared.config.message_bytes_max;
        GossipServer::new(Self { shared, tasks: tasks.clone() })
            .max_decoding_message_size(bytes_max)
    }
}

#[tonic::async_trait]
impl gossip_server::Gossip for Service {
    type GossipStreamStream = ReceiverStream<Result<Envelope, Status>>;

    async fn gossip_stream(
        &self,
        request: Request<Streaming<Envelope>>,
    ) -> Result<Response<Self::GossipStreamStream>, Status> {
        let shared = self.shared.clone();
        let client = ClientCertificate::hash_of(&request);
        let tls_hash = match (&shared.tls, client) {
            (None, _) => None,
            (Some(_), Some(hash)) => Some(hash),
            (Some(_), None) => {
                shared.metrics.drop(DropReason::Binding);
                return Err(Status::unauthenticated("gossip needs a TLS client certificate"));
            }
        };
        let own_hash = shared.tls.as_ref().map(|tls| tls.server_hash);
        let (sender, receiver) = mpsc::channel(QUEUE);
        let (out, answers) = mpsc::channel(QUEUE);
        let hello = shared.handshake(own_hash).map_err(|_| Status::internal("sign handshake"))?;
        sender.try_send(hello).map_err(|_| Status::internal("queue handshake"))?;
        let cancelled = self.tasks.cancelled();
        self.tasks.spawn("gossip stream", async move {
            let stream = Session { shared, sender, tls_hash, expected: None };
            let forward = forward(receiver, out);
            tokio::select! {
                () = cancelled => {}
                () = forward => {}
                () = stream.run(request.into_inner()) => {}
            }
        });
        Ok(Response::new(ReceiverStream::new(answers)))
    }

    async fn ping(&self, _: Request<Empty>) -> Result<Response<Empty>, Status> {
        Ok(Response::new(Empty {}))
    }
}

async fn forward(
    mut receiver: mpsc::Receiver<Envelope>,
    out: mpsc::Sender<Result<Envelope, Status>>,
) {
    while let Some(envelope) = receiver.recv().await {
        if out.send(Ok(envelope)).await.is_err() {
            return;
        }
    }
}

/// One side of a stream, whoever dialed.
pub(super) struct Session {
    pub(super) shared: Arc<Shared>,
    pub(super) sender: mpsc::Sender<Envelope>,
    /// Hash of the certificate the other side showed; `None` without TLS.
    pub(super) tls_hash: Option<[u8; 32]>,
    /// The organization that must be at the other end, if it is known.
    pub(super) expected: Option<String>,
}

impl Session {
    /// Shakes hands, then handles messages until the stream ends.
    pub(super) async fn run(
        self,
        mut inbound: impl Stream<Item = Result<Envelope, Status>> + Unpin,
    ) {
        let metrics = self.shared.metrics.clone();
        if let Err(reason) = self.serve(&mut inbound).await {
            tracing::debug!(%reason, "gossip stream dropped");
            metrics.drop(reason);
        }
    }

    async fn serve(
        self,
        inbound: &mut (impl Stream<Item = Result<Envelope, Status>> + Unpin),
    ) -> Result<(), DropReason> {
        let remote = self.shake_hands(inbound).await?;
        let _open = self.shared.connections.add(remote.clone(), self.sender.clone())?;
        self.greet(&remote);
        while let Some(message) = inbound.next().await {
            let envelope = message.map_err(|status| match status.code() {
                tonic::Code::OutOfRange | tonic::Code::ResourceExhausted => DropReason::Transport,
                _ => DropReason::Closed,
            })?;
            // Verifying keeps a core busy, and private data is read from disk.
            let (shared, sender) = (self.shared.clone(), remote.clone());
            let handling =
                tokio::task::spawn_blocking(move || receive::handle(&shared, &sender, &envelope));
            match handling.await.map_err(|_| DropReason::Closed)? {
                Ok(None) => {}
                // A peer that does not read its answers loses them.
                Ok(Some(answer)) => drop(self.sender.try_send(answer)),
                Err(reason) => self.shared.metrics.drop(reason),
            }
        }
        Ok(())
    }

    async fn shake_hands(
        &self,
        inbound: &mut (impl Stream<Item = Result<Envelope, Status>> + Unpin),
    ) -> Result<Remote, DropReason> {
        let timeout = self.shared.config.handshake_timeout;
        let first = tokio::time::timeout(timeout, inbound.next()).await;
        let envelope = match first {
            Ok(Some(Ok(envelope))) => envelope,
            Ok(_) => return Err(DropReason::Transport),
            Err(_) => return Err(DropReason::Timeout),
        };
        let remote = handshake::verify(&envelope, self.tls_hash, &self.shared.trust)?;
        let itself = remote.pki_id == *self.shared.myself.pki_id();
        let wrong = self.expected.as_ref().is_some_and(|expected| *expected != remote.msp_id);
        if itself || wrong { Err(DropReason::Untrusted) } else { Ok(remote) }
    }

    /// Tells who and how far this peer is, and asks the same.
    fn greet(&self, remote: &Remote) {
        let shared = &self.shared;
        let alive = shared.myself.alive();
        let request = MembershipRequest { self_information: Some(alive), known: Vec::new() };
        let mut greeting = vec![unsigned(Content::MemReq(request))];
        for channel in shared.channels.list() {
            if !shared.trust.in_channel(&remote.msp_id, channel.id()) {
                continue;
            }
            greeting.extend(shared.myself.state(channel.id()).map(|said| said.envelope));
            greeting.push(pull_request(shared, channel.id()));
        }
        for envelope in greeting {
            // The next round repeats what finds no room now.
            drop(self.sender.try_send(envelope));
        }
    }
}

/// Asks for everything known about a channel.
pub(super) fn pull_request(shared: &Shared, channel: &str) -> Envelope {
    let mac = channel_mac(shared.myself.pki_id(), channel);
    let channel_mac = bytes::Bytes::copy_from_slice(&mac);
    unsigned(Content::StateInfoPullReq(StateInfoPullRequest { channel_mac }))
}
