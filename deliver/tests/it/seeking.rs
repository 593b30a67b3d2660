//! What is delivered for which positions, over a real connection.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use deliver::seek::{self, newest, next_commit, oldest, specified};
use deliver::server::Config;
use msp::SigningIdentity;
use node::tls::ClientTls;
use proto::block;
use proto::common::{Envelope, Status};
use proto::orderer::seek_info::{SeekBehavior, SeekContentType, SeekErrorResponse};
use proto::orderer::{SeekInfo, SeekPosition};

use crate::chain::{Chain, Served};
use crate::consortium::{CHANNEL, Consortium};
use crate::orderer::{Answer, Orderer, Stream};

/// An orderer with some blocks, and a reader.
pub(crate) struct Network {
    pub(crate) consortium: Consortium,
    pub(crate) orderer: Orderer,
    pub(crate) chain: Arc<Chain>,
    pub(crate) signer: Arc<SigningIdentity>,
    pub(crate) reader: Arc<SigningIdentity>,
    pub(crate) tls: ClientTls,
}

impl Network {
    pub(crate) async fn start(blocks: usize) -> Self {
        Self::start_with(blocks, Config { tls_binding: true, ..Default::default() }).await
    }

    pub(crate) async fn start_with(blocks: usize, config: Config) -> Self {
        let consortium = Consortium::new();
        let mut orderer = Orderer::bind(&consortium).await;
        let chain = Chain::new(consortium.genesis(std::slice::from_ref(&orderer.address)));
        let signer = consortium.orderers.member("orderer");
        chain.grow(blocks - 1, &signer);
        orderer.serve_with(Served::new(Some(Arc::clone(&chain))), config);
        let (reader, tls) = (consortium.users.member("peer"), consortium.users.client_tls());
        Self { consortium, orderer, chain, signer, reader, tls }
    }

    pub(crate) async fn open(&self) -> Stream {
        self.orderer.open(&self.consortium.orderers, &self.tls).await
    }

    pub(crate) fn request(&self, seek: &SeekInfo) -> Envelope {
        seek::envelope(&self.reader, CHANNEL, seek, Some(self.tls.certificate_hash())).unwrap()
    }

    /// Asks on a new stream and gives what comes up to the final status.
    pub(crate) async fn seek(&self, seek: &SeekInfo) -> (Vec<u64>, Status) {
        let mut stream = self.open().await;
        stream.ask(self.request(seek)).await;
        stream.numbers().await
    }
}

pub(crate) fn fail_if_not_ready(
    start: Option<SeekPosition>,
    stop: Option<SeekPosition>,
) -> SeekInfo {
    let behavior = SeekBehavior::FailIfNotReady as i32;
    SeekInfo { start, stop, behavior, ..Default::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn positions_give_the_blocks_they_name() {
    let network = Network::start(6).await;
    let max = specified(u64::MAX);
    for (start, stop, blocks, status) in [
        (oldest(), newest(), 0..6, Status::Success),
        (oldest(), oldest(), 0..1, Status::Success),
        (newest(), newest(), 5..6, Status::Success),
        (newest(), oldest(), 5..6, Status::Success),
        (specified(2), specified(4), 2..5, Status::Success),
        (specified(3), oldest(), 3..4, Status::Success),
        (specified(3), newest(), 3..6, Status::Success),
        (oldest(), next_commit(), 0..1, Status::Success),
        (specified(4), specified(3), 0..0, Status::BadRequest),
        (None, newest(), 0..0, Status::BadRequest),
        (oldest(), None, 0..0, Status::BadRequest),
        (specified(7), max, 0..0, Status::NotFound),
        (specified(6), max, 0..0, Status::NotFound),
        (specified(4), max, 4..6, Status::NotFound),
        (next_commit(), max, 0..0, Status::NotFound),
    ] {
        let answer = network.seek(&fail_if_not_ready(start, stop)).await;
        assert_eq!(answer, (blocks.collect(), status), "{start:?} to {stop:?}");
    }
    network.orderer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_to_come_are_waited_for() {
    let network = Network::start(2).await;
    let mut stream = network.open().await;
    stream.ask(network.request(&seek::follow(1))).await;
    for number in 1..20 {
        if number >= network.chain.height() {
            network.chain.grow(1, &network.signer);
        }
        let Answer::Block(block) = stream.next().await else { panic!("no block {number}") };
        assert_eq!(block, network.chain.block(number as usize));
    }
    let mut waiting = network.open().await;
    let seek = SeekInfo { start: specified(20), stop: specified(21), ..Default::default() };
    waiting.ask(network.request(&seek)).await;
    network.chain.grow(3, &network.signer);
    assert_eq!(waiting.numbers().await, (vec![20, 21], Status::Success));
    network.orderer.stop().await;
    for _ in 20..=22 {
        assert!(matches!(stream.next().await, Answer::Block(_) | Answer::Failed(_)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_answers_one_request_after_the_other() {
    let network = Network::start(4).await;
    let mut stream = network.open().await;
    for number in [2, 0, 3] {
        let seek = fail_if_not_ready(specified(number), specified(number));
        stream.ask(network.request(&seek)).await;
    }
    for number in [2, 0, 3] {
        assert_eq!(stream.numbers().await, (vec![number], Status::Success));
    }
    stream.ask(network.request(&fail_if_not_ready(None, None))).await;
    assert_eq!(stream.numbers().await, (vec![], Status::BadRequest));
    assert_eq!(stream.next().await, Answer::End, "any status but success ends the stream");
    let mut stream = network.open().await;
    stream.ask(network.request(&fail_if_not_ready(oldest(), oldest()))).await;
    stream.finish();
    assert_eq!(stream.numbers().await, (vec![0], Status::Success));
    assert_eq!(stream.next().await, Answer::End);
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_come_without_data_but_for_configurations() {
    let network = Network::start(3).await;
    let seek = SeekInfo {
        content_type: SeekContentType::HeaderWithSig as i32,
        ..fail_if_not_ready(oldest(), newest())
    };
    let mut stream = network.open().await;
    stream.ask(network.request(&seek)).await;
    let Answer::Block(genesis) = stream.next().await else { panic!("no genesis") };
    assert_eq!(genesis, network.chain.block(0));
    let Answer::Block(header) = stream.next().await else { panic!("no header") };
    let whole = network.chain.block(1);
    assert!(header.data.is_none());
    assert_eq!((header.header, header.metadata), (whole.header, whole.metadata));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_working_consensus_only_the_easygoing_are_served() {
    let network = Network::start(3).await;
    let strict = fail_if_not_ready(oldest(), newest());
    let best_effort = SeekInfo { error_response: SeekErrorResponse::BestEffort as i32, ..strict };
    let mut following = network.open().await;
    let follow = SeekInfo { start: specified(3), stop: specified(u64::MAX), ..Default::default() };
    following.ask(network.request(&follow)).await;
    network.chain.grow(1, &network.signer);
    assert!(matches!(following.next().await, Answer::Block(_)));
    network.chain.works.send_replace(false);
    assert_eq!(following.next().await, Answer::Status(Status::ServiceUnavailable));
    assert_eq!(network.seek(&strict).await, (vec![], Status::ServiceUnavailable));
    assert_eq!(network.seek(&best_effort).await, (vec![0, 1, 2, 3], Status::Success));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_holds_few_blocks() {
    let config = Config { tls_binding: true, ..Default::default() };
    let network = Network::start_with(1, config.clone()).await;
    let large = vec![7; 300 << 10];
    for _ in 0..200 {
        let message = crate::chain::message(&large, &network.signer);
        network.chain.order(vec![message], &network.signer);
    }
    let mut stream = network.open().await;
    stream.ask(network.request(&fail_if_not_ready(oldest(), newest()))).await;
    assert!(matches!(stream.next().await, Answer::Block(_)));
    // Reading goes on until every buffer on the way is full; then it must stop.
    let mut reads = 0;
    loop {
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        let now = network.chain.reads.load(Ordering::SeqCst);
        if now == reads {
            break;
        }
        reads = now;
    }
    assert!(reads < 150, "{reads} of 200 blocks were read for a reader of one");
    let (rest, status) = stream.numbers().await;
    assert_eq!((rest.len(), status), (200, Status::Success));
    assert_eq!(block::number(&network.chain.block(200)), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_are_counted_and_given_back() {
    let config = Config { tls_binding: true, streams_max: 2, ..Default::default() };
    let network = Network::start_with(2, config).await;
    let (first, second) = (network.open().await, network.open().await);
    let refused = network.open().await.answers.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::Unknown);
    assert!(refused.message().contains("exceeding concurrency limit (2)"), "{refused:?}");
    drop((first, second));
    let deadline = std::time::Instant::now() + crate::orderer::SOON;
    while network.open().await.answers.is_err() {
        assert!(std::time::Instant::now() < deadline, "places are given back");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_ends_its_streams() {
    let network = Network::start(2).await;
    let mut stream = network.open().await;
    stream.ask(network.request(&seek::follow(1))).await;
    assert!(matches!(stream.next().await, Answer::Block(_)));
    let idle = network.open().await;
    network.orderer.stop().await;
    assert!(matches!(stream.next().await, Answer::Failed(_)));
    assert!(idle.answers.is_ok());
    assert!(network.orderer.tasks.running().is_empty());
}
