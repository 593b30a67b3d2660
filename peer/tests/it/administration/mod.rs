//! A running peer's channels are paused, rebuilt, cut back, left and joined again, over mutual TLS.

mod operations;
mod requests;

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use deliver::seek;
use futures::StreamExt;
use msp::SigningIdentity;
use node::grpc::Dial;
use node::tasks::Tasks;
use node::tls::{ClientTls, certificates_from_pem};
use peer::channels::{Channel, State};
use peer::events::chaincode::{self, Start};
use prost::Message;
use proto::common::{HeaderType, Status as Code};
use proto::gauze::peer::administration_client::AdministrationClient;
use proto::gauze::peer::ledger_query_client::LedgerQueryClient;
use proto::gauze::peer::request::Content;
use proto::gauze::peer::{
    ChannelState, ChannelStatus, DiffRequest, HistoryRequest, PauseRequest, Progress, RangeRequest,
    RebuildRequest, Request, ResetRequest, ResumeRequest, RollbackRequest, SignedRequest,
    StateRequest, StatusRequest, UnjoinRequest,
};
use proto::peer::deliver_client::DeliverClient;
use proto::peer::deliver_response::Type;
use proto::peer::endorser_client::EndorserClient;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use crate::consortium::{Org, genesis_at};
use crate::network::Draft as Proposal;
use crate::ordering::{Chain, Orderer};
use crate::peers::{Node, prepare, restart_with, until};
use crate::transactions::{Draft, definition, writes};

const CHANNEL: &str = "care";
const OTHER: &str = "pharma";

/// A peer on two channels that asks clients for certificates, and one beside it as a witness.
struct World {
    _orderer: Orderer,
    org: Org,
    other: Org,
    chains: [std::sync::Arc<Chain>; 2],
    node: Node,
    witness: Node,
    admin: SigningIdentity,
    client: SigningIdentity,
    tls: ClientTls,
    tasks: Tasks,
}

async fn start(org: &Org, tasks: &Tasks) -> Node {
    let dir = tempfile::tempdir().unwrap();
    prepare(org, dir.path());
    restart(org, dir, tasks).await
}

/// Clients of the peer's own organization need not be named to it.
async fn restart(org: &Org, dir: tempfile::TempDir, tasks: &Tasks) -> Node {
    restart_with(org, dir, tasks, |config| {
        config.tls.client_auth_required = true;
        config.admin.drain_timeout = Duration::from_secs(20);
    })
    .await
}

impl World {
    async fn new() -> Self {
        let tasks = Tasks::new();
        let orderer = Orderer::start(&tasks).await;
        let [org, other] = ["Org1MSP", "Org2MSP"].map(Org::new);
        let node = start(&org, &tasks).await;
        let witness = start(&other, &tasks).await;
        let users = [(&org, vec![]), (&other, vec![])];
        let chains = [CHANNEL, OTHER].map(|id| {
            let block = genesis_at(id, &orderer.org, &orderer.address, &users);
            node.handle.channels.join(&block).unwrap();
            witness.handle.channels.join(&block).unwrap();
            orderer.begin(block)
        });
        let (admin, client) = (org.identity("admin", "admin"), org.identity("user1", "client"));
        let (certificate, key) = org.tls("localhost");
        let tls = ClientTls::from_pem(certificate.as_bytes(), key.as_bytes()).unwrap();
        let world = Self {
            _orderer: orderer,
            org,
            other,
            chains,
            node,
            witness,
            admin,
            client,
            tls,
            tasks,
        };
        for (id, chain) in [CHANNEL, OTHER].into_iter().zip(&world.chains) {
            let endorsers = world.endorsers();
            let mut draft = Draft::new(id, "_lifecycle", &world.client);
            draft.namespaces = vec![definition("cc")];
            draft.endorsers = endorsers.iter().collect();
            chain.order(vec![draft.envelope()]);
        }
        world
    }

    fn endorsers(&self) -> [SigningIdentity; 2] {
        [&self.org, &self.other].map(|org| org.identity("peer1", "peer"))
    }

    /// Orders a block with two writes of keys on the first channel.
    fn order(&self, number: u64) -> u64 {
        self.order_on(0, number)
    }

    fn order_on(&self, chain: usize, number: u64) -> u64 {
        let endorsers = self.endorsers();
        let envelope = |key: &str| {
            let mut draft = Draft::new([CHANNEL, OTHER][chain], "cc", &self.client);
            let value = format!("{{\"n\":{number}}}");
            draft.namespaces = vec![writes("cc", &[(key, value.as_bytes())])];
            draft.endorsers = endorsers.iter().collect();
            draft.envelope()
        };
        self.chains[chain].order(vec![envelope("same"), envelope(&format!("key-{number:03}"))])
    }

    fn channel(&self) -> std::sync::Arc<Channel> {
        self.node.handle.channels.get(CHANNEL).unwrap()
    }

    /// Waits until the peer has what the witness has.
    async fn until_same(&self, id: &str, height: u64) {
        let height_of = |node: &Node| node.handle.channels.get(id).map_or(0, |it| it.height());
        until("height", || height_of(&self.node) >= height && height_of(&self.witness) >= height)
            .await;
        let block = |node: &Node| {
            node.handle.channels.get(id).unwrap().ledger().block(height - 1).unwrap().unwrap()
        };
        let (found, expected) = (block(&self.node), block(&self.witness));
        assert!(proto::block::commit_hash(&expected).is_some());
        assert_eq!(proto::block::commit_hash(&found), proto::block::commit_hash(&expected));
        assert_eq!(found, expected);
    }

    async fn dial(&self, tls: &ClientTls) -> tonic::transport::Channel {
        let roots = certificates_from_pem(self.org.tls_root().as_bytes()).unwrap();
        let address = self.node.handle.address.to_string();
        let dial = Dial {
            address: &address,
            roots: Some(&roots),
            identity: Some(tls),
            server_name: None,
            timeout: Duration::from_secs(5),
        };
        dial.connect().await.unwrap()
    }

    async fn administration(&self) -> AdministrationClient<tonic::transport::Channel> {
        AdministrationClient::new(self.dial(&self.tls).await)
    }

    async fn queries(&self) -> LedgerQueryClient<tonic::transport::Channel> {
        LedgerQueryClient::new(self.dial(&self.tls).await)
    }

    fn request(&self, content: Content) -> Request {
        Request {
            creator: self.admin.serialized().clone(),
            nonce: Bytes::copy_from_slice(&rand::random::<[u8; 24]>()),
            timestamp: Some(SystemTime::now().into()),
            tls_cert_hash: Bytes::copy_from_slice(&self.tls.certificate_hash()),
            channel: CHANNEL.into(),
            content: Some(content),
        }
    }

    fn signed(&self, content: Content) -> SignedRequest {
        sign(&self.request(content), &self.admin)
    }

    async fn operate(&self, content: Content) -> Result<ChannelStatus, Status> {
        finish(self.begin(content).await?).await
    }

    async fn begin(&self, content: Content) -> Result<Streaming<Progress>, Status> {
        let (mut client, request) = (self.administration().await, self.signed(content.clone()));
        let answer = match content {
            Content::Pause(_) => client.pause(request).await,
            Content::Resume(_) => client.resume(request).await,
            Content::Rebuild(_) => client.rebuild(request).await,
            Content::Rollback(_) => client.rollback(request).await,
            Content::Reset(_) => client.reset(request).await,
            _ => client.unjoin(request).await,
        };
        Ok(answer?.into_inner())
    }

    async fn status(&self) -> Vec<(String, ChannelState, u64)> {
        let mut request = self.request(Content::Status(StatusRequest {}));
        request.channel.clear();
        request.creator = self.client.serialized().clone();
        let request = sign(&request, &self.client);
        let answer = self.administration().await.status(request).await.unwrap().into_inner();
        answer.channels.iter().map(|it| (it.channel.clone(), it.state(), it.height)).collect()
    }

    /// What `qscc` and the endorser say about the channel, and the deliver service.
    async fn answers(&self) -> (i32, tonic::Code, Code) {
        let mut client = EndorserClient::new(self.dial(&self.tls).await);
        let args: [&[u8]; 2] = [b"GetChainInfo", CHANNEL.as_bytes()];
        let mut proposal = Proposal::new("qscc", &args);
        proposal.channel = String::new();
        proposal.header_type = HeaderType::EndorserTransaction;
        let answer = client.process_proposal(proposal.sign(&self.client)).await.unwrap();
        let asked = answer.into_inner().response.unwrap().status;
        let proposal = Proposal::new("cc", &["f"]).sign(&self.client);
        let endorsed = client.process_proposal(proposal).await;
        let endorsed = endorsed.map_or_else(|status| status.code(), |_| tonic::Code::Ok);
        let mut told = self.follow(0).await;
        let code = match told.next().await.unwrap().unwrap().r#type.unwrap() {
            Type::Status(status) => Code::try_from(status).unwrap(),
            _ => Code::Success,
        };
        (asked, endorsed, code)
    }

    /// Blocks from `number` on, without end.
    async fn follow(&self, number: u64) -> Streaming<proto::peer::DeliverResponse> {
        let mut client = DeliverClient::new(self.dial(&self.tls).await);
        let hash = self.tls.certificate_hash();
        let follow = seek::follow(number);
        let envelope = seek::envelope(&self.client, CHANNEL, &follow, Some(hash)).unwrap();
        let (sender, receiver) = tokio::sync::mpsc::channel(1);
        sender.send(envelope).await.unwrap();
        drop(sender);
        client.deliver(ReceiverStream::new(receiver)).await.unwrap().into_inner()
    }
}

fn sign(request: &Request, signer: &SigningIdentity) -> SignedRequest {
    let request: Bytes = request.encode_to_vec().into();
    let signature = signer.sign(&request).unwrap();
    SignedRequest { request, signature }
}

async fn finish(mut reports: Streaming<Progress>) -> Result<ChannelStatus, Status> {
    let mut outcome = None;
    while let Some(report) = reports.message().await? {
        outcome = report.outcome;
    }
    Ok(outcome.expect("the last report has an outcome"))
}

fn rollback(block: u64) -> Content {
    Content::Rollback(RollbackRequest { block })
}
