//! A description that has grown: `network up` adds to the running network what is new in it.

use serde_json::json;

use crate::harness::{Network, Topology};

const SOURCE: &str = "source = \"chaincode-examples/basic\"";
const MORE: &str = r#"
[organizations.alpha.users.auditor]
attributes = { role = "auditor" }

[channels.trial]
organizations = ["beta", "alpha"]
ordered_by = ["orderer"]
chaincode.basic.source = "chaincode-examples/basic"
"#;

#[test]
fn what_is_new_in_the_description_is_added() {
    let network = Network::start(&Topology::tolerant());
    let nodes = network.nodes().len();
    let unchanged = network.ask(&["network", "up"]);
    assert_eq!(
        (&unchanged["started"], unchanged["chaincode"][0]["block"].as_u64()),
        (&json!(0), None)
    );

    let text = std::fs::read_to_string(network.file()).unwrap();
    std::fs::write(network.file(), format!("log = \"warn\"\n{text}{MORE}")).unwrap();
    let grown = network.ask(&["network", "up"]);
    assert_eq!(grown["started"], nodes, "another log filter restarts the nodes: {grown}");
    let auditor = ["--as", "alpha/auditor", "chaincode"];
    let on_trial = ["basic", "--channel", "trial"];
    let create =
        [&auditor[..], &["invoke"], &on_trial, &["CreateAsset", "a", "red", "5", "Ada", "7"]];
    network.ask(&create.concat());
    let read = [&auditor[..], &["query"], &on_trial, &["ReadAsset", "a"]].concat();
    assert_eq!(network.ask(&read)["Owner"], "Ada");

    // Another version is another sequence, and the state stays.
    let text = std::fs::read_to_string(network.file()).unwrap();
    let newer = text.replace(
        &format!("chaincode.basic.{SOURCE}"),
        &format!("chaincode.basic = {{ {SOURCE}, version = \"2.0\" }}"),
    );
    std::fs::write(network.file(), newer).unwrap();
    let deploy = ["chaincode", "deploy", "basic", "--channel", "trial"];
    assert_eq!(network.ask(&deploy)["sequence"], 2);
    assert_eq!(network.ask(&read)["Owner"], "Ada");
    let again = network.ask(&deploy);
    assert_eq!((&again["sequence"], &again["block"]), (&json!(2), &json!(null)), "{again}");
    network.down();
}
