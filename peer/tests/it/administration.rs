//! A running peer's channels are paused, rebuilt, cut back, left and joined again, over mutual TLS.

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

async fn start(org: &Org, other: &Org, tasks: &Tasks) -> Node {
    let dir = tempfile::tempdir().unwrap();
    prepare(org, dir.path());
    let roots = org.tls_root() + &other.tls_root();
    std::fs::write(dir.path().join("client-roots.pem"), roots).unwrap();
    restart(org, dir, tasks).await
}

async fn restart(org: &Org, dir: tempfile::TempDir, tasks: &Tasks) -> Node {
    let roots = dir.path().join("client-roots.pem");
    restart_with(org, dir, tasks, |config| {
        config.tls.client_auth_required = true;
        config.tls.client_root_cas = vec![roots];
        config.admin.drain_timeout = Duration::from_secs(20);
    })
    .await
}

impl World {
    async fn new() -> Self {
        let tasks = Tasks::new();
        let orderer = Orderer::start(&tasks).await;
        let [org, other] = ["Org1MSP", "Org2MSP"].map(Org::new);
        let node = start(&org, &other, &tasks).await;
        let witness = start(&other, &org, &tasks).await;
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_is_cut_back_under_load_and_catches_up() {
    let world = World::new().await;
    for number in 2..30 {
        world.order(number);
    }
    world.until_same(CHANNEL, 30).await;
    let mut blocks = world.follow(20).await;
    let events = chaincode::stream(world.channel(), "cc".into(), Start::Next, None).unwrap();
    let waiting = world.channel();
    let waiter = world.tasks.spawn("wait", async move {
        let status = waiting.commit_status("never").await;
        assert!(matches!(status, Err(peer::channels::Error::Unavailable(_))), "{status:?}");
    });
    until("all blocks are told", || world.channel().height() == 30).await;
    let reports = world.begin(rollback(7)).await.unwrap();
    for number in 30..40 {
        world.order(number);
        world.order_on(1, number);
    }
    let outcome = finish(reports).await.unwrap();
    assert_eq!(outcome.state(), ChannelState::Running);
    // Those who held the old channel were told.
    waiter.await.unwrap();
    let told = std::pin::pin!(events).next().await.unwrap();
    assert!(matches!(told, Err(peer::channels::Error::Unavailable(_))), "{told:?}");
    let mut last = None;
    while let Some(answer) = blocks.message().await.unwrap() {
        last = answer.r#type;
    }
    assert_eq!(last, Some(Type::Status(Code::ServiceUnavailable.into())));
    world.until_same(CHANNEL, 40).await;
    world.until_same(OTHER, 12).await;
    assert_eq!(world.channel().ledger().to_regain(), None);
    for content in [Content::Reset(ResetRequest {}), Content::Rebuild(RebuildRequest {})] {
        world.operate(content).await.unwrap();
        world.until_same(CHANNEL, 40).await;
    }
    let refused = world.operate(rollback(40)).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::FailedPrecondition, "{refused}");
    world.until_same(CHANNEL, world.order(41) + 1).await;
    let metrics = world.node.operations.metrics.encode();
    assert!(metrics.contains("gauze_panics_total 0"), "{metrics}");
    assert_eq!(world.node.operations.health.failed(), []);
    world.tasks.shutdown(Duration::from_secs(10)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_channel_rests_until_it_is_resumed() {
    let mut world = World::new().await;
    world.until_same(CHANNEL, 2).await;
    let served = (200, tonic::Code::Ok, Code::Success);
    assert_eq!(world.answers().await, served);
    world.operate(Content::Pause(PauseRequest {})).await.unwrap();
    let closed = (503, tonic::Code::Unavailable, Code::ServiceUnavailable);
    assert_eq!(world.answers().await, closed);
    let again = world.operate(Content::Pause(PauseRequest {})).await.unwrap_err();
    assert_eq!(again.code(), tonic::Code::FailedPrecondition);
    assert!(again.message().contains("paused already"), "{again}");
    for number in 2..6 {
        world.order(number);
        world.order_on(1, number);
    }
    world.until_same(OTHER, 6).await;
    let expected = [(CHANNEL, ChannelState::Paused, 2), (OTHER, ChannelState::Running, 6)];
    let expected = expected.map(|(id, state, height)| (id.to_owned(), state, height));
    assert_eq!(world.status().await, expected);
    // What is done to a paused channel leaves it paused, and so does a restart.
    let outcome = world.operate(Content::Rebuild(RebuildRequest {})).await.unwrap();
    assert_eq!((outcome.state(), outcome.height), (ChannelState::Paused, 2));
    let Node { handle, tasks, dir, .. } = world.node;
    assert!(tasks.shutdown(Duration::from_secs(10)).await.dropped.is_empty());
    drop(handle);
    world.node = restart(&world.org, dir, &world.tasks).await;
    assert_eq!(world.status().await[0], expected[0]);
    assert_eq!(world.answers().await, closed);
    assert_eq!(world.node.operations.health.failed(), []);
    world.operate(Content::Resume(ResumeRequest {})).await.unwrap();
    world.until_same(CHANNEL, 6).await;
    assert_eq!(world.answers().await, served);
    let running = world.operate(Content::Resume(ResumeRequest {})).await.unwrap_err();
    assert_eq!(running.code(), tonic::Code::FailedPrecondition);
    world.tasks.shutdown(Duration::from_secs(10)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_peers_own_administrators_may_and_only_once() {
    let world = World::new().await;
    world.until_same(CHANNEL, 2).await;
    let mut client = world.administration().await;
    let good = || world.request(Content::Reset(ResetRequest {}));
    let outsider = world.other.identity("admin", "admin");
    let as_creator =
        |signer: &SigningIdentity| Request { creator: signer.serialized().clone(), ..good() };
    let (denied, forged) = (tonic::Code::PermissionDenied, tonic::Code::Unauthenticated);
    let long_ago = SystemTime::now() - Duration::from_secs(3600);
    let other_tls = Bytes::copy_from_slice(&[7; 32]);
    let cases = [
        (sign(&as_creator(&world.client), &world.client), denied),
        (sign(&as_creator(&outsider), &outsider), denied),
        // In the name of an administrator.
        (sign(&good(), &world.client), denied),
        (sign(&Request { timestamp: Some(long_ago.into()), ..good() }, &world.admin), forged),
        (sign(&Request { timestamp: None, ..good() }, &world.admin), tonic::Code::InvalidArgument),
        (sign(&Request { tls_cert_hash: other_tls, ..good() }, &world.admin), forged),
        (
            sign(&Request { nonce: Bytes::new(), ..good() }, &world.admin),
            tonic::Code::InvalidArgument,
        ),
        (sign(&Request { content: None, ..good() }, &world.admin), tonic::Code::InvalidArgument),
        (sign(&Request { creator: Bytes::new(), ..good() }, &world.admin), forged),
        (sign(&Request { channel: "none".into(), ..good() }, &world.admin), tonic::Code::NotFound),
        // Made for another call.
        (world.signed(Content::Unjoin(UnjoinRequest {})), tonic::Code::InvalidArgument),
        (
            SignedRequest { request: Bytes::from_static(b"\xff"), ..Default::default() },
            tonic::Code::InvalidArgument,
        ),
    ];
    for (index, (request, code)) in cases.into_iter().enumerate() {
        let refused = client.reset(request).await.unwrap_err();
        assert_eq!(refused.code(), code, "case {index}: {refused}");
    }
    let request = world.signed(Content::Reset(ResetRequest {}));
    finish(client.reset(request.clone()).await.unwrap().into_inner()).await.unwrap();
    let replayed = client.reset(request).await.unwrap_err();
    assert_eq!(replayed.code(), tonic::Code::AlreadyExists, "{replayed}");
    world.until_same(CHANNEL, 2).await;
    world.tasks.shutdown(Duration::from_secs(10)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_is_left_and_joined_again() {
    let world = World::new().await;
    for number in 2..6 {
        world.order(number);
    }
    world.until_same(CHANNEL, 6).await;
    // A request that still uses the channel is waited for; nothing else begins meanwhile.
    let held = world.channel();
    let reports = world.begin(Content::Unjoin(UnjoinRequest {})).await.unwrap();
    until("closing", || held.is_closing()).await;
    let busy = world.operate(Content::Rebuild(RebuildRequest {})).await.unwrap_err();
    assert_eq!(busy.code(), tonic::Code::FailedPrecondition, "{busy}");
    assert!(matches!(held.state(), State::Rebuilding(_)));
    assert_eq!(held.ledger().block(5).unwrap().map(|block| proto::block::number(&block)), Some(5));
    drop(held);
    assert_eq!(finish(reports).await.unwrap(), ChannelStatus::default());
    let folder = world.node.dir.path().join("data/ledgers");
    let left: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert_eq!(left, [OTHER]);
    let gone = world.operate(Content::Unjoin(UnjoinRequest {})).await.unwrap_err();
    assert_eq!(gone.code(), tonic::Code::NotFound);
    assert_eq!(world.status().await.len(), 1);
    let genesis = world.witness.handle.channels.get(CHANNEL).unwrap();
    let genesis = genesis.ledger().block(0).unwrap().unwrap();
    world.node.handle.channels.join(&genesis).unwrap();
    world.until_same(CHANNEL, 6).await;
    world.until_same(CHANNEL, world.order(7) + 1).await;
    world.tasks.shutdown(Duration::from_secs(10)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ledger_that_cannot_be_opened_fails_alone() {
    let mut world = World::new().await;
    world.order(2);
    world.until_same(CHANNEL, 3).await;
    let Node { handle, tasks, dir, .. } = world.node;
    assert!(tasks.shutdown(Duration::from_secs(10)).await.dropped.is_empty());
    drop(handle);
    let segment = dir.path().join("data/ledgers/care/blocks/segments/0000000000.segment");
    let whole = std::fs::read(&segment).unwrap();
    let mut damaged = whole.clone();
    damaged[2000] ^= 1;
    std::fs::write(&segment, damaged).unwrap();
    world.node = restart(&world.org, dir, &world.tasks).await;
    let status = world.status().await;
    assert_eq!((status[0].1, status[1].1), (ChannelState::Failed, ChannelState::Running));
    let failed = world.node.operations.health.failed();
    assert_eq!(failed[0].component, "channel care");
    assert!(failed[0].reason.contains("0000000000.segment is damaged"), "{failed:?}");
    assert_eq!(world.answers().await.0, 503);
    world.until_same(OTHER, world.order_on(1, 2) + 1).await;
    let refused = world.operate(Content::Resume(ResumeRequest {})).await.unwrap_err();
    assert!(refused.message().contains("is damaged"), "{refused}");
    // The operator restores the file.
    std::fs::write(&segment, whole).unwrap();
    world.operate(Content::Resume(ResumeRequest {})).await.unwrap();
    world.until_same(CHANNEL, world.order(3) + 1).await;
    until("health", || world.node.operations.health.failed().is_empty()).await;
    world.tasks.shutdown(Duration::from_secs(10)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_are_told_what_keys_were() {
    let world = World::new().await;
    for number in 2..12 {
        world.order(number);
    }
    world.until_same(CHANNEL, 12).await;
    let mut queries = world.queries().await;
    let reader = |content| {
        let creator = world.client.serialized().clone();
        sign(&Request { creator, ..world.request(content) }, &world.client)
    };
    let (namespace, key) = (String::from("cc"), String::from("same"));
    let value = |number: u64| Bytes::from(format!("{{\"n\":{number}}}"));

    let mut asked = HistoryRequest { namespace, key, limit: 4, before: None };
    let mut numbers = Vec::new();
    loop {
        let page = queries.history(reader(Content::History(asked.clone()))).await.unwrap();
        let page = page.into_inner();
        numbers.extend(page.modifications.iter().map(|it| it.position.unwrap().block));
        asked.before = page.modifications.last().and_then(|it| it.position);
        if !page.more {
            break;
        }
        assert_eq!(page.modifications.len(), 4);
    }
    assert_eq!(numbers, (2..12).rev().collect::<Vec<_>>());

    for (height, expected) in [(0, Some(11)), (12, Some(11)), (5, Some(4)), (3, Some(2)), (2, None)]
    {
        let asked = StateRequest { namespace: "cc".into(), key: "same".into(), height };
        let told = queries.state(reader(Content::State(asked))).await.unwrap().into_inner();
        assert_eq!(told.written.map(|it| it.value), expected.map(value), "at {height}");
    }
    let asked = StateRequest { namespace: "cc".into(), key: "same".into(), height: 13 };
    let above = queries.state(reader(Content::State(asked))).await.unwrap_err();
    assert_eq!(above.code(), tonic::Code::OutOfRange, "{above}");

    let mut asked = RangeRequest { namespace: "cc".into(), limit: 3, ..Default::default() };
    let mut keys = Vec::new();
    loop {
        let page = queries.range(reader(Content::Range(asked.clone()))).await.unwrap();
        let page = page.into_inner();
        assert_eq!(page.height, 12);
        keys.extend(page.entries.into_iter().map(|entry| entry.key));
        asked.start = page.next;
        if asked.start.is_empty() {
            break;
        }
    }
    let mut expected: Vec<_> = (2..12).map(|number| format!("key-{number:03}")).collect();
    expected.push("same".into());
    assert_eq!(keys, expected);

    let asked = DiffRequest { from: 4, to: 6, namespace: "cc".into(), ..Default::default() };
    let told = queries.diff(reader(Content::Diff(asked))).await.unwrap().into_inner().changes;
    let told: Vec<_> = told
        .into_iter()
        .map(|it| (it.key, it.before.map(|it| it.value), it.after.map(|it| it.value)))
        .collect();
    assert_eq!(
        told,
        [
            ("key-004".into(), None, Some(value(4))),
            ("key-005".into(), None, Some(value(5))),
            ("same".into(), Some(value(3)), Some(value(5))),
        ]
    );
    // Private data stands in the state, too, and is nobody's business here.
    let asked = RangeRequest { namespace: "cc$$pc".into(), ..Default::default() };
    let refused = queries.range(reader(Content::Range(asked))).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::InvalidArgument);
    let stranger = Org::new("Org3MSP").identity("user1", "client");
    let asked = world.request(Content::Range(RangeRequest::default()));
    let asked = sign(&Request { creator: stranger.serialized().clone(), ..asked }, &stranger);
    let denied = queries.range(asked).await.unwrap_err();
    assert_eq!(denied.code(), tonic::Code::PermissionDenied, "{denied}");
    world.tasks.shutdown(Duration::from_secs(10)).await;
}
