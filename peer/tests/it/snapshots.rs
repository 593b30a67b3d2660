//! Snapshots of a whole peer: requested, made, and joined by another one.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use deliver::seek;
use futures::StreamExt;
use msp::SigningIdentity;
use node::grpc::Dial;
use node::tasks::Tasks;
use node::tls::certificates_from_pem;
use peer::channels::Channel;
use prost::Message;
use proto::common::{BlockchainInfo, Config, SignatureHeader, Status as Code};
use proto::peer::deliver_client::DeliverClient;
use proto::peer::deliver_response::Type;
use proto::peer::endorser_client::EndorserClient;
use proto::peer::snapshot_client::SnapshotClient;
use proto::peer::{
    JoinBySnapshotStatus, Response, SignedSnapshotRequest, SnapshotQuery, SnapshotRequest,
    TxValidationCode,
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use tonic::transport::Channel as Connection;

use crate::consortium::{Org, genesis_at};
use crate::network;
use crate::ordering::{Chain, Orderer};
use crate::peers::{Node, restart, restart_with, start, start_with, until};
use crate::transactions::{Draft, definition, writes};

const CHANNEL: &str = "care";

struct World {
    orgs: [Org; 2],
    chain: Arc<Chain>,
    endorsers: [SigningIdentity; 2],
    client: SigningIdentity,
    node: Node,
    tasks: Tasks,
    _orderer: Orderer,
}

impl World {
    /// A peer of the first organization, with chaincode `cc`.
    async fn new(change: &dyn Fn(&mut peer::Config)) -> Self {
        let tasks = Tasks::new();
        let orderer = Orderer::start(&tasks).await;
        let orgs = ["Org1MSP", "Org2MSP"].map(Org::new);
        let node = start_with(&orgs[0], &tasks, change).await;
        let users = [(&orgs[0], vec![]), (&orgs[1], vec![])];
        let block = genesis_at(CHANNEL, &orderer.org, &orderer.address, &users);
        let chain = orderer.begin(block.clone());
        node.handle.channels.join(&block).unwrap();
        let endorsers = [&orgs[0], &orgs[1]].map(|org| org.identity("peer1", "peer"));
        let client = orgs[0].identity("user1", "client");
        let world = Self { orgs, chain, endorsers, client, node, tasks, _orderer: orderer };
        let mut draft = Draft::new(CHANNEL, "_lifecycle", &world.client);
        draft.namespaces = vec![definition("cc")];
        draft.endorsers = world.endorsers.iter().collect();
        world.order(draft.envelope()).await;
        world
    }

    fn channel(&self) -> Arc<Channel> {
        self.node.handle.channels.get(CHANNEL).unwrap()
    }

    /// Orders one transaction and waits until it is committed.
    async fn order(&self, envelope: Bytes) -> u64 {
        let number = self.chain.order(vec![envelope]);
        let channel = self.channel();
        until("height", || channel.height() > number).await;
        number
    }

    async fn put(&self, key: &str) -> u64 {
        self.order(self.transaction(key)).await
    }

    fn transaction(&self, key: &str) -> Bytes {
        let mut draft = Draft::new(CHANNEL, "cc", &self.client);
        draft.namespaces = vec![writes("cc", &[(key, b"value")])];
        draft.endorsers = self.endorsers.iter().collect();
        draft.envelope()
    }

    /// The folder of all complete snapshots of the channel.
    fn completed(&self) -> PathBuf {
        self.node.dir.path().join("data/snapshots/completed").join(CHANNEL)
    }

    async fn until_made(&self, block: u64) -> PathBuf {
        let place = self.completed().join(block.to_string());
        until("snapshot", || place.exists()).await;
        place
    }
}

async fn connect(org: &Org, node: &Node) -> Connection {
    let roots = certificates_from_pem(org.tls_root().as_bytes()).unwrap();
    let address = node.handle.address.to_string();
    let dial = Dial {
        address: &address,
        roots: Some(&roots),
        identity: None,
        server_name: None,
        timeout: Duration::from_secs(5),
    };
    dial.connect().await.unwrap()
}

/// Asks for snapshots as somebody.
struct Requester<'a> {
    client: SnapshotClient<Connection>,
    signer: &'a SigningIdentity,
}

impl<'a> Requester<'a> {
    async fn new(org: &Org, node: &Node, signer: &'a SigningIdentity) -> Self {
        Self { client: SnapshotClient::new(connect(org, node).await), signer }
    }

    fn signed(&self, request: &impl Message) -> SignedSnapshotRequest {
        let request = Bytes::from(request.encode_to_vec());
        let signature = self.signer.sign(&request).unwrap();
        SignedSnapshotRequest { request, signature }
    }

    fn header(&self) -> Option<SignatureHeader> {
        let creator = self.signer.serialized().clone();
        Some(SignatureHeader { creator, nonce: Bytes::from_static(b"nonce") })
    }

    fn request(&self, channel: &str, block_number: u64) -> SignedSnapshotRequest {
        let channel_id = channel.to_owned();
        let signature_header = self.header();
        self.signed(&SnapshotRequest { signature_header, channel_id, block_number })
    }

    async fn generate(&mut self, block: u64) -> Result<(), Status> {
        self.client.generate(self.request(CHANNEL, block)).await.map(drop)
    }

    async fn cancel(&mut self, block: u64) -> Result<(), Status> {
        self.client.cancel(self.request(CHANNEL, block)).await.map(drop)
    }

    async fn pending(&mut self) -> Result<Vec<u64>, Status> {
        let query =
            SnapshotQuery { signature_header: self.header(), channel_id: CHANNEL.to_owned() };
        let answer = self.client.query_pendings(self.signed(&query)).await?;
        Ok(answer.into_inner().block_numbers)
    }
}

#[track_caller]
fn refused(outcome: Result<(), Status>, expected: &str) {
    let status = outcome.unwrap_err();
    assert_eq!(status.code(), tonic::Code::Unknown);
    assert!(status.message().contains(expected), "{}", status.message());
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names: Vec<_> =
        entries.map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    names(dir).into_iter().map(|name| (name.clone(), fs::read(dir.join(name)).unwrap())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_are_answered_as_fabric_does() {
    let world = World::new(&|config| config.snapshots.pending_max = 3).await;
    let admin = world.orgs[0].identity("admin", "admin");
    let mut by = Requester::new(&world.orgs[0], &world.node, &admin).await;
    by.generate(11).await.unwrap();
    refused(by.generate(11).await, "duplicate snapshot request for block number 11");
    by.generate(0).await.unwrap();
    let place = world.until_made(1).await;
    assert!(place.join("_snapshot_signable_metadata.json").exists());
    while by.pending().await.unwrap() != [11] {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    refused(by.generate(0).await, "snapshot already generated for block number 1");
    refused(by.generate(1).await, "snapshot already generated for block number 1");
    world.put("one").await;
    refused(
        by.generate(1).await,
        "requested snapshot for block number 1 cannot be less than the last committed block \
         number 2",
    );
    by.generate(12).await.unwrap();
    by.generate(13).await.unwrap();
    refused(by.generate(14).await, "3 snapshot requests are pending already");
    assert_eq!(by.pending().await.unwrap(), [11, 12, 13]);
    by.cancel(12).await.unwrap();
    refused(by.cancel(12).await, "no snapshot request exists for block number 12");
    assert_eq!(by.pending().await.unwrap(), [11, 13]);

    refused(by.client.generate(by.request("", 9)).await.map(drop), "missing channel ID");
    let unknown = "cannot find ledger for channel pharma";
    refused(by.client.generate(by.request("pharma", 9)).await.map(drop), unknown);
    let bare = by.signed(&SnapshotRequest { channel_id: CHANNEL.into(), ..Default::default() });
    refused(by.client.generate(bare).await.map(drop), "missing signature header");
    let mut forged = by.request(CHANNEL, 9);
    forged.signature = admin.sign(b"other").unwrap();
    refused(by.client.cancel(forged).await.map(drop), "Failed verifying");
    let garbage = SignedSnapshotRequest { request: Bytes::from_static(b"\xff"), ..bare_request() };
    refused(by.client.generate(garbage).await.map(drop), "failed to unmarshal snapshot request");
    for outsider in [&world.client, &world.orgs[1].identity("admin", "admin")] {
        let mut by = Requester::new(&world.orgs[0], &world.node, outsider).await;
        refused(by.generate(9).await, "channelless check policy with policy [Admins]");
        refused(by.cancel(11).await, "channelless check policy with policy [Admins]");
        refused(by.pending().await.map(drop), "channelless check policy with policy [Admins]");
    }
    assert_eq!(names(&world.completed()), ["1"]);
    world.tasks.shutdown(Duration::from_secs(10)).await;
}

fn bare_request() -> SignedSnapshotRequest {
    SignedSnapshotRequest::default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_survive_a_restart() {
    let mut world = World::new(&|_| {}).await;
    let admin = world.orgs[0].identity("admin", "admin");
    let mut by = Requester::new(&world.orgs[0], &world.node, &admin).await;
    for block in [3, 5] {
        by.generate(block).await.unwrap();
    }
    for key in ["a", "b", "c"] {
        world.put(key).await;
    }
    let third = files(&world.until_made(3).await);
    let requests = world.node.dir.path().join("data/snapshots/requests/care.json");
    let pending = r#"{"pending":[5],"scheduled":[]}"#;
    until("the request ends", || fs::read_to_string(&requests).unwrap() == pending).await;
    let Node { handle, tasks, dir, .. } = world.node;
    assert!(tasks.shutdown(Duration::from_secs(10)).await.dropped.is_empty());
    drop(handle);
    // As if it had died after block 3 was committed and before its snapshot was there.
    let completed = dir.path().join("data/snapshots/completed/care");
    fs::rename(completed.join("3"), completed.join("3.unfinished")).unwrap();
    fs::write(&requests, r#"{"pending":[3,5],"scheduled":[]}"#).unwrap();
    world.node = restart(&world.orgs[0], dir, &world.tasks).await;
    assert_eq!(files(&world.until_made(3).await), third);
    world.put("d").await;
    let fifth = files(&world.until_made(5).await);
    world.put("e").await;
    assert_eq!(names(&world.completed()), ["3", "5"]);
    world.channel().ledger().snapshot_of(5, world.node.dir.path().join("again")).unwrap();
    assert_eq!(files(&world.node.dir.path().join("again")), fifth);
    let done = r#"{"pending":[],"scheduled":[]}"#;
    until("no requests are left", || fs::read_to_string(&requests).unwrap() == done).await;
    world.tasks.shutdown(Duration::from_secs(10)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scheduled_ones_are_made_and_a_few_kept() {
    let change = |config: &mut peer::Config| config.snapshots.every_blocks = 3;
    let mut world = World::new(&change).await;
    let mut number = 1;
    for block in [3, 6, 9] {
        while number < block {
            number = world.put(&number.to_string()).await;
        }
        world.until_made(block).await;
    }
    until("the oldest is gone", || !world.completed().join("3").exists()).await;
    assert_eq!(names(&world.completed()), ["6", "9"]);
    let Node { handle, tasks, dir, .. } = world.node;
    assert!(tasks.shutdown(Duration::from_secs(10)).await.dropped.is_empty());
    drop(handle);
    world.node = restart_with(&world.orgs[0], dir, &world.tasks, &change).await;
    for key in ["a", "b", "c"] {
        world.put(key).await;
    }
    world.until_made(12).await;
    until("the oldest is gone", || !world.completed().join("6").exists()).await;
    assert_eq!(names(&world.completed()), ["12", "9"]);
    world.tasks.shutdown(Duration::from_secs(10)).await;
}

/// The answer of a system chaincode of the peer itself.
async fn ask(org: &Org, node: &Node, by: &SigningIdentity, name: &str, args: &[&[u8]]) -> Response {
    let mut draft = network::Draft::new(name, args);
    draft.channel = String::new();
    let mut client = EndorserClient::new(connect(org, node).await);
    match client.process_proposal(draft.sign(by)).await {
        Ok(answer) => answer.into_inner().response.unwrap(),
        Err(status) => {
            Response { status: 500, message: status.message().into(), ..Default::default() }
        }
    }
}

async fn join(org: &Org, node: &Node, by: &SigningIdentity, dir: &Path) -> Response {
    let dir = dir.to_str().unwrap().as_bytes();
    ask(org, node, by, "cscc", &[b"JoinChainBySnapshot", dir]).await
}

/// The first answer to a client that wants all blocks.
async fn deliver_oldest(org: &Org, node: &Node, by: &SigningIdentity) -> Type {
    let mut client = DeliverClient::new(connect(org, node).await);
    let seek = proto::orderer::SeekInfo { start: seek::oldest(), ..seek::follow(0) };
    let envelope = seek::envelope(by, CHANNEL, &seek, None).unwrap();
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    sender.send(envelope).await.unwrap();
    let answers = client.deliver(ReceiverStream::new(receiver)).await.unwrap().into_inner();
    std::pin::pin!(answers).next().await.unwrap().unwrap().r#type.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_joins_by_a_snapshot_and_goes_on() {
    let world = World::new(&|_| {}).await;
    let old = world.transaction("old");
    world.order(old.clone()).await;
    world.put("newer").await;
    let admin = world.orgs[0].identity("admin", "admin");
    let mut by = Requester::new(&world.orgs[0], &world.node, &admin).await;
    by.generate(0).await.unwrap();
    let snapshot = world.until_made(3).await;

    let org = &world.orgs[1];
    let [admin, user] = [("admin", "admin"), ("user", "client")].map(|it| org.identity(it.0, it.1));
    let mut node = start(org, &world.tasks).await;
    assert!(
        join(org, &node, &user, &snapshot)
            .await
            .message
            .contains("access denied for [JoinChainBySnapshot]")
    );
    let nowhere = join(org, &node, &admin, Path::new("/nowhere")).await;
    assert!(nowhere.message.contains("/nowhere"), "{}", nowhere.message);
    assert_eq!(join(org, &node, &admin, &snapshot).await.status, 200);
    until("joined", || node.handle.channels.get(CHANNEL).is_some()).await;
    let status = ask(org, &node, &admin, "cscc", &[b"JoinBySnapshotStatus"]).await;
    let status = JoinBySnapshotStatus::decode(status.payload).unwrap();
    assert!(status.bootstrapping_snapshot_dir.is_empty() || status.in_progress);
    let again = join(org, &node, &admin, &snapshot).await.message;
    assert!(again.contains("already exists") || again.contains("is being joined"), "{again}");

    // The same transaction again, from before the snapshot, and a new one.
    let number = world.chain.order(vec![old, world.transaction("newest")]);
    let [first, second] = [&world.node, &node].map(|it| it.handle.channels.get(CHANNEL).unwrap());
    until("both have it", || [&first, &second].iter().all(|it| it.height() > number)).await;
    let [one, other] = [&first, &second].map(|it| it.ledger().block(number).unwrap().unwrap());
    assert_eq!(one, other);
    let codes = [TxValidationCode::DuplicateTxid, TxValidationCode::Valid];
    let codes = codes.map(|code| code as i32 as u8);
    assert_eq!(proto::block::transactions_filter(&other)[..], codes);
    assert!(proto::block::commit_hash(&other).is_some());

    let info = ask(org, &node, &user, "qscc", &[b"GetChainInfo", CHANNEL.as_bytes()]).await;
    let info = BlockchainInfo::decode(info.payload).unwrap();
    assert_eq!(
        (info.height, info.bootstrapping_snapshot_info.unwrap().last_block_in_snapshot),
        (5, 3)
    );
    let args: [&[u8]; 3] = [b"GetBlockByNumber", CHANNEL.as_bytes(), b"0"];
    let block = ask(org, &node, &user, "qscc", &args).await;
    assert!(block.message.contains("block 0 is not available"), "{}", block.message);
    let config = ask(org, &node, &user, "cscc", &[b"GetChannelConfig", CHANNEL.as_bytes()]).await;
    let config = Config::decode(config.payload).unwrap();
    assert_eq!(&config, first.bundle().config());
    let config = ask(org, &node, &user, "cscc", &[b"GetConfigBlock", CHANNEL.as_bytes()]).await;
    assert!(config.message.contains("not available"), "{}", config.message);
    let not_found = Type::Status(Code::NotFound.into());
    assert_eq!(deliver_oldest(org, &node, &user).await, not_found);

    let [one, other] = ["one", "other"].map(|name| world.node.dir.path().join(name));
    let written = first.ledger().snapshot(one).unwrap();
    assert_eq!(second.ledger().snapshot(other).unwrap(), written);
    drop((first, second));
    let Node { handle, tasks, dir, .. } = node;
    assert!(tasks.shutdown(Duration::from_secs(10)).await.dropped.is_empty());
    drop(handle);
    node = restart(org, dir, &world.tasks).await;
    let channel = node.handle.channels.get(CHANNEL).unwrap();
    assert_eq!((channel.height(), channel.ledger().first_block()), (5, 4));
    let number = world.put("after").await;
    until("it goes on", || channel.height() > number).await;
    world.tasks.shutdown(Duration::from_secs(10)).await;
}
