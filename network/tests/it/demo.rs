//! `gauze demo`, as a new user runs it: to the end, telling nothing that is not on a ledger.

use serde_json::Value;

use crate::harness::{Network, first_port};

#[test]
fn the_demo_tells_what_the_ledgers_hold() {
    let network = Network::prepare();
    network.ask(&["network", "init"]);
    let file = network.file();
    let sample = std::fs::read_to_string(&file).unwrap();
    let moved: Vec<String> = sample.lines().map(moved).collect();
    std::fs::write(&file, moved.join("\n")).unwrap();

    let told = network.ask(&["demo"]);
    let story = told["story"].as_array().unwrap();
    let acts = |act: &str| story.iter().filter(|line| line["act"] == act).count();
    assert!(acts("query") > 5 && acts("refusal") > 2, "{told:#}");
    let committed = story.iter().filter(|line| is_true(&network, line)).count();
    assert!(committed > 20 && committed == acts("transaction"), "{committed} in {told:#}");

    let nodes = network.nodes();
    assert_eq!(nodes.len(), 10);
    assert!(nodes.iter().all(|node| node.state == "running"), "{nodes:?}");
    // Told again, it goes on with what is there.
    let again = network.ask(&["demo"]);
    assert!(again["story"].as_array().unwrap().len() > 20, "{again:#}");
    network.down();
}

/// A line of the sample, with ports and state folder of our own.
fn moved(line: &str) -> String {
    match line.split('=').next().unwrap().trim() {
        "first_port" => format!("first_port = {}", first_port()),
        "state" => "state = \"state\"".to_owned(),
        _ => line.to_owned(),
    }
}

/// Looks a line of the story up on its ledger; `false` for lines without a transaction.
fn is_true(network: &Network, line: &Value) -> bool {
    let (Some(tx_id), Some(channel)) = (line["txId"].as_str(), line["channel"].as_str()) else {
        return false;
    };
    let found = network.ask(&["ledger", "tx", channel, tx_id]);
    assert_eq!(found["validation"], "VALID", "{line:#}");
    assert_eq!(found["txId"], tx_id, "{line:#}");
    assert_eq!(found["block"], line["block"], "{line:#}");
    true
}
