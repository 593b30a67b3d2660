//! Processes die by `kill -9` while clients work. What was acknowledged stays, on every peer and
//! with the same verdict; the network goes on while a majority lives, and by itself once it is up
//! again.

mod administration;
mod chains;
mod load;

use std::time::Duration;

use crate::harness::{ALPHA, BETA, MAIN, Network, Node, Topology, until};
use load::Load;

/// How long the network may take to serve clients again.
const AGAIN: Duration = Duration::from_secs(60);
/// Acknowledgements that show that clients are served.
const SOME: usize = 20;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost() {
    let network = Network::start(&Topology::tolerant());
    let load = Load::start(&network).await;
    served(&load, "before any fault").await;

    let leader = network.leader(MAIN).await;
    leader.kill();
    served(&load, "without the leader").await;
    let next = network.leader(MAIN).await;
    assert_ne!(next.name, leader.name);
    network.up();
    served(&load, "after the leader came back").await;

    let peer = network.node("peer0.beta");
    peer.kill();
    served(&load, "without a peer").await;
    network.up();
    served(&load, "after the peer came back").await;

    kill_all(&network);
    network.up();
    served(&load, "after everything was killed").await;

    let acknowledged = load.stop().await;
    eprintln!("{} transactions were acknowledged", acknowledged.len());
    let peers = network.of_role("peer");
    let chains = chains::read(&network, &peers).await;
    chains::agree(&chains);
    chains::hold(&chains[0], &acknowledged);
    chains::ordered(&network, &chains[0]).await;
    state_holds(&network, &acknowledged).await;
    network.down();
}

/// Waits until clients got more acknowledgements.
async fn served(load: &Load, when: &str) {
    let before = load.acknowledged();
    until(&format!("acknowledgements {when}"), AGAIN, async || {
        (load.acknowledged() >= before + SOME).then_some(())
    })
    .await;
    eprintln!("served {when}: {}", load.acknowledged());
}

fn kill_all(network: &Network) {
    let nodes: Vec<Node> = network.nodes();
    assert!(nodes.iter().all(|node| node.state == "running"), "{nodes:?}");
    crate::harness::kill(&nodes);
}

/// The values of valid transactions are there, at every peer.
async fn state_holds(network: &Network, acknowledged: &load::Acknowledged) {
    for organization in [ALPHA, BETA] {
        let user = network.user(organization, "admin");
        let gateway = network.gateway(organization, &user).await;
        let contract = gateway.network(MAIN).contract("basic");
        let keys = contract.evaluate("range", ["w", "x", "1000000"]).await.unwrap();
        let keys: Vec<String> = serde_json::from_slice(&keys).unwrap();
        let written = acknowledged.values().filter_map(|seen| seen.key.as_ref());
        for key in written {
            assert!(keys.binary_search(key).is_ok(), "{organization} lacks {key}");
        }
        let increments = contract.evaluate("get", ["shared"]).await.unwrap();
        let increments: usize = String::from_utf8_lossy(&increments).parse().unwrap();
        let valid = acknowledged.values().filter(|seen| seen.is_valid_increment()).count();
        // Some were committed whose client was cut off before it heard of it.
        assert!(increments >= valid, "{increments} of {valid} increments at {organization}");
    }
}
