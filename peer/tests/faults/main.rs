//! A disk that is full or fails, and a defect, stop one channel of a peer and nothing else.
//!
//! Failpoints and the count of panics are those of the process, so these tests have one of their
//! own, and take turns.

#![allow(clippy::unwrap_used, clippy::panic, unreachable_pub, reason = "tests fail by panicking")]
#![allow(dead_code, reason = "not all that the other tests use is needed here")]

#[path = "../it/consortium.rs"]
mod consortium;
#[path = "../it/native.rs"]
mod native;
#[path = "../it/network.rs"]
mod network;
#[path = "../it/ordering.rs"]
mod ordering;
#[path = "../it/peers.rs"]
mod peers;
#[path = "../it/transactions.rs"]
mod transactions;

use std::sync::Arc;
use std::time::Duration;

use fail::FailScenario;
use msp::SigningIdentity;
use node::grpc::Dial;
use node::tasks::Tasks;
use node::tls::certificates_from_pem;
use peer::channels::{Channel, State};
use proto::common::HeaderType;
use proto::peer::ProposalResponse;
use proto::peer::endorser_client::EndorserClient;
use tonic::{Code, Status};

use consortium::{Org, genesis_at};
use network::Draft as Proposal;
use ordering::{Chain, Orderer};
use peers::{Node, restart, start, until};
use transactions::{Draft, definition, writes};

/// The channel that fails. `network::CHANNEL` is its name, too.
const CARE: &str = network::CHANNEL;
const OTHER: &str = "pharma";

struct World {
    org: Org,
    endorser: SigningIdentity,
    client: SigningIdentity,
    chains: [Arc<Chain>; 2],
    node: Node,
    tasks: Tasks,
    _orderer: Orderer,
}

impl World {
    /// A peer with two channels, and chaincode `cc` on both.
    async fn new() -> Self {
        let tasks = Tasks::new();
        let orderer = Orderer::start(&tasks).await;
        let org = Org::new("Org1MSP");
        let node = start(&org, &tasks).await;
        let chains = [CARE, OTHER].map(|channel| {
            let genesis = genesis_at(channel, &orderer.org, &orderer.address, &[(&org, vec![])]);
            node.handle.channels.join(&genesis).unwrap();
            orderer.begin(genesis)
        });
        let (endorser, client) = (org.identity("peer1", "peer"), org.identity("user1", "client"));
        let world = Self { org, endorser, client, chains, node, tasks, _orderer: orderer };
        for (chain, channel) in world.chains.iter().zip([CARE, OTHER]) {
            let mut draft = world.draft(channel, "_lifecycle");
            draft.namespaces = vec![definition("cc")];
            chain.order(vec![draft.envelope()]);
            world.until_height(channel, 2).await;
        }
        world
    }

    fn draft(&self, channel: &str, chaincode: &str) -> Draft<'_> {
        let mut draft = Draft::new(channel, chaincode, &self.client);
        draft.endorsers = vec![&self.endorser];
        draft
    }

    fn channel(&self, channel: &str) -> Arc<Channel> {
        self.node.handle.channels.get(channel).unwrap()
    }

    /// Orders a block on one of the channels.
    fn order(&self, channel: &str, key: &str) {
        let mut draft = self.draft(channel, "cc");
        draft.namespaces = vec![writes("cc", &[(key, b"value")])];
        self.chains[usize::from(channel == OTHER)].order(vec![draft.envelope()]);
    }

    async fn until_height(&self, channel: &str, height: u64) {
        let channel = self.channel(channel);
        until("height", || channel.height() >= height).await;
    }

    /// Proposes a call of a chaincode.
    async fn propose(&self, name: &str, args: &[&[u8]]) -> Result<ProposalResponse, Status> {
        let roots = certificates_from_pem(self.org.tls_root().as_bytes()).unwrap();
        let dial = Dial {
            address: &self.node.handle.address.to_string(),
            roots: Some(&roots),
            identity: None,
            server_name: None,
            timeout: Duration::from_secs(5),
        };
        let mut client = EndorserClient::new(dial.connect().await.unwrap());
        let mut proposal = Proposal::new(name, args);
        proposal.header_type = HeaderType::EndorserTransaction;
        let answer = client.process_proposal(proposal.sign(&self.client)).await?;
        Ok(answer.into_inner())
    }

    /// Lets the next commit on the first channel fail, and waits for the channel to stop.
    async fn fail(&self, failpoint: &str, action: &str) -> String {
        fail::cfg(failpoint, action).unwrap();
        self.order(CARE, "one");
        self.order(CARE, "two");
        let channel = self.channel(CARE);
        until("stopped", || matches!(channel.state(), State::Failed { .. })).await;
        fail::remove(failpoint);
        let State::Failed { reason } = channel.state() else { panic!("it goes on") };
        reason
    }

    /// What is told about the stopped channel, and what goes on beside it.
    async fn check_stopped(&self, reason: &str, panics: u32) {
        let failed = self.node.operations.health.failed();
        assert_eq!(failed.len(), 1, "{failed:?}");
        assert_eq!((&*failed[0].component, &*failed[0].reason), ("channel care", reason));
        let metrics = self.node.operations.metrics.encode();
        for line in [
            "gauze_peer_channel_stopped{channel=\"care\"} 1".to_owned(),
            "gauze_peer_channel_stopped{channel=\"pharma\"} 0".to_owned(),
            format!("gauze_panics_total {panics}"),
        ] {
            assert!(metrics.contains(&line), "{line}: {metrics}");
        }
        let height = self.channel(OTHER).height();
        self.order(OTHER, &format!("beside-{height}"));
        self.until_height(OTHER, height + 1).await;

        let refused = self.propose("cc", &[b"read", b"one"]).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unavailable, "{refused:?}");
        assert!(refused.message().contains(reason), "{refused:?}");
        let durable = self.propose("qscc", &[b"GetBlockByNumber", CARE.as_bytes(), b"1"]).await;
        assert_eq!(durable.unwrap().response.unwrap().status, 200);
        let channel = self.channel(CARE);
        assert_eq!(channel.height(), 2, "what failed is not shown");
        assert!(channel.ledger().block(2).unwrap().is_none());
        assert!(channel.ledger().view().unwrap().get("cc", "one").unwrap().is_none());
    }

    /// Restarts the peer and waits until it has all blocks.
    async fn recover(mut self) {
        let Node { handle, tasks, dir, .. } = self.node;
        tasks.shutdown(Duration::from_secs(10)).await;
        drop(handle);
        self.node = restart(&self.org, dir, &self.tasks).await;
        self.until_height(CARE, 4).await;
        let view = self.channel(CARE).ledger().view().unwrap();
        for key in ["one", "two"] {
            assert_eq!(view.get("cc", key).unwrap().unwrap().value, "value");
        }
        assert_eq!(self.node.operations.health.failed(), []);
        self.tasks.shutdown(Duration::from_secs(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_stops_its_channel_until_there_is_space() {
    let scenario = FailScenario::setup();
    let world = World::new().await;
    let reason = world.fail("ledger::block_append::before_write", "return(28)").await;
    for part in ["commit block 2", "/care/blocks/segments/", "No space left", "free space"] {
        assert!(reason.contains(part), "{part}: {reason}");
    }
    world.check_stopped(&reason, 0).await;
    world.recover().await;
    scenario.teardown();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_fsync_stops_its_channel() {
    let scenario = FailScenario::setup();
    let world = World::new().await;
    let reason = world.fail("ledger::block_append::before_sync", "return(5)").await;
    for part in ["sync", "/care/blocks/segments/", "Input/output error", "check the disk"] {
        assert!(reason.contains(part), "{part}: {reason}");
    }
    world.check_stopped(&reason, 0).await;
    world.recover().await;
    scenario.teardown();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_in_a_commit_is_counted_and_stops_its_channel() {
    let scenario = FailScenario::setup();
    let world = World::new().await;
    let reason = world.fail("ledger::block_append::before_write", "panic").await;
    assert!(reason.contains("panicked"), "{reason}");
    world.check_stopped(&reason, 1).await;
    world.recover().await;
    scenario.teardown();
}
