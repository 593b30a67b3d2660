//! A peer's channel is paused, cut back, rebuilt, left and joined again while clients work with
//! the other peer. In the end both hold the same, down to the commit hashes.

use std::time::Duration;

use serde_json::json;

use super::load::Load;
use super::{chains, served};
use crate::harness::{MAIN, Network, Topology, until};

const USAGE: i32 = 2;
const NOT_FOUND: i32 = 3;
const DENIED: i32 = 4;
const CONFLICT: i32 = 5;
const UNAVAILABLE: i32 = 6;

const PEER: &str = "peer0.beta";

/// `gauze peer` on a channel of beta's peer.
fn operate(network: &Network, arguments: &[&str]) -> serde_json::Value {
    network.ask(&[&["peer"], arguments, &["--peer", PEER]].concat())
}

fn status(network: &Network) -> serde_json::Value {
    let told = network.ask(&["peer", "status", MAIN, "--peer", PEER]);
    told[0]["channels"][0].clone()
}

/// Waits until the peer has so many blocks.
async fn caught_up(network: &Network, height: u64) {
    until("the peer catches up", Duration::from_secs(60), async || {
        let status = status(network);
        (status["height"].as_u64() >= Some(height) && status["state"] == "running").then_some(())
    })
    .await;
    assert_eq!(status(network)["toRegain"], json!(null));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_is_administered_while_clients_work() {
    let network = Network::start(&Topology::tolerant());
    let load = Load::start(&network).await;
    served(&load, "before").await;
    let before = status(&network)["height"].as_u64().unwrap();

    let rollback = ["peer", "rollback", MAIN, "3", "--peer", PEER];
    let confirmed = [&rollback[..], &["--yes"]].concat();
    for stranger in ["beta/bert", "alpha", "alpha/anna"] {
        network.refused(DENIED, &[&["--as", stranger], &confirmed[..]].concat());
    }
    network.refused(USAGE, &rollback);
    network.refused(NOT_FOUND, &["peer", "reset", "nowhere", "--peer", PEER, "--yes"]);
    network.refused(CONFLICT, &["peer", "rollback", MAIN, "99999999", "--peer", PEER, "--yes"]);
    assert!(status(&network)["height"].as_u64().unwrap() >= before);

    let done = network.ask(&confirmed);
    assert_eq!((&done["state"], &done["peer"]), (&json!("running"), &json!(PEER)), "{done}");
    served(&load, "while a peer catches up").await;
    caught_up(&network, before).await;

    assert_eq!(operate(&network, &["pause", MAIN])["state"], "paused");
    network.refused(UNAVAILABLE, &["--as", "beta", "ledger", "height", MAIN]);
    network.refused(CONFLICT, &["peer", "pause", MAIN, "--peer", PEER]);
    served(&load, "while a peer is paused").await;
    assert_eq!(operate(&network, &["resume", MAIN])["state"], "running");
    assert_eq!(operate(&network, &["rebuild", MAIN, "--yes"])["state"], "running");
    served(&load, "while a peer is rebuilt").await;
    assert_eq!(operate(&network, &["reset", MAIN, "--yes"])["state"], "running");

    assert_eq!(operate(&network, &["unjoin", MAIN, "--yes"])["state"], "gone");
    assert_eq!(status(&network), json!(null));
    network.refused(NOT_FOUND, &["peer", "unjoin", MAIN, "--peer", PEER, "--yes"]);
    served(&load, "while a peer is gone from the channel").await;
    network.up();
    served(&load, "after it joined again").await;

    let acknowledged = load.stop().await;
    let peers = network.of_role("peer");
    let chains = chains::read(&network, &peers).await;
    chains::agree(&chains);
    chains::hold(&chains[1], &acknowledged);
    for peer in &peers {
        assert_eq!(peer.metric("gauze_panics_total").await, Some(0.0), "{}", peer.name);
    }
    network.down();
}
