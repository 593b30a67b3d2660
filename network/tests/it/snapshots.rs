//! A new peer begins from a snapshot of a running network, and is a peer like any other.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use client::admin::Position;
use serde_json::{Value, json};

use crate::harness::{ALPHA, MAIN, Network, Topology, until};

const FAILED: i32 = 1;
const NOT_FOUND: i32 = 3;
const DENIED: i32 = 4;
const CONFLICT: i32 = 5;

/// How long a peer may take to fetch a few blocks; the machine may be busy compiling.
const CATCH_UP: Duration = Duration::from_secs(60);

fn put(network: &Network, key: &str) -> u64 {
    let invoke = ["chaincode", "invoke", "basic", "--channel", MAIN, "put", key, "value"];
    network.ask(&invoke)["block"].as_u64().unwrap()
}

fn path(json: &Value) -> &str {
    json["directory"].as_str().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_peer_joins_by_a_snapshot_and_endorses() {
    let network = Network::start(&Topology::tolerant());
    put(&network, "before");
    let made = network.ask(&["snapshot", "create", MAIN, "--peer", "peer0.beta"]);
    let block = made["block"].as_u64().unwrap();
    assert_eq!((&made["channel"], &made["peer"]), (&json!(MAIN), &json!("peer0.beta")));
    let checked = network.ask(&["snapshot", "verify", path(&made)]);
    assert_eq!((&checked["hash"], &checked["commitHash"]), (&made["hash"], &made["commitHash"]));
    assert!(checked["keys"]["basic"].as_u64().unwrap() >= 1, "{checked:#}");
    requests(&network, block);
    put(&network, "between");

    let text = std::fs::read_to_string(network.file()).unwrap();
    std::fs::write(network.file(), text.replacen("peers = 1", "peers = 2", 1)).unwrap();
    assert_eq!(network.ask(&["network", "up", "--nodes-only"])["started"], 1);
    refusals(&network, &made);
    let join = ["channel", "join", MAIN, "--peer", "peer1.alpha", "--snapshot", path(&made)];
    let joined = network.ask(&join);
    assert_eq!((&joined["peer"], &joined["channel"]), (&json!("peer1.alpha"), &json!(MAIN)));
    assert!(joined["height"].as_u64().unwrap() > block);
    network.refused(CONFLICT, &join);

    // Height and commit hash are those of a peer that has had every block.
    let newest = put(&network, "after");
    let admin = network.user(ALPHA, "admin");
    let [old, new] = ["peer0.beta", "peer1.alpha"].map(|name| network.node(name));
    let beta = network.user("beta", "admin");
    let (old, new) = (network.peer(&old, &beta).await, network.peer(&new, &admin).await);
    until("the new peer catches up", CATCH_UP, async || {
        (new.chain_info(MAIN).await.ok()?.height > newest).then_some(())
    })
    .await;
    let at = Position::Number(newest);
    let (one, other) = (old.block(MAIN, at).await.unwrap(), new.block(MAIN, at).await.unwrap());
    assert!(proto::block::commit_hash(&one).is_some());
    assert_eq!(proto::block::commit_hash(&one), proto::block::commit_hash(&other));
    assert_eq!(one.header, other.header);
    let early = new.block(MAIN, Position::Oldest).await.unwrap_err().to_string();
    assert!(early.contains("block 0 is not available"), "{early}");
    let config = new.channel_config(MAIN).await.unwrap();
    assert_eq!(config, old.channel_config(MAIN).await.unwrap());

    // It endorses as soon as it has the code, also on what it never saw being written.
    network.ask(&["chaincode", "install", "basic", "--channel", MAIN, "--org", ALPHA]);
    for key in ["before", "between", "after"] {
        let args = ["get", key].map(|arg| Bytes::copy_from_slice(arg.as_bytes()));
        let value = new.query(MAIN, "basic", args.to_vec()).await.unwrap();
        assert_eq!(value, "value", "{key}");
    }

    // And it makes the same snapshots.
    let again = network.ask(&["snapshot", "create", MAIN, "--peer", "peer1.alpha"]);
    let same = network.ask(&["snapshot", "create", MAIN, "--peer", "peer0.beta"]);
    assert_eq!((&again["block"], &again["hash"]), (&same["block"], &same["hash"]));
    network.down();
}

/// Requests for blocks to come.
fn requests(network: &Network, block: u64) {
    let later = (block + 100).to_string();
    let of = ["--peer", "peer0.beta"];
    let ask = |command: &[&str]| network.ask(&[command, &of].concat());
    let refused = |code, command: &[&str]| network.refused(code, &[command, &of].concat());
    let requested = ask(&["snapshot", "create", MAIN, "--at", &later]);
    assert_eq!(requested["pending"], true);
    refused(CONFLICT, &["snapshot", "create", MAIN, "--at", &later]);
    refused(CONFLICT, &["snapshot", "create", MAIN]);
    refused(NOT_FOUND, &["snapshot", "create", "nowhere"]);
    let list = ask(&["snapshot", "list", MAIN]);
    assert_eq!(list["pending"], json!([block + 100]));
    assert_eq!(list["snapshots"][0]["block"], block);
    ask(&["snapshot", "cancel", MAIN, &later]);
    refused(NOT_FOUND, &["snapshot", "cancel", MAIN, &later]);
    let as_user = [&["--as", "beta/bert"], &["snapshot", "list", MAIN][..]].concat();
    refused(DENIED, &as_user);
}

/// Snapshots that cannot be joined, and peers that already have.
fn refusals(network: &Network, made: &Value) {
    let join = |peer: &str, dir: &str, code| {
        let join = ["channel", "join", MAIN, "--peer", peer, "--snapshot", dir];
        network.refused(code, &join)
    };
    join("peer0.alpha", path(made), CONFLICT);
    join("peer7.alpha", path(made), NOT_FOUND);
    let bad = network.folder().join("tmp/bad");
    std::fs::create_dir(&bad).unwrap();
    for entry in std::fs::read_dir(Path::new(path(made))).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), bad.join(entry.file_name())).unwrap();
    }
    let file = bad.join("public_state.data");
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let dir = bad.to_str().unwrap();
    let refusal = join("peer1.alpha", dir, FAILED);
    assert!(refusal["why"].as_str().unwrap().contains("public_state.data"), "{refusal}");
    network.refused(FAILED, &["snapshot", "verify", dir]);
    std::fs::remove_dir_all(bad).unwrap();
}
