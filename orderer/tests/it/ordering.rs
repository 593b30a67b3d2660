//! Envelopes become blocks.

use std::sync::Arc;
use std::time::Duration;

use channel::Bundle;
use deliver::{Verifier, seek};
use orderer::channels::consenter_metadata;
use prost::Message;
use proto::block;
use proto::common::{Envelope, HeaderType, Status};

use crate::network::{CHANNEL, Network, assert_same, contents, envelope};

#[tokio::test(flavor = "multi_thread")]
async fn one_orderer_orders_a_pipelined_stream_and_delivers_verifiable_blocks() {
    let network = Network::with_channel(1, |_| {}).await;
    let sent = network.transactions("tx", 300, 200);
    let answers = network.broadcast(0, sent.clone()).await;
    assert_eq!(answers.len(), sent.len());
    assert!(answers.iter().all(|a| a.status == Status::Success as i32), "{answers:?}");

    // What is acknowledged is in the chain, in the order of the stream.
    let height = network.nodes[0].height();
    let mut all = seek::follow(0);
    all.stop = seek::newest();
    let (blocks, status) = network.deliver(0, &all).await;
    assert_eq!((blocks.len() as u64, status), (height, Status::Success as i32));
    let bytes: Vec<_> = sent.iter().map(Message::encode_to_vec).collect();
    let order: Vec<_> = contents(&blocks)
        .iter()
        .map(|it| bytes.iter().position(|sent| sent == it).expect("it was sent"))
        .collect();
    assert_eq!(order, (0..sent.len()).collect::<Vec<_>>());

    let genesis = Arc::new(Bundle::from_block(&blocks[0]).unwrap());
    let mut verifier = Verifier::after(genesis, block::header(&blocks[0]).unwrap());
    let mut index = 0;
    for it in &blocks[1..] {
        verifier.verify(it).unwrap();
        let metadata = consenter_metadata(it).unwrap().unwrap();
        assert_eq!((&metadata.consenter_ids[..], metadata.next_consenter_id), (&[1][..], 2));
        assert!(metadata.raft_index > index);
        index = metadata.raft_index;
        assert_eq!(it.metadata.as_ref().unwrap().metadata.len(), 5);
        assert_eq!(block::last_config(it).unwrap(), 0);
        assert!(it.metadata.as_ref().unwrap().metadata[1].is_empty());
    }
    network.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lone_envelope_does_not_wait_for_the_batch_timeout() {
    let patient = |profile: &mut channel::genesis::Profile| {
        profile.orderer.batch_timeout = Duration::from_secs(600);
    };
    let network = Network::with_channel(1, patient).await;
    let answers = network.broadcast(0, network.transactions("tx", 1, 10)).await;
    assert_eq!(answers[0].status, Status::Success as i32, "{answers:?}");
    network.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_early_cut_batches_fill_up() {
    let mut network = Network::start(1).await;
    network.nodes[0].kill().await;
    network.nodes[0].config.consensus.early_cut = false;
    network.nodes[0].start().await;
    let genesis = network.genesis(&[0], |profile| {
        profile.orderer.batch_timeout = Duration::from_millis(300);
        profile.orderer.batch_size.max_message_count = 10;
    });
    network.nodes[0].handle().channels.join(&genesis).unwrap();
    network.leader().await;
    let answers = network.broadcast(0, network.transactions("tx", 25, 10)).await;
    assert_eq!(answers.len(), 25);
    let blocks = network.nodes[0].blocks(4).await;
    let counts: Vec<_> = blocks[1..].iter().map(|it| block::envelopes(it).len()).collect();
    assert_eq!(counts, [10, 10, 5]);
    network.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn three_orderers_write_the_same_blocks_wherever_envelopes_are_sent() {
    let network = Network::with_channel(3, |_| {}).await;
    let streams = (0..3).map(|node| {
        let sent = network.transactions(&format!("by {node}"), 60, 300);
        let network = &network;
        async move { (sent.len(), network.broadcast(node, sent).await) }
    });
    for (sent, answers) in futures::future::join_all(streams).await {
        assert_eq!(answers.len(), sent);
        assert!(answers.iter().all(|a| a.status == Status::Success as i32), "{answers:?}");
    }
    let height = network.nodes[network.leader().await].height();
    let chains = futures::future::join_all(network.nodes.iter().map(|n| n.blocks(height))).await;
    assert_eq!(contents(&chains[0]).len(), 180);
    assert_same(&chains[0], &chains[1]);
    assert_same(&chains[0], &chains[2]);
    network.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_without_a_leader_says_so() {
    let network = Network::start(3).await;
    let genesis = network.genesis(&[0, 1, 2], |_| {});
    network.nodes[0].handle().channels.join(&genesis).unwrap();
    let answers = network.broadcast(0, network.transactions("tx", 2, 10)).await;
    assert_eq!(answers.len(), 1, "the stream ends after a refusal");
    assert_eq!(answers[0].status, Status::ServiceUnavailable as i32);
    assert_eq!(answers[0].info, "no Raft leader");
    network.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_envelopes_get_the_right_status_and_change_nothing() {
    let network = Network::with_channel(1, |profile| {
        profile.orderer.batch_size.absolute_max_bytes = 10_000;
        profile.orderer.batch_size.preferred_max_bytes = 5_000;
    })
    .await;
    let transaction = |channel: &str, kind| envelope(&network.client, channel, kind, vec![1]);
    let stranger = crate::network::Org::new("HospitalMSP").identity("stranger", "client");
    let mut tampered = network.transaction("tampered", 10);
    tampered.payload = [&tampered.payload[..tampered.payload.len() - 1], b"!"].concat().into();
    let kind = HeaderType::EndorserTransaction;
    let cases: [(Envelope, Status, &str); 9] = [
        (Envelope::default(), Status::BadRequest, "Message was empty"),
        (
            Envelope { payload: vec![7; 30].into(), signature: vec![1].into() },
            Status::BadRequest,
            "could not determine channel ID",
        ),
        (transaction("other", kind), Status::BadRequest, "channel does not exist"),
        (
            transaction(CHANNEL, HeaderType::Config),
            Status::BadRequest,
            "message is of type that cannot be processed directly",
        ),
        (transaction(CHANNEL, HeaderType::OrdererTransaction), Status::BadRequest, "not supported"),
        (network.transaction("large", 10_001), Status::BadRequest, "exceeds maximum allowed 10000"),
        (envelope(&stranger, CHANNEL, kind, vec![1]), Status::Forbidden, "permission denied"),
        (tampered, Status::Forbidden, "permission denied"),
        (
            transaction(CHANNEL, HeaderType::ConfigUpdate),
            Status::BadRequest,
            "error applying config update to existing channel 'care'",
        ),
    ];
    for (envelope, status, text) in cases {
        let answers = network.broadcast(0, vec![envelope]).await;
        assert_eq!(answers.len(), 1);
        assert_eq!(answers[0].status, status as i32, "{answers:?}");
        assert!(answers[0].info.contains(text), "{answers:?} lacks {text}");
    }
    assert_eq!(network.nodes[0].height(), 1);
    network.stop().await;
}
