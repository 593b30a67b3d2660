//! What strangers, liars and broken programs send, and what they are told. None of it changes a
//! ledger, stops a node, or reaches the panic boundaries.

mod access;
mod chaincode;
mod envelopes;
mod malformed;
mod proposals;
mod raw;

use std::time::{Duration, Instant};

use bytes::Bytes;
use client::admin::Peer;
use client::{Contract, Gateway};
use node::grpc::MAX_MESSAGE_BYTES;
use proto::common::Envelope;
use proto::orderer::BroadcastResponse;
use proto::orderer::atomic_broadcast_client::AtomicBroadcastClient;
use proto::peer::endorser_client::EndorserClient;
use proto::peer::{ProposalResponse, SignedProposal};
use tokio::sync::{Mutex, MutexGuard};
use tonic::Status;
use tonic::transport::Channel;

use crate::harness::{ALPHA, LAB, Network, Node, ORDERER, User, shared};

/// An idle peer answers far sooner; the machine may be busy.
const FAST: Duration = Duration::from_secs(5);
const CONNECT: Duration = Duration::from_secs(20);

/// A channel of alpha's whose blocks only one test at a time changes.
struct Lab {
    network: &'static Network,
    peer: Node,
    orderer: Node,
    /// Alpha's user `anna`, a client.
    anna: User,
    ledger: Peer,
    gateway: Gateway,
    height: u64,
    processes: Vec<Option<u32>>,
    _turn: MutexGuard<'static, ()>,
}

impl Lab {
    async fn enter() -> Self {
        static TURN: Mutex<()> = Mutex::const_new(());
        let turn = TURN.lock().await;
        let network = shared();
        let nodes = network.nodes();
        let find = |name: &str| nodes.iter().find(|node| node.name == name).unwrap().clone();
        let (peer, orderer) = (find("peer0.alpha"), find("orderer0.orderer"));
        let anna = network.user(ALPHA, "anna");
        let ledger = network.peer(&peer, &network.user(ALPHA, "admin")).await;
        let gateway = network.gateway(ALPHA, &anna).await;
        let height = ledger.chain_info(LAB).await.unwrap().height;
        let processes = nodes.iter().map(|node| node.pid).collect();
        Self { network, peer, orderer, anna, ledger, gateway, height, processes, _turn: turn }
    }

    /// Makes sure that the channel grew by so many blocks, and that every node is as it was.
    async fn leave(self, blocks: u64) {
        let began = Instant::now();
        self.basic().evaluate("AssetExists", ["nothing"]).await.unwrap();
        assert!(began.elapsed() < FAST, "the peer took {:?} to answer", began.elapsed());
        let height = self.ledger.chain_info(LAB).await.unwrap().height;
        assert_eq!(height, self.height + blocks, "height of the channel");
        let nodes = self.network.nodes();
        for node in &nodes {
            assert_eq!(node.state, "running", "{}", node.name);
            let panics = node.metric("gauze_panics_total").await;
            assert_eq!(panics, Some(0.0), "panics of {}", node.name);
        }
        let processes: Vec<_> = nodes.iter().map(|node| node.pid).collect();
        assert_eq!(processes, self.processes, "a node was restarted");
    }

    /// The chaincode on the channel, as anna.
    fn basic(&self) -> Contract {
        self.gateway.network(LAB).contract("basic")
    }

    /// A connection to a node with somebody's TLS certificate.
    async fn dial(&self, node: &Node, user: &User) -> Channel {
        let (_, organization) = node.name.split_once('.').unwrap();
        let roots = self.network.tls_roots(organization);
        node::grpc::connect(&node.address(), &roots, Some(&user.tls), CONNECT).await.unwrap()
    }

    /// The bytes of a fresh proposal of anna's.
    fn proposal(&self, function: &str, arguments: &[&str]) -> Bytes {
        self.basic().call(function).args(arguments).proposal().bytes().clone()
    }

    /// Sends a proposal straight to the endorser.
    async fn process(&self, proposal: SignedProposal) -> Result<ProposalResponse, Status> {
        let mut endorser = EndorserClient::new(self.dial(&self.peer, &self.anna).await);
        Ok(endorser.process_proposal(proposal).await?.into_inner())
    }

    /// Sends an envelope straight to an orderer.
    async fn broadcast(&self, envelope: Envelope) -> BroadcastResponse {
        let channel = self.dial(&self.orderer, &self.anna).await;
        let mut orderer =
            AtomicBroadcastClient::new(channel).max_encoding_message_size(MAX_MESSAGE_BYTES);
        let answers = orderer.broadcast(futures::stream::iter([envelope])).await.unwrap();
        answers.into_inner().message().await.unwrap().unwrap()
    }

    /// The TLS root of the orderers.
    fn orderer_roots(&self) -> Vec<node::tls::CertificateDer<'static>> {
        self.network.tls_roots(ORDERER)
    }
}
