//! Orderers die and come back.

use std::collections::BTreeSet;

use bytes::Bytes;
use prost::Message;
use proto::common::Envelope;

use crate::network::{Network, assert_same, contents, send};

fn bytes(envelopes: &[Envelope]) -> BTreeSet<Bytes> {
    envelopes.iter().map(|envelope| envelope.encode_to_vec().into()).collect()
}

/// Everything acknowledged is in every chain, and the chains are the same.
async fn check(network: &Network, acknowledged: &[Envelope]) {
    let leader = network.leader().await;
    let height = network.nodes[leader].height();
    let running = network.nodes.iter().filter(|node| node.is_running());
    let chains = futures::future::join_all(running.map(|node| node.blocks(height))).await;
    for chain in &chains {
        assert_same(&chains[0], chain);
        let found: BTreeSet<Bytes> = contents(chain).into_iter().collect();
        assert!(bytes(acknowledged).is_subset(&found), "an acknowledged envelope is lost");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn others_go_on_without_the_leader_and_it_catches_up_from_its_log() {
    let mut network = Network::with_channel(3, |_| {}).await;
    let first = network.transactions("first", 20, 100);
    network.insist(&first).await;
    let leader = network.leader().await;
    network.nodes[leader].kill().await;
    let second = network.transactions("second", 20, 100);
    network.insist(&second).await;
    assert_ne!(network.leader().await, leader);
    network.nodes[leader].start().await;
    let third = network.transactions("third", 5, 100);
    network.insist(&third).await;
    check(&network, &[first, second, third].concat()).await;
    network.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_behind_the_compacted_log_catches_up_by_blocks() {
    let mut network = Network::with_channel(3, |profile| {
        profile.orderer.raft.options.snapshot_interval_size = 1;
    })
    .await;
    let follower = (network.leader().await + 1) % 3;
    let before = network.transactions("before", 3, 100);
    network.insist(&before).await;
    network.nodes[follower].kill().await;
    // Several times what the log holds before it is compacted, in many blocks.
    let meanwhile = network.transactions("meanwhile", 60, 10_000);
    network.insist(&meanwhile).await;
    network.nodes[follower].start().await;
    let after = network.transactions("after", 3, 100);
    network.insist(&after).await;
    check(&network, &[before, meanwhile, after].concat()).await;
    // It also takes part again: without one of the others it is needed.
    let other = (0..3).find(|n| *n != follower && *n != 0).unwrap_or(0);
    network.nodes[other].kill().await;
    let last = network.transactions("last", 3, 100);
    network.insist(&last).await;
    network.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_orderers_die_under_load_and_nothing_acknowledged_is_lost() {
    let mut network = Network::with_channel(3, |_| {}).await;
    let mut acknowledged = Vec::new();
    for round in 0..2 {
        let sent = network.transactions(&format!("round {round}"), 2000, 500);
        let client = network.connect(round).await;
        let (answers, ()) = tokio::join!(send(client, sent.clone()), async {
            network.nodes[0].blocks(3 + 5 * round as u64).await;
            for node in &mut network.nodes {
                node.kill().await;
            }
        });
        acknowledged.extend_from_slice(&sent[..answers.iter().filter(|a| a.status == 200).count()]);
        for node in &mut network.nodes {
            node.start().await;
        }
        network.leader().await;
    }
    let last = network.transactions("last", 2, 100);
    network.insist(&last).await;
    acknowledged.extend(last);
    check(&network, &acknowledged).await;
    network.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_lost_its_log_recovers_without_endangering_others() {
    let mut network = Network::with_channel(3, |profile| {
        profile.orderer.raft.options.snapshot_interval_size = 1;
    })
    .await;
    let sent = network.transactions("tx", 40, 10_000);
    network.insist(&sent).await;
    let leader = network.leader().await;
    let victim = (leader + 1) % 3;
    network.nodes[victim].kill().await;
    let log = network.nodes[victim].config.data_directory.join("channels/care/consensus");
    std::fs::remove_dir_all(log).unwrap();
    // A new leadership probes everybody's log again.
    network.nodes[leader].kill().await;
    network.nodes[victim].start().await;
    network.nodes[leader].start().await;
    let more = network.transactions("more", 3, 100);
    network.insist(&more).await;
    check(&network, &[sent, more].concat()).await;
    network.stop().await;
}
