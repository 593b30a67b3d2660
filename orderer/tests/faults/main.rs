//! A disk that fails under one orderer, or a defect, stops its channel there and nowhere else.
//!
//! Failpoints are those of the process, so these tests have one of their own, and take turns.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test says what failed by panicking")]
#![allow(dead_code, reason = "not all that the other tests use is needed here")]

#[path = "../it/network.rs"]
mod network;

use std::time::Duration;

use bytes::Bytes;
use fail::FailScenario;
use prost::Message;
use proto::common::Status;

use network::{Network, assert_same, contents, wait_for};

/// Lets one step fail at the node that comes to it first; the channel stops there, the others go
/// on, and after a restart that node catches up. Returns the reason it gave.
async fn check(failpoint: &str, action: &str) -> String {
    let scenario = FailScenario::setup();
    let mut network = Network::with_channel(3, |_| {}).await;
    let before = network.transactions("before", 3, 100);
    network.insist(&before).await;
    fail::cfg(failpoint, &format!("1*{action}->off")).unwrap();
    let during = network.transactions("during", 3, 100);
    network.insist(&during).await;
    let stopped = wait_for("a channel stops", || {
        network.nodes.iter().position(|node| node.channel().failure().is_some())
    })
    .await;
    let reason = network.nodes[stopped].channel().failure().unwrap();
    let info = network.nodes[stopped].channel().info();
    assert_eq!(serde_json::to_value(info).unwrap()["status"], "failed");
    let refused = network.broadcast(stopped, vec![network.transaction("refused", 10)]).await;
    assert_eq!(refused[0].status, Status::ServiceUnavailable as i32, "{refused:?}");

    let meanwhile = network.transactions("meanwhile", 3, 100);
    network.insist(&meanwhile).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let others = network.nodes.iter().filter(|node| node.channel().failure().is_some()).count();
    assert_eq!(others, 1, "the others go on");
    network.nodes[stopped].kill().await;
    network.nodes[stopped].start().await;
    let after = network.transactions("after", 3, 100);
    network.insist(&after).await;
    let leader = network.leader().await;
    let height = network.nodes[leader].height();
    let chains =
        futures::future::join_all(network.nodes.iter().map(|node| node.blocks(height))).await;
    let sent = [before, during, meanwhile, after].concat();
    for chain in &chains {
        assert_same(&chains[0], chain);
        let found = contents(chain);
        for envelope in &sent {
            let envelope = Bytes::from(envelope.encode_to_vec());
            assert!(found.contains(&envelope), "an acknowledged envelope is lost");
        }
    }
    assert!(network.nodes.iter().all(|node| node.channel().failure().is_none()));
    network.stop().await;
    scenario.teardown();
    reason
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_under_the_chain_stops_the_channel_there() {
    let reason = check("ledger::block_append::before_sync", "return(28)").await;
    for part in ["chain of blocks", ".segment", "No space left", "free space"] {
        assert!(reason.contains(part), "{part}: {reason}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_write_ahead_log_stops_the_channel_there() {
    let reason = check("orderer::wal::before_sync", "return(5)").await;
    for part in ["sync write-ahead log", "/wal-", "Input/output error", "check the disk"] {
        assert!(reason.contains(part), "{part}: {reason}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_while_a_block_is_written_stops_the_channel_there() {
    let reason = check("ledger::block_append::before_write", "panic").await;
    assert!(reason.contains("panicked"), "{reason}");
}
