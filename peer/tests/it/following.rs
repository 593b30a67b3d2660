//! A whole peer follows an orderer, commits, tells, stops when it has to, and goes on where it was.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use deliver::seek;
use futures::StreamExt;
use ledger::TransientEntry;
use msp::SigningIdentity;
use node::grpc::Dial;
use node::tasks::Tasks;
use node::tls::certificates_from_pem;
use peer::channels::{Channel, CommitStatus, State};
use peer::events::chaincode::{self, Start};
use prost::Message;
use proto::common::{ConfigEnvelope, HeaderType};
use proto::kvrwset::{HashedRwSet, KvWrite, KvWriteHash, KvrwSet};
use proto::peer::deliver_client::DeliverClient;
use proto::peer::deliver_response::Type;
use proto::peer::filtered_transaction::Data;
use proto::peer::{ChaincodeEvent, DeliverResponse, TxValidationCode};
use proto::rwset::{
    CollectionHashedReadWriteSet, CollectionPvtReadWriteSet, NsPvtReadWriteSet, NsReadWriteSet,
    TxPvtReadWriteSet,
};
use proto::transientstore::TxPvtReadWriteSetWithConfigInfo;
use tokio_stream::wrappers::ReceiverStream;

use crate::consortium::{Org, genesis_at};
use crate::ordering::{Chain, Orderer};
use crate::peers::{Node, restart, start, until};
use crate::transactions::{Draft, definition, writes};

const CHANNEL: &str = "care";
const COLLECTION: &str = "_implicit_org_Org1MSP";

/// A peer that follows an orderer.
pub struct World {
    pub org: Org,
    pub orderer: Orderer,
    pub chain: Arc<Chain>,
    pub endorsers: [SigningIdentity; 2],
    pub client: SigningIdentity,
    /// A client of the other organization.
    pub outsider: SigningIdentity,
    pub node: Node,
    pub tasks: Tasks,
}

impl World {
    /// A peer that has joined and has chaincode `cc`.
    pub async fn new() -> Self {
        let tasks = Tasks::new();
        let orderer = Orderer::start(&tasks).await;
        let [org, other] = ["Org1MSP", "Org2MSP"].map(Org::new);
        let node = start(&org, &tasks).await;
        let users = [(&org, vec![]), (&other, vec![])];
        let block = genesis_at(CHANNEL, &orderer.org, &orderer.address, &users);
        let chain = orderer.begin(block.clone());
        node.handle.channels.join(&block).unwrap();
        let endorsers = [&org, &other].map(|org| org.identity("peer1", "peer"));
        let [client, outsider] = [&org, &other].map(|org| org.identity("user1", "client"));
        let world = Self { org, orderer, chain, endorsers, client, outsider, node, tasks };
        let mut draft = Draft::new(CHANNEL, "_lifecycle", &world.client);
        draft.namespaces = vec![definition("cc")];
        draft.endorsers = world.endorsers.iter().collect();
        world.chain.order(vec![draft.envelope()]);
        world.until_height(2).await;
        world
    }

    /// The channel at the peer.
    pub fn channel(&self) -> Arc<Channel> {
        self.node.handle.channels.get(CHANNEL).unwrap()
    }

    /// Waits until the peer has committed so many blocks.
    pub async fn until_height(&self, height: u64) {
        let channel = self.channel();
        until("height", || channel.height() >= height).await;
    }

    /// A good transaction that writes a key and sets an event.
    pub fn draft(&self, key: &str) -> Draft<'_> {
        let mut draft = Draft::new(CHANNEL, "cc", &self.client);
        draft.namespaces = vec![writes("cc", &[(key, b"value")])];
        let event = ChaincodeEvent {
            chaincode_id: "cc".into(),
            tx_id: draft.tx_id(),
            event_name: key.into(),
            payload: Bytes::from_static(b"payload"),
        };
        draft.events = event.encode_to_vec().into();
        draft.endorsers = self.endorsers.iter().collect();
        draft
    }

    /// The answers of a peer's Deliver method to a client, from block 0 to the newest.
    pub async fn deliver(&self, method: &str, caller: &SigningIdentity) -> Vec<Type> {
        let roots = certificates_from_pem(self.org.tls_root().as_bytes()).unwrap();
        let address = self.node.handle.address.to_string();
        let dial = Dial {
            address: &address,
            roots: Some(&roots),
            identity: None,
            server_name: None,
            timeout: Duration::from_secs(5),
        };
        let mut client = DeliverClient::new(dial.connect().await.unwrap());
        let seek = proto::orderer::SeekInfo {
            start: seek::oldest(),
            stop: seek::newest(),
            ..seek::follow(0)
        };
        let envelope = seek::envelope(caller, CHANNEL, &seek, None).unwrap();
        let (sender, receiver) = tokio::sync::mpsc::channel(1);
        sender.send(envelope).await.unwrap();
        let request = ReceiverStream::new(receiver);
        let answers = match method {
            "whole" => client.deliver(request).await,
            "filtered" => client.deliver_filtered(request).await,
            _ => client.deliver_with_private_data(request).await,
        };
        drop(sender);
        let answers = answers.unwrap().into_inner();
        answers.map(|answer| answer.unwrap()).map(content).collect().await
    }
}

fn content(response: DeliverResponse) -> Type {
    response.r#type.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blocks_are_committed_and_told() {
    let world = World::new().await;
    let channel = world.channel();
    let (good, mut bad) = (world.draft("one"), world.draft("two"));
    bad.endorsers.clear();
    let waiting = channel.clone();
    let awaited = good.tx_id();
    let status = world.tasks.spawn("wait", async move {
        let status = waiting.commit_status(&awaited).await.unwrap();
        assert_eq!(status, CommitStatus { code: TxValidationCode::Valid, block: 2 });
    });
    let events = chaincode::stream(channel.clone(), "cc".into(), Start::Next, None).unwrap();
    world.chain.order(vec![good.envelope(), bad.envelope()]);
    status.await.unwrap();
    let told = channel.commit_status(&bad.tx_id()).await.unwrap();
    let code = TxValidationCode::EndorsementPolicyFailure;
    assert_eq!(told, CommitStatus { code, block: 2 });
    let response = std::pin::pin!(events).next().await.unwrap().unwrap();
    assert_eq!(response.block_number, 2);
    assert_eq!(response.events.len(), 1, "the event of the invalid transaction is not told");
    assert_eq!(response.events[0].tx_id, good.tx_id());
    assert_eq!(response.events[0].payload, "payload");
    // After a transaction: its own events are not told again.
    let next = world.draft("three");
    world.chain.order(vec![next.envelope()]);
    let after = Some(good.tx_id());
    let events = chaincode::stream(channel.clone(), "cc".into(), Start::Block(0), after).unwrap();
    let response = std::pin::pin!(events).next().await.unwrap().unwrap();
    assert_eq!((response.block_number, response.events.len()), (3, 1));
    assert_eq!(response.events[0].tx_id, next.tx_id());
    world.tasks.shutdown(Duration::from_secs(10)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_receive_blocks_whole_and_filtered() {
    let world = World::new().await;
    let (good, mut bad) = (world.draft("one"), world.draft("two"));
    bad.action = Some(Bytes::from_static(b"\xff"));
    world.chain.order(vec![good.envelope(), bad.envelope()]);
    world.until_height(3).await;
    let channel = world.channel();
    let whole = world.deliver("whole", &world.client).await;
    assert_eq!(whole.len(), 4);
    for (number, answer) in whole.iter().take(3).enumerate() {
        let block = channel.ledger().block(number as u64).unwrap().unwrap();
        assert_eq!(answer, &Type::Block(block));
    }
    assert_eq!(whole[3], Type::Status(proto::common::Status::Success.into()));
    let filtered = world.deliver("filtered", &world.client).await;
    let Type::FilteredBlock(block) = &filtered[2] else { panic!("{filtered:?}") };
    assert_eq!((block.channel_id.as_str(), block.number), (CHANNEL, 2));
    let [first, second] = &block.filtered_transactions[..] else { panic!("{block:?}") };
    assert_eq!(first.txid, good.tx_id());
    assert_eq!(first.tx_validation_code(), TxValidationCode::Valid);
    let Some(Data::TransactionActions(actions)) = &first.data else { panic!("{first:?}") };
    let event = actions.chaincode_actions[0].chaincode_event.as_ref().unwrap();
    assert_eq!((event.event_name.as_str(), event.payload.len()), ("one", 0));
    // A transaction nobody can read is told like the others.
    assert_eq!(second.txid, bad.tx_id());
    assert_eq!(second.tx_validation_code(), TxValidationCode::BadResponsePayload);
    let Type::FilteredBlock(block) = &filtered[0] else { panic!("{filtered:?}") };
    assert_eq!(block.filtered_transactions[0].r#type(), HeaderType::Config);
    world.tasks.shutdown(Duration::from_secs(10)).await;
}

/// A write to the collection of the first organization, and its private side.
fn private_write(key: &str) -> (NsReadWriteSet, TxPvtReadWriteSet) {
    let (key, value) = (key.to_owned(), Bytes::from_static(b"secret"));
    let hashed = KvWriteHash {
        key_hash: Bytes::copy_from_slice(&proto::sha256(key.as_bytes())),
        value_hash: Bytes::copy_from_slice(&proto::sha256(&value)),
        ..Default::default()
    };
    let write = KvWrite { key, value, is_delete: false };
    let clear: Bytes = KvrwSet { writes: vec![write], ..Default::default() }.encode_to_vec().into();
    let collection = CollectionHashedReadWriteSet {
        collection_name: COLLECTION.into(),
        hashed_rwset: HashedRwSet { hashed_writes: vec![hashed], ..Default::default() }
            .encode_to_vec()
            .into(),
        pvt_rwset_hash: Bytes::copy_from_slice(&proto::sha256(&clear)),
    };
    let public = NsReadWriteSet {
        namespace: "cc".into(),
        collection_hashed_rwset: vec![collection],
        ..Default::default()
    };
    let collection = CollectionPvtReadWriteSet { collection_name: COLLECTION.into(), rwset: clear };
    let namespace =
        NsPvtReadWriteSet { namespace: "cc".into(), collection_pvt_rwset: vec![collection] };
    (public, TxPvtReadWriteSet { ns_pvt_rwset: vec![namespace], ..Default::default() })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn private_data_is_told_to_members_only() {
    let world = World::new().await;
    let channel = world.channel();
    let (public, private) = private_write("k");
    let mut draft = world.draft("one");
    draft.namespaces = vec![public];
    // The collection's own policy asks for its organization alone.
    draft.endorsers.pop();
    let entry = TransientEntry {
        received_at: 2,
        private: TxPvtReadWriteSetWithConfigInfo {
            endorsed_at: 2,
            pvt_rwset: Some(private.clone()),
            ..Default::default()
        },
    };
    let store = channel.ledger().transient_store();
    store.persist(&draft.tx_id(), &entry).unwrap();
    world.chain.order(vec![draft.envelope()]);
    let status = channel.commit_status(&draft.tx_id()).await.unwrap();
    assert_eq!(status.code, TxValidationCode::Valid);
    let held = channel.ledger().view().unwrap().private("cc", COLLECTION, "k").unwrap();
    assert_eq!(held.map(|held| held.value), Some(Bytes::from_static(b"secret")));
    until("purged", || store.get(&draft.tx_id()).unwrap().is_empty()).await;
    for (caller, expected) in
        [(&world.client, vec![(0, private.clone())]), (&world.outsider, vec![])]
    {
        let told = world.deliver("private", caller).await;
        let Type::BlockAndPrivateData(both) = &told[2] else { panic!("{told:?}") };
        assert_eq!(both.block, channel.ledger().block(2).unwrap());
        assert_eq!(both.private_data_map, expected.into_iter().collect());
    }
    world.tasks.shutdown(Duration::from_secs(10)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restarted_peer_goes_on_where_it_was() {
    let mut world = World::new().await;
    let Node { handle, tasks, dir, .. } = world.node;
    assert!(tasks.shutdown(Duration::from_secs(10)).await.dropped.is_empty());
    drop(handle);
    world.node = restart(&world.org, dir, &world.tasks).await;
    assert_eq!(world.channel().height(), 2);
    world.chain.order(vec![world.draft("one").envelope()]);
    world.until_height(3).await;
    world.tasks.shutdown(Duration::from_secs(10)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unusable_configuration_stops_its_channel_and_no_other() {
    let world = World::new().await;
    let users = [(&world.org, vec![])];
    let block = genesis_at("pharma", &world.orderer.org, &world.orderer.address, &users);
    let other = world.orderer.begin(block.clone());
    world.node.handle.channels.join(&block).unwrap();
    assert_eq!(world.node.operations.health.failed(), []);
    let mut draft = world.draft("config");
    draft.header_type = HeaderType::Config.into();
    let mut config = world.channel().bundle().config().clone();
    config.sequence += 2;
    let envelope = ConfigEnvelope { config: Some(config), last_update: None };
    draft.data = Some(envelope.encode_to_vec().into());
    world.chain.order_config(draft.envelope());
    let channel = world.channel();
    until("stopped", || matches!(channel.state(), State::Failed { .. })).await;
    assert_eq!(channel.height(), 2);
    let failed = world.node.operations.health.failed();
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0].component, "channel care");
    let metrics = world.node.operations.metrics.encode();
    assert!(metrics.contains("gauze_peer_channel_stopped{channel=\"care\"} 1"), "{metrics}");
    assert!(metrics.contains("gauze_panics_total 0"), "{metrics}");
    let mut draft = world.draft("other");
    draft.channel = "pharma".into();
    other.order(vec![draft.envelope()]);
    let pharma = world.node.handle.channels.get("pharma").unwrap();
    until("the other goes on", || pharma.height() == 2).await;
    world.tasks.shutdown(Duration::from_secs(10)).await;
}
