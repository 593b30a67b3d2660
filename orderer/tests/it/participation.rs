//! Joining, inspecting and removing channels over HTTPS.

use prost::Message;
use proto::common::Block;
use serde_json::json;

use crate::http::{post, request};
use crate::network::{CHANNEL, Network, wait_for};

const CHANNELS: &str = "/participation/v1/channels";

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_is_joined_listed_used_and_removed() {
    let network = Network::start(1).await;
    let get = |path: &str| {
        let (line, network) = (format!("GET {path}"), &network);
        async move { request(network, 0, &line, &[], &[]).await }
    };
    let none = get(CHANNELS).await;
    assert_eq!((none.code, none.json()), (200, json!({"systemChannel": null, "channels": null})));
    assert!(none.headers.contains("cache-control: no-store"));

    let genesis = network.genesis(&[0], |_| {});
    let joined = post(&network, 0, "config-block", &genesis.encode_to_vec()).await;
    let url = format!("{CHANNELS}/{CHANNEL}");
    assert_eq!(joined.code, 201, "{:?}", String::from_utf8_lossy(&joined.body));
    assert!(joined.headers.contains(&format!("location: {url}")));
    let info = joined.json();
    assert_eq!((&info["name"], &info["url"]), (&json!(CHANNEL), &json!(url)));
    assert_eq!(
        (&info["consensusRelation"], &info["status"]),
        (&json!("consenter"), &json!("active"))
    );

    network.leader().await;
    network.insist(&network.transactions("tx", 1, 10)).await;
    let listed = get(CHANNELS).await.json();
    assert_eq!(listed["channels"], json!([{"name": CHANNEL, "url": url}]));
    let shown = get(&url).await.json();
    assert_eq!(shown["height"], json!(2));

    for (which, number) in [("oldest", 0), ("newest", 1), ("config", 0), ("1", 1)] {
        let fetched = get(&format!("{url}/blocks/{which}")).await;
        assert_eq!(fetched.code, 200, "{which}");
        let block = Block::decode(&fetched.body[..]).unwrap();
        assert_eq!(proto::block::number(&block), number, "{which}");
    }

    // Removed, the channel leaves nothing behind and can come back.
    let removed = request(&network, 0, &format!("DELETE {url}"), &[], &[]).await;
    assert_eq!(removed.code, 204);
    let data = network.nodes[0].config.data_directory.join("channels");
    assert_eq!(std::fs::read_dir(&data).unwrap().count(), 0);
    assert_eq!(get(&url).await.code, 404);
    let again = post(&network, 0, "config-block", &genesis.encode_to_vec()).await;
    assert_eq!(again.code, 201);
    network.leader().await;
    network.insist(&network.transactions("tx", 1, 10)).await;
    network.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_requests_are_told_what_is_wrong() {
    let network = Network::with_channel(1, |_| {}).await;
    let genesis = network.genesis(&[0], |_| {});
    let bytes = genesis.encode_to_vec();
    let check = async |line: &str, headers: &[&str], body: &[u8], code: u16, text: &str| {
        let answer = request(&network, 0, line, headers, body).await;
        assert_eq!(answer.code, code, "{line}");
        assert!(answer.error().contains(text), "{line}: {}", answer.error());
        answer
    };
    let again = post(&network, 0, "config-block", &bytes).await;
    assert_eq!((again.code, again.error().as_str()), (405, "cannot join: channel already exists"));
    assert!(again.headers.contains("allow: get, delete"));
    let wrong = post(&network, 0, "other", &bytes).await;
    assert_eq!(wrong.code, 400);
    let mut broken: Block = genesis.clone();
    broken.header.as_mut().unwrap().data_hash = vec![1; 32].into();
    let broken = post(&network, 0, "config-block", &broken.encode_to_vec()).await;
    assert!(broken.code == 400 && broken.error().starts_with("invalid join block: "));
    assert_eq!(post(&network, 0, "config-block", b"\xff\xff").await.code, 400);
    let huge = vec![0; 2 << 20];
    assert!(matches!(post(&network, 0, "config-block", &huge).await.code, 400 | 0));

    let url = format!("{CHANNELS}/{CHANNEL}");
    let post_line = format!("POST {CHANNELS}");
    check(&post_line, &["content-type: text/plain"], b"x", 400, "cannot read form").await;
    check(&format!("GET {CHANNELS}/Bad"), &[], &[], 400, "invalid channel ID").await;
    check(&format!("GET {CHANNELS}/none"), &[], &[], 404, "channel does not exist").await;
    check(&format!("GET {url}"), &["accept: text/html"], &[], 406, "application/json only").await;
    let none = format!("DELETE {CHANNELS}/none");
    check(&none, &[], &[], 404, "cannot remove: channel does not exist").await;
    check(&format!("GET {url}/blocks/7"), &[], &[], 404, "block not found").await;
    check(&format!("GET {url}/blocks/last"), &[], &[], 400, "invalid block ID").await;
    let patch = check(&format!("PATCH {url}"), &[], &[], 405, "invalid request method").await;
    assert!(patch.headers.contains("allow: get, delete"));
    network.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn interrupted_joins_and_removals_are_finished_at_start() {
    let mut network = Network::with_channel(1, |_| {}).await;
    network.nodes[0].kill().await;
    let data = network.nodes[0].config.data_directory.join("channels");
    for leftover in ["_joining-other", "_removing-another"] {
        std::fs::create_dir_all(data.join(leftover).join("blocks")).unwrap();
    }
    // A crash right after joining: the block is there and nothing else.
    let care = data.join(CHANNEL);
    for entry in std::fs::read_dir(&care).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            std::fs::remove_dir_all(path).unwrap();
        } else if !path.ends_with("join.block") {
            std::fs::remove_file(path).unwrap();
        }
    }
    network.nodes[0].start().await;
    network.leader().await;
    network.insist(&network.transactions("tx", 1, 10)).await;
    wait_for("cleaning", || (std::fs::read_dir(&data).unwrap().count() == 1).then_some(())).await;
    network.stop().await;
}
