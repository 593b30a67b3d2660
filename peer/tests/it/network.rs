//! Peers of several organizations and one orderer in this process, talking over mutual TLS. The
//! orderer makes a block of every envelope; peers find each other in a list.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt};
use ledger::Ledgers;
use msp::{Manager, Msp, MspVersion, SigningIdentity};
use node::grpc::Server;
use node::metrics::Registry as Counters;
use node::tasks::Tasks;
use node::tls::{ClientTls, Config as TlsConfig, ServerTls};
use peer::channels::{Channel, Channels};
use peer::committer::{Metrics, Pipeline};
use peer::discovery::{Membership, PeerInfo, Planner};
use peer::endorser::{self, Endorser};
use peer::gateway::{self, Gateway};
use peer::lifecycle::{self, Lifecycle, Packages};
use peer::private_data::Member;
use peer::system::{Access, Lscc, Registry, SystemChaincode};
use peer::validator::Prepared;
use prost::Message;
use proto::common::{ChannelHeader, Envelope, Header, HeaderType, SignatureHeader};
use proto::orderer::atomic_broadcast_server::{AtomicBroadcast, AtomicBroadcastServer};
use proto::orderer::{BroadcastResponse, DeliverResponse};
use proto::peer::endorser_server::EndorserServer;
use proto::peer::{
    ChaincodeHeaderExtension, ChaincodeId, ChaincodeInput, ChaincodeInvocationSpec,
    ChaincodeProposalPayload, ChaincodeSpec, Proposal, SignedProposal,
};
use tonic::service::Routes;
use tonic::{Request, Response, Status, Streaming};

use crate::consortium::{Org, genesis_at};
use crate::native::Native;

pub const CHANNEL: &str = "care";

/// One peer with everything it serves.
pub struct Peer {
    pub msp_id: String,
    pub endpoint: String,
    pub channels: Arc<Channels>,
    pub channel: Arc<Channel>,
    pub lifecycle: Arc<Lifecycle>,
    pub endorser: Endorser,
    pub gateway: Gateway,
    pub planner: Planner,
    pub access: Access,
    pub admin: SigningIdentity,
    pub client: SigningIdentity,
    tasks: Tasks,
    _directory: tempfile::TempDir,
}

impl Peer {
    /// Serves no longer, but is still believed to be alive.
    pub async fn stop(&self) {
        self.tasks.shutdown(Duration::from_secs(5)).await;
    }
}

pub struct Network {
    pub orgs: Vec<Org>,
    pub peers: Vec<Peer>,
    pub orderer: Arc<Orderer>,
    directory: Arc<Directory>,
    tasks: Tasks,
}

/// What a test may change about the peers.
#[derive(Clone, Default)]
pub struct Settings {
    pub endorser: endorser::Config,
    pub gateway: gateway::Config,
}

impl Network {
    pub async fn start(msp_ids: &[&str]) -> Self {
        Self::start_with(msp_ids, Settings::default()).await
    }

    pub async fn start_with(msp_ids: &[&str], settings: Settings) -> Self {
        let tasks = Tasks::new();
        let orgs: Vec<Org> = msp_ids.iter().map(|msp_id| Org::new(msp_id)).collect();
        let ordering = Org::new("OrdererMSP");
        let orderer = Arc::new(Orderer::default());
        let files = tempfile::tempdir().unwrap();
        let (server, address) = listen(&ordering, files.path()).await;
        let service = AtomicBroadcastServer::from_arc(orderer.clone());
        server.serve(Routes::new(service), &tasks);
        let directory = Arc::new(Directory::default());
        let users: Vec<_> = orgs.iter().map(|org| (org, vec![])).collect();
        let block = genesis_at(CHANNEL, &ordering, &address, &users);
        let mut network = Self { orgs: vec![], peers: vec![], orderer, directory, tasks };
        for org in &orgs {
            network.add(org, &block, &settings).await;
        }
        network.orgs = orgs;
        network
    }

    async fn add(&mut self, org: &Org, genesis: &proto::common::Block, settings: &Settings) {
        let directory = tempfile::tempdir().unwrap();
        let tasks = self.tasks.child();
        let (server, endpoint) = listen(org, directory.path()).await;
        let ledgers =
            Ledgers::open(directory.path().join("ledgers"), ledger::Config::default()).unwrap();
        let channels = Arc::new(Channels::open(ledgers, 4, 100).unwrap());
        let channel = channels.join(genesis).unwrap();
        let msp = Msp::new(&org.definition(), MspVersion::V1_4_3).unwrap();
        let access = Access::new(&*org.msp_id, Arc::new(Manager::new(vec![msp]).unwrap()));
        let runtime = Arc::new(Native { peer: endpoint.clone() });
        let packages =
            Packages::open(directory.path().join("packages"), runtime, Default::default());
        let lifecycle = Arc::new(Lifecycle::new(&*org.msp_id, channels.clone(), packages.unwrap()));
        let signer = Arc::new(org.identity("peer0", "peer"));
        let system: [Arc<dyn SystemChaincode>; 2] =
            [Arc::new(lifecycle::Chaincode::new(lifecycle.clone())), Arc::new(Lscc)];
        let endorser = Endorser::new(
            settings.endorser.clone(),
            endorser::Dependencies {
                channels: channels.clone(),
                lifecycle: lifecycle.clone(),
                system: Registry::new(system),
                access: access.clone(),
                signer: signer.clone(),
                tasks: tasks.clone(),
                metrics: endorser::Metrics::new(&Counters::new()),
            },
        );
        server.serve(Routes::new(EndorserServer::new(endorser.clone())), &tasks);
        let seen = Seen { directory: self.directory.clone(), me: endpoint.clone() };
        let planner = Planner::new(Arc::new(seen));
        let (certificate, key) = org.tls("localhost");
        let tls = ClientTls::from_pem(certificate.as_bytes(), key.as_bytes()).unwrap();
        let gateway = Gateway::new(
            settings.gateway.clone(),
            gateway::Dependencies {
                channels: channels.clone(),
                endorser: endorser.clone(),
                planner: planner.clone(),
                access: access.clone(),
                tls: Some(Arc::new(tls)),
            },
        );
        let member = Member::new(&*org.msp_id, signer.serialized().clone());
        let metrics = Metrics::new(&Counters::new());
        let pipeline = Pipeline::new(channel.clone(), member, metrics);
        self.orderer.pipelines.lock().unwrap().push((channel.clone(), pipeline));
        self.directory.0.lock().unwrap().push(Known {
            msp_id: org.msp_id.clone(),
            endpoint: endpoint.clone(),
            identity: signer.serialized().clone(),
            channel: channel.clone(),
            lifecycle: lifecycle.clone(),
        });
        self.peers.push(Peer {
            msp_id: org.msp_id.clone(),
            admin: org.identity("admin", "admin"),
            client: org.identity("user1", "client"),
            endpoint,
            channels,
            channel,
            lifecycle,
            endorser,
            gateway,
            planner,
            access,
            tasks,
            _directory: directory,
        });
    }

    /// Ends all servers.
    pub async fn stop(self) {
        self.tasks.shutdown(Duration::from_secs(5)).await;
    }
}

/// A TLS listener of `org` on a free port.
async fn listen(org: &Org, directory: &Path) -> (Server, String) {
    let (certificate, key) = org.tls("localhost");
    let files = [("server.crt", certificate), ("server.key", key)];
    let [certificate, private_key] = files.map(|(name, text)| {
        let path = directory.join(name);
        std::fs::write(&path, text).unwrap();
        path
    });
    let config = TlsConfig { enabled: true, certificate, private_key, ..TlsConfig::default() };
    let tls = ServerTls::load(&config).unwrap();
    let server = Server::bind("127.0.0.1:0", Some(tls)).await.unwrap();
    let address = format!("localhost:{}", server.local_address().port());
    (server, address)
}

/// The peers of a network.
#[derive(Default)]
struct Directory(Mutex<Vec<Known>>);

struct Known {
    msp_id: String,
    endpoint: String,
    identity: Bytes,
    channel: Arc<Channel>,
    lifecycle: Arc<Lifecycle>,
}

/// The same, as one of them sees it.
struct Seen {
    directory: Arc<Directory>,
    me: String,
}

impl Membership for Seen {
    fn peers(&self, _channel: &str) -> Vec<PeerInfo> {
        let known = self.directory.0.lock().unwrap();
        let info = |peer: &Known| PeerInfo {
            msp_id: peer.msp_id.clone(),
            endpoint: peer.endpoint.clone(),
            identity: peer.identity.clone(),
            height: peer.channel.height(),
            chaincodes: peer.lifecycle.chaincodes(&peer.channel.ledger().view().unwrap()).unwrap(),
            is_local: peer.endpoint == self.me,
            ..PeerInfo::default()
        };
        known.iter().map(info).collect()
    }
}

/// Makes a block of every envelope and has every peer commit it, before it answers.
#[derive(Default)]
pub struct Orderer {
    pipelines: Mutex<Vec<(Arc<Channel>, Pipeline)>>,
    /// Answers this instead of ordering.
    pub refusal: Mutex<Option<BroadcastResponse>>,
}

impl Orderer {
    /// Commits one block on every peer.
    pub fn order(&self, envelope: &Envelope) {
        for (channel, pipeline) in self.pipelines.lock().unwrap().iter_mut() {
            let height = channel.height();
            let last = channel.ledger().block(height - 1).unwrap().unwrap();
            let previous = proto::block::header_hash(&last.header.unwrap());
            let envelopes = vec![proto::envelope::encode(&envelope.payload, &envelope.signature)];
            let block = proto::block::new(height, Bytes::copy_from_slice(&previous), envelopes);
            let prepared = Prepared::new(&block, channel.bundle());
            pipeline.commit(block, prepared).unwrap();
        }
    }
}

#[tonic::async_trait]
impl AtomicBroadcast for Orderer {
    type BroadcastStream = BoxStream<'static, Result<BroadcastResponse, Status>>;
    type DeliverStream = BoxStream<'static, Result<DeliverResponse, Status>>;

    async fn broadcast(
        &self,
        request: Request<Streaming<Envelope>>,
    ) -> Result<Response<Self::BroadcastStream>, Status> {
        let mut envelopes = request.into_inner();
        let mut answers = Vec::new();
        while let Some(envelope) = envelopes.message().await? {
            let refusal = self.refusal.lock().unwrap().clone();
            answers.push(Ok(refusal.unwrap_or_else(|| {
                self.order(&envelope);
                BroadcastResponse { status: 200, info: String::new() }
            })));
        }
        Ok(Response::new(futures::stream::iter(answers).boxed()))
    }

    async fn deliver(
        &self,
        _request: Request<Streaming<Envelope>>,
    ) -> Result<Response<Self::DeliverStream>, Status> {
        Err(Status::unimplemented("blocks are handed out"))
    }
}

/// A proposal before it is signed.
pub struct Draft {
    pub channel: String,
    pub chaincode: String,
    pub args: Vec<Bytes>,
    pub is_init: bool,
    pub transient: BTreeMap<String, Bytes>,
    pub nonce: Bytes,
    pub seconds: i64,
    pub header_type: HeaderType,
    /// Instead of the right one.
    pub tx_id: Option<String>,
}

impl Draft {
    pub fn new<A: AsRef<[u8]>>(chaincode: &str, args: &[A]) -> Self {
        let nonce: [u8; 24] = rand::random();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        Self {
            channel: CHANNEL.into(),
            chaincode: chaincode.into(),
            args: args.iter().map(|arg| Bytes::copy_from_slice(arg.as_ref())).collect(),
            is_init: false,
            transient: BTreeMap::new(),
            nonce: Bytes::copy_from_slice(&nonce),
            seconds: i64::try_from(now.as_secs()).unwrap(),
            header_type: HeaderType::EndorserTransaction,
            tx_id: None,
        }
    }

    pub fn tx_id(&self, signer: &SigningIdentity) -> String {
        let right = || proto::transaction::tx_id(&self.nonce, signer.serialized());
        self.tx_id.clone().unwrap_or_else(right)
    }

    pub fn sign(&self, signer: &SigningIdentity) -> SignedProposal {
        let id = Some(ChaincodeId { name: self.chaincode.clone(), ..Default::default() });
        let extension = ChaincodeHeaderExtension { chaincode_id: id.clone() };
        let channel_header = ChannelHeader {
            r#type: self.header_type as i32,
            timestamp: Some(prost_types::Timestamp { seconds: self.seconds, nanos: 0 }),
            channel_id: self.channel.clone(),
            tx_id: self.tx_id(signer),
            extension: extension.encode_to_vec().into(),
            ..Default::default()
        };
        let signature_header =
            SignatureHeader { creator: signer.serialized().clone(), nonce: self.nonce.clone() };
        let header = Header {
            channel_header: channel_header.encode_to_vec().into(),
            signature_header: signature_header.encode_to_vec().into(),
        };
        let input =
            ChaincodeInput { args: self.args.clone(), is_init: self.is_init, ..Default::default() };
        let spec = ChaincodeSpec { chaincode_id: id, input: Some(input), ..Default::default() };
        let input = ChaincodeInvocationSpec { chaincode_spec: Some(spec) }.encode_to_vec().into();
        let payload = ChaincodeProposalPayload { input, transient_map: self.transient.clone() };
        let proposal = Proposal {
            header: header.encode_to_vec().into(),
            payload: payload.encode_to_vec().into(),
            ..Default::default()
        };
        let proposal_bytes = Bytes::from(proposal.encode_to_vec());
        let signature = signer.sign(&proposal_bytes).unwrap();
        SignedProposal { proposal_bytes, signature }
    }
}
