//! What the README promises: one command, two stories, and the commands to go on with.

use std::net::TcpListener;

use crate::lab::{Lab, is_running};

#[test]
fn from_nothing_to_two_stories_and_back() {
    let lab = Lab::new(|text| text);
    let told = lab.json(&["demo"]);
    let story = told["story"].as_array().unwrap();
    let acts = |act: &str| story.iter().filter(|entry| entry["act"] == act).count();
    assert!(acts("transaction") > 20 && acts("query") > 5 && acts("refusal") > 2, "{told}");

    check_transactions_are_on_the_ledger(&lab, story);
    check_looking_around(&lab);
    check_chaincode_calls(&lab);
    check_identities(&lab);
    check_telling_again(&lab);
    check_down_leaves_nothing(&lab);
}

/// Each transaction of the story is where the story says it is, and valid.
fn check_transactions_are_on_the_ledger(lab: &Lab, story: &[serde_json::Value]) {
    let transactions: Vec<_> = story.iter().filter(|act| act["act"] == "transaction").collect();
    for act in [transactions[0], transactions[transactions.len() - 1]] {
        let (channel, id) = (act["channel"].as_str().unwrap(), act["txId"].as_str().unwrap());
        let found = lab.json(&["ledger", "tx", channel, id]);
        assert_eq!(found["validation"], "VALID");
        assert_eq!((&found["block"], &found["function"]), (&act["block"], &act["function"]));
        assert!(found["endorsers"].as_array().unwrap().len() >= 2, "{found}");
    }
}

fn check_looking_around(lab: &Lab) {
    let nodes = lab.nodes();
    assert_eq!(nodes.len(), 10);
    assert!(nodes.iter().all(|node| node["state"] == "running"), "{nodes:?}");
    let text = lab.gauze(&["network", "ps"]).out;
    assert!(text.starts_with("NODE") && text.contains("orderer2.orderer"), "{text}");

    let channels = lab.json(&["channel", "list"]);
    assert_eq!(channels[0]["channel"], "care");
    let shown = lab.json(&["channel", "show", "pharma"]);
    assert_eq!(shown["organizations"].as_array().unwrap().len(), 3);
    assert_eq!(shown["consensus"], "etcdraft");

    let height = lab.json(&["ledger", "height", "care"])["height"].as_u64().unwrap();
    let block = lab.json(&["ledger", "block", "care", "newest"]);
    assert_eq!(block["number"].as_u64().unwrap() + 1, height);
    let before = lab.json(&["ledger", "block", "care", &(height - 2).to_string()]);
    assert_eq!(block["previousHash"], before["hash"]);
    assert_eq!(lab.json(&["ledger", "block", "care", "0"])["transactions"][0]["type"], "CONFIG");
    let text = lab.gauze(&["ledger", "block", "care", "newest"]).out;
    assert!(text.contains("signed by") && text.contains("endorsed by"), "{text}");
}

fn check_chaincode_calls(lab: &Lab) {
    let deployed = lab.json(&["chaincode", "list"]);
    assert_eq!(deployed.as_array().unwrap().len(), 2);
    assert_eq!(deployed[0]["approvals"]["HospitalMSP"], true);
    let org = lab.json(&["chaincode", "query", "ehr", "GetOrg", "HospitalMSP"]);
    assert_eq!(org["fhirId"], "westside");

    lab.gauze(&["chaincode", "query", "ehr", "GetOrg", "NobodyMSP"]).fails(3, "E_NOT_FOUND");
    lab.gauze(&["chaincode", "query", "nothing", "Get"]).fails(3, "no chaincode");
    lab.gauze(&["--as", "hospital/nobody", "chaincode", "query", "ehr", "GetOrg", "x"])
        .fails(3, "no identity hospital/nobody");
    // The maker is no member of the channel, and learns nothing.
    let stranger = ["--as", "maker/line", "chaincode", "query", "ehr", "GetOrg", "HospitalMSP"];
    assert_ne!(lab.gauze(&stranger).code, 0);
    lab.gauze(&["ledger", "tx", "care", &"0".repeat(64)]).fails(3, "no such transaction");
}

fn check_identities(lab: &Lab) {
    let who = "hospital/nurse";
    lab.json(&["ca", "register", who, "--attribute", "role=nurse", "--enroll"]);
    let org = lab.json(&["--as", who, "chaincode", "query", "ehr", "GetOrg", "HospitalMSP"]);
    assert_eq!(org["mspId"], "HospitalMSP");
    lab.gauze(&["ca", "register", who]).fails(5, "nurse");
    lab.json(&["ca", "enroll", who]);
    lab.json(&["ca", "revoke", who]);
    let listed = lab.json(&["ca", "list", "hospital"]);
    let nurse = listed.as_array().unwrap().iter().find(|identity| identity["id"] == "nurse");
    assert_eq!(nurse.unwrap()["revoked"], true);
    assert_ne!(lab.gauze(&["ca", "enroll", who]).code, 0);
}

/// `up` and `demo` find what is there and go on.
fn check_telling_again(lab: &Lab) {
    let again = lab.up();
    assert_eq!(again["started"], 0, "{again}");
    assert!(again["chaincode"][0]["block"].is_null(), "{again}");
    let told = lab.json(&["demo"]);
    assert!(told["story"].as_array().unwrap().len() > 20);
    let unchanged = lab.json(&["chaincode", "deploy", "ehr"]);
    assert_eq!(unchanged["sequence"], 1, "{unchanged}");
}

fn check_down_leaves_nothing(lab: &Lab) {
    let nodes = lab.nodes();
    assert_eq!(lab.json(&["network", "down", "--purge"])["stopped"], 10);
    for node in nodes {
        assert!(!is_running(node["pid"].as_u64().unwrap()), "{node}");
        let port = u16::try_from(node["port"].as_u64().unwrap()).unwrap();
        drop(TcpListener::bind(("127.0.0.1", port)).unwrap());
    }
    assert!(!lab.path(".gauze").exists());
    assert_eq!(lab.json(&["network", "down"])["stopped"], 0);
}
