//! Each command of `gauze` on a running network: its JSON, its errors, its exit codes.

use serde_json::{Value, json};

use crate::harness::{LAB, MAIN, Network, shared};

const USAGE: i32 = 2;
const NOT_FOUND: i32 = 3;
const DENIED: i32 = 4;
const CONFLICT: i32 = 5;
const UNAVAILABLE: i32 = 6;

/// The first entry of a list with this value under a key.
#[track_caller]
fn pick<'a>(list: &'a Value, key: &str, value: &str) -> &'a Value {
    let mut entries = list.as_array().unwrap().iter();
    entries.find(|entry| entry[key] == value).unwrap_or_else(|| panic!("no {value} in {list:#}"))
}

/// An id no other test uses.
fn fresh(prefix: &str) -> String {
    format!("{prefix}-{:08x}", rand::random::<u32>())
}

#[test]
fn channels() {
    let network = shared();
    let list = network.ask(&["channel", "list"]);
    let main = pick(&list, "channel", MAIN);
    assert_eq!(main["organizations"], json!(["alpha", "beta"]));
    assert_eq!(main["chaincode"], json!(["basic"]));
    assert!(main["height"].as_u64().unwrap() >= 3);
    assert_eq!(pick(&list, "channel", LAB)["organizations"], json!(["alpha"]));

    for organization in ["alpha", "beta"] {
        let shown = network.ask(&["--as", organization, "channel", "show", MAIN]);
        let member = pick(&shown["organizations"], "name", organization);
        assert_eq!(member["anchorPeers"].as_array().unwrap().len(), 1, "{shown:#}");
        assert_eq!(shown["orderers"][0]["endpoints"].as_array().unwrap().len(), 3);
        assert_eq!(shown["consensus"], "etcdraft");
        assert!(shown["policies"]["/Channel/Application/Endorsement"].is_string(), "{shown:#}");
    }
    network.refused(NOT_FOUND, &["channel", "show", "nowhere"]);
    network.refused(DENIED, &["--as", "beta", "channel", "show", LAB]);
}

#[test]
fn the_past_of_keys_is_told() {
    let network = shared();
    let id = fresh("past");
    let invoke = |function: &str, arguments: &[&str]| {
        let call = ["chaincode", "invoke", "basic", "--channel", LAB, function];
        network.ask(&[&call[..], arguments].concat())["block"].as_u64().unwrap()
    };
    let first = invoke("put", &[&id, "{\"n\":1}"]);
    let second = invoke("put", &[&id, "two"]);
    let gone = invoke("del", &[&id]);
    let text = |number: u64| number.to_string();

    let history = network.ask(&["ledger", "history", LAB, "basic", &id]);
    let writes = history["writes"].as_array().unwrap();
    let told: Vec<_> = writes.iter().map(|it| (&it["block"], &it["value"])).collect();
    let (one, two) = (json!({ "n": 1 }), json!("two"));
    let expected = [(&json!(gone), &Value::Null), (&json!(second), &two), (&json!(first), &one)];
    assert_eq!(told, expected);
    assert_eq!((&writes[0]["deleted"], &history["more"]), (&json!(true), &json!(false)));
    let before = ["ledger", "history", LAB, "basic", &id, "-n", "1", "--before", &text(second)];
    let page = network.ask(&before);
    assert_eq!(page["writes"][0]["block"], first, "{page}");

    let at = |height: u64| {
        ["ledger", "state", LAB, "basic", &id, "--at"]
            .map(str::to_owned)
            .into_iter()
            .chain([text(height)])
            .collect::<Vec<_>>()
    };
    for (height, value) in
        [(first + 1, &one), (second, &one), (second + 1, &two), (gone + 1, &Value::Null)]
    {
        let arguments = at(height);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        assert_eq!(&network.ask(&arguments)["written"]["value"], value, "at {height}");
    }
    let never = at(first);
    network.refused(NOT_FOUND, &never.iter().map(String::as_str).collect::<Vec<_>>());

    let (from, to) = (text(first), text(second + 1));
    let diff =
        network.ask(&["ledger", "diff", LAB, &from, &to, "--chaincode", "basic", "--key", &id]);
    let [change] = &diff["changes"].as_array().unwrap()[..] else { panic!("{diff}") };
    assert_eq!((&change["before"], &change["after"]["value"]), (&Value::Null, &two));

    invoke("put", &[&format!("{id}-a"), "x"]);
    invoke("put", &[&format!("{id}-b"), "y"]);
    let listed = network.ask(&["ledger", "state", LAB, "basic", "--prefix", &id]);
    let keys: Vec<_> = listed["entries"].as_array().unwrap().iter().map(|it| &it["key"]).collect();
    assert_eq!(keys, [&json!(format!("{id}-a")), &json!(format!("{id}-b"))]);
    let text = network.gauze(&["ledger", "state", LAB, "basic", "--prefix", &id]);
    assert!(text.stdout.contains(&format!("{id}-a")), "{text}");
    network.refused(DENIED, &["--as", "beta", "ledger", "history", LAB, "basic", &id]);
    network.refused(NOT_FOUND, &["ledger", "state", "nowhere", "basic", &id]);

    let status = network.ask(&["peer", "status", LAB, "--peer", "peer0.alpha"]);
    assert_eq!(status[0]["channels"][0]["state"], "running", "{status}");
}

#[test]
fn chaincode_is_listed_called_and_asked() {
    let network = shared();
    let list = network.ask(&["chaincode", "list"]);
    let basic = pick(&list, "channel", MAIN);
    assert_eq!((&basic["chaincode"], &basic["sequence"]), (&json!("basic"), &json!(1)));
    assert_eq!(basic["approvals"], json!({ "AlphaMSP": true, "BetaMSP": true }));
    let only = network.ask(&["chaincode", "list", "--channel", LAB]);
    assert_eq!(only.as_array().unwrap().len(), 1);

    let id = fresh("asset");
    let on_main = ["basic", "--channel", MAIN];
    let create =
        [&["chaincode", "invoke"], &on_main[..], &["CreateAsset", &id, "red", "5", "Ada", "7"]];
    let done = network.ask(&create.concat());
    assert_eq!((&done["code"], &done["result"]["Owner"]), (&json!("VALID"), &json!("Ada")));
    let read = [&["chaincode", "query"], &on_main[..], &["ReadAsset", &id]].concat();
    assert_eq!(network.ask(&read), done["result"]);
    let as_bert = [&["--as", "beta/bert"], &read[..]].concat();
    assert_eq!(network.ask(&as_bert), done["result"]);
    let whoami = ["--as", "alpha/anna", "chaincode", "query", "basic", "--channel", MAIN, "whoami"];
    let anna = network.ask(&whoami);
    assert_eq!((&anna["mspId"], &anna["commonName"]), (&json!("AlphaMSP"), &json!("anna")));
    assert_eq!(anna["attributes"]["department"], "tests");

    let again = network.refused(CONFLICT, &create.concat());
    assert!(again["why"].as_str().unwrap().contains("ASSET_EXISTS"), "{again}");
    assert!(again["what"].as_str().unwrap().contains("basic.CreateAsset"), "{again}");
    network.refused(USAGE, &["chaincode", "query", "basic", "ReadAsset", &id]);
    network.refused(NOT_FOUND, &["chaincode", "query", "unknown", "f"]);
    let nobody =
        ["--as", "alpha/nobody", "chaincode", "query", "basic", "--channel", MAIN, "whoami"];
    let nobody = network.refused(NOT_FOUND, &nobody);
    assert!(nobody["next"].as_str().unwrap().contains("gauze ca"), "{nobody}");
}

#[test]
fn deploying_what_is_deployed_does_nothing() {
    let network = shared();
    let deploy = network.ask(&["chaincode", "deploy", "basic", "--channel", MAIN]);
    assert_eq!((&deploy["sequence"], &deploy["block"]), (&json!(1), &Value::Null), "{deploy:#}");
    let packaged = network.ask(&["chaincode", "package", "basic", "--channel", MAIN]);
    assert_eq!(packaged["packageId"], deploy["packageId"]);
    // Only the sequence after the committed one can be agreed on.
    for step in ["approve", "commit"] {
        let step = ["chaincode", step, "basic", "--channel", MAIN, "--sequence", "7", "--quiet"];
        let run = network.gauze(&step);
        assert!(run.code != 0 && run.stderr.contains("sequence"), "{run}");
    }
}

#[test]
fn ledgers() {
    let network = shared();
    let key = fresh("key");
    let invoke = ["chaincode", "invoke", "basic", "--channel", MAIN, "put", &key, "value"];
    let done = network.ask(&invoke);
    let (tx_id, number) = (done["txId"].as_str().unwrap(), done["block"].to_string());

    let height = network.ask(&["ledger", "height", MAIN]);
    assert!(height["height"].as_u64().unwrap() > done["block"].as_u64().unwrap());
    assert_eq!(height["currentHash"].as_str().unwrap().len(), 64);

    let found = network.ask(&["ledger", "tx", MAIN, tx_id]);
    assert_eq!((&found["validation"], &found["block"]), (&json!("VALID"), &done["block"]));
    assert_eq!((&found["chaincode"], &found["function"]), (&json!("basic"), &json!("put")));
    assert_eq!(found["endorsers"].as_array().unwrap().len(), 2, "{found:#}");
    let block = network.ask(&["--as", "beta", "ledger", "block", MAIN, &number]);
    let same = pick(&block["transactions"], "txId", tx_id);
    assert_eq!(same["changes"], found["changes"]);
    assert!(block["commitHash"].is_string(), "{block:#}");
    assert_eq!(block["orderers"][0]["mspId"], "OrdererMSP");

    let genesis = network.ask(&["ledger", "block", MAIN, "oldest"]);
    assert_eq!((&genesis["number"], &genesis["previousHash"]), (&json!(0), &json!("")));
    network.ask(&["ledger", "block", MAIN, "newest"]);
    network.refused(NOT_FOUND, &["ledger", "tx", MAIN, &"0".repeat(64)]);
    network.refused(NOT_FOUND, &["ledger", "height", "nowhere"]);
    let far = network.gauze(&["--output", "json", "ledger", "block", MAIN, "1000000"]);
    assert_ne!(far.code, 0, "{far}");
}

#[test]
fn identities_come_and_go() {
    let network = shared();
    let user = fresh("nurse");
    let who = format!("alpha/{user}");
    let registered = network.ask(&["ca", "register", &who, "--attribute", "role=nurse"]);
    let secret = registered["secret"].as_str().unwrap();
    network.refused(CONFLICT, &["ca", "register", &who]);
    network.refused(USAGE, &["ca", "enroll", &who]);
    network.refused(DENIED, &["ca", "enroll", &who, "--secret", "wrong"]);
    let enrolled = network.ask(&["ca", "enroll", &who, "--secret", secret]);
    assert_eq!(enrolled["identity"], who);
    let whoami = ["--as", &who, "chaincode", "query", "basic", "--channel", MAIN, "whoami"];
    assert_eq!(network.ask(&whoami)["attributes"]["role"], "nurse");
    network.ask(&["ca", "enroll", &who]);

    let list = network.ask(&["ca", "list", "alpha"]);
    let nurse = pick(&list, "id", &user);
    assert_eq!((&nurse["type"], &nurse["revoked"]), (&json!("client"), &json!(false)));
    network.refused(DENIED, &["--as", &who, "ca", "register", "alpha/friend", "--type", "admin"]);

    let revoked = network.ask(&["ca", "revoke", &who]);
    assert!(revoked["certificates"].as_u64().unwrap() >= 2, "{revoked}");
    let crl = std::fs::read_to_string(revoked["revocationList"].as_str().unwrap()).unwrap();
    assert!(crl.contains("BEGIN X509 CRL"), "{crl}");
    assert_eq!(pick(&network.ask(&["ca", "list", "alpha"]), "id", &user)["revoked"], true);
    network.refused(DENIED, &["ca", "enroll", &who]);
    network.refused(DENIED, &["ca", "enroll", &who, "--secret", secret]);
    network.refused(NOT_FOUND, &["ca", "list", "gamma"]);
    network.refused(NOT_FOUND, &["ca", "revoke", "alpha/nobody-at-all"]);
}

#[test]
fn processes_and_logs() {
    let network = shared();
    let nodes = network.nodes();
    assert_eq!(nodes.len(), 3 + 3 + 2);
    for node in &nodes {
        assert_eq!(node.state, "running", "{}", node.name);
        let logs = network.ask(&["network", "logs", &node.name, "-n", "3"]);
        assert!(!logs["lines"].as_array().unwrap().is_empty(), "{}", node.name);
    }
    let up = network.ask(&["network", "up"]);
    assert_eq!(up["started"], 0, "{up:#}");
    network.refused(NOT_FOUND, &["network", "logs", "peer9.alpha"]);
    network.refused(CONFLICT, &["network", "init"]);
}

#[test]
fn without_a_network_commands_say_what_to_do() {
    let network = Network::prepare();
    let missing = network.refused(NOT_FOUND, &["network", "ps"]);
    assert_eq!(missing["next"], "gauze network init");
    network.ask(&["network", "init"]);
    let stopped = network.refused(UNAVAILABLE, &["network", "ps"]);
    assert_eq!(stopped["next"], "gauze network up");
    network.refused(UNAVAILABLE, &["ledger", "height", "care"]);
    std::fs::write(network.file(), "name = 7").unwrap();
    network.refused(USAGE, &["network", "up"]);
    let usage = network.gauze(&["network", "fly"]);
    assert_eq!(usage.code, USAGE, "{usage}");
}

#[test]
fn a_description_that_cannot_work_is_refused() {
    let network = Network::prepare();
    network.ask(&["network", "init"]);
    let sample = std::fs::read_to_string(network.file()).unwrap();
    for (good, bad, named) in [
        ("orderers = 3", "orderers = 4", "must be odd"),
        ("first_port", "first_prot", "first_prot"),
    ] {
        std::fs::write(network.file(), sample.replace(good, bad)).unwrap();
        let refusal = network.refused(USAGE, &["network", "up"]);
        assert!(refusal["why"].as_str().unwrap().contains(named), "{refusal}");
    }
    network.ask(&["network", "init", "--force"]);
    assert_eq!(network.ask(&["network", "down"])["stopped"], 0);
}

#[test]
fn every_command_explains_itself() {
    const COMMANDS: &[(&str, &[&str])] = &[
        ("network", &["init", "up", "down", "ps", "logs"]),
        ("channel", &["list", "show", "join"]),
        ("snapshot", &["create", "list", "cancel", "verify"]),
        (
            "chaincode",
            &[
                "build", "package", "install", "approve", "commit", "deploy", "list", "invoke",
                "query",
            ],
        ),
        ("ledger", &["height", "block", "tx"]),
        ("ca", &["enroll", "register", "revoke", "list"]),
    ];
    let network = Network::prepare();
    let explains = |words: &[&str]| {
        let help = network.gauze(words);
        assert!(help.code == 0 && help.stdout.contains("Examples:\n  gauze "), "{help}");
    };
    for (group, commands) in COMMANDS {
        commands.iter().for_each(|command| explains(&[group, command, "--help"]));
    }
    explains(&["demo", "--help"]);
}
