//! What users of the contract see.

use std::time::Duration;

use basic::Asset;
use basic::tour::{Change, Identity};
use gauze_testing::{NO_ARGS, Network, TxValidationCode};
use serde_json::{Value, json};

pub(crate) fn all(net: impl Fn() -> Network) {
    assets(&net());
    races(&net());
    phantoms(&net());
    ranges(&net());
    history(&net());
    callers(&net());
    private_data(&net());
    key_policies(&net());
    nested_calls(&net());
    failures(&net());
    interface(&net());
}

fn assets(net: &Network) {
    let ana = net.user("OneMSP", "ana");
    net.as_(&ana).submit("InitLedger", NO_ARGS).unwrap();
    let assets: Vec<Asset> = net.as_(&ana).evaluate("GetAllAssets", NO_ARGS).unwrap().json();
    assert_eq!(assets.len(), 6);
    let old = net.as_(&ana).submit("TransferAsset", ["asset1", "Ben"]).unwrap().text();
    assert_eq!(old, "Tomoko");
    let asset: Value = net.as_(&ana).evaluate("ReadAsset", ["asset1"]).unwrap().json();
    let expected = json!({
        "ID": "asset1", "Color": "blue", "Size": 5, "Owner": "Ben", "AppraisedValue": 300
    });
    assert_eq!(asset, expected);
    net.as_(&ana).submit("UpdateAsset", ["asset1", "red", "6", "Eva", "1"]).unwrap();
    net.as_(&ana).submit("DeleteAsset", ["asset1"]).unwrap();
    assert_eq!(net.as_(&ana).evaluate("AssetExists", ["asset1"]).unwrap().text(), "false");
    let missing = net.as_(&ana).submit("DeleteAsset", ["asset1"]).unwrap_err();
    assert_eq!((missing.code(), missing.status()), ("ASSET_NOT_FOUND", 500));
    let names: Vec<_> = net.events().into_iter().map(|event| event.name).collect();
    assert_eq!(names, ["TransferAsset", "UpdateAsset", "DeleteAsset"]);
    assert_eq!(net.events()[1].json::<Asset>().owner, "Eva");
    assert_eq!(net.height(), 5);
}

/// Of two transactions that read and write one key, the second in the block is invalid.
fn races(net: &Network) {
    let ana = net.user("OneMSP", "ana");
    let first = net.as_(&ana).endorse("increment", ["n"]).unwrap();
    let second = net.as_(&ana).endorse("increment", ["n"]).unwrap();
    let codes = net.commit([first, second]);
    assert_eq!(codes, [TxValidationCode::Valid, TxValidationCode::MvccReadConflict]);
    assert_eq!(net.state("basic", "n").unwrap(), "1");
}

fn phantoms(net: &Network) {
    let ana = net.user("OneMSP", "ana");
    net.as_(&ana).submit("put", ["a1", "x"]).unwrap();
    let count = net.as_(&ana).endorse("countRange", ["a", "b", "count"]).unwrap();
    assert_eq!(count.reply().text(), "1");
    let phantom = net.as_(&ana).endorse("put", ["a2", "x"]).unwrap();
    let codes = net.commit([phantom, count]);
    assert_eq!(codes, [TxValidationCode::Valid, TxValidationCode::PhantomReadConflict]);
}

fn ranges(net: &Network) {
    let ana = net.user("OneMSP", "ana");
    net.as_(&ana).submit("manyWrites", ["230"]).unwrap();
    let visits = [("Ulm", "Eva"), ("Ulm", "Max"), ("Bonn", "Eva")];
    for (town, guest) in visits {
        let visit = json!({ "town": town, "guest": guest, "nights": 1 }).to_string();
        net.as_(&ana).submit("putComposite", [visit]).unwrap();
    }
    let evaluate = |function: &str, args: &[&str]| -> Value {
        net.as_(&ana).evaluate(function, args.iter().copied()).unwrap().json()
    };
    let all = evaluate("range", &["", "", "1000"]);
    assert_eq!(all.as_array().unwrap().len(), 230);
    assert_eq!(
        evaluate("range", &["many00000005", "", "2"]),
        json!(["many00000005", "many00000006"])
    );
    let page = evaluate("page", &["", "", "200", ""]);
    assert_eq!(page["records"].as_array().unwrap().len(), 200);
    let bookmark = page["bookmark"].as_str().unwrap();
    let rest = evaluate("page", &["", "", "200", bookmark]);
    assert_eq!((rest["records"].as_array().unwrap().len(), &rest["bookmark"]), (30, &json!("")));
    let ulm = evaluate("composite", &["Ulm"]);
    assert_eq!(ulm.as_array().unwrap().len(), 2);
    assert_eq!(ulm[1]["guest"], "Max");
}

fn history(net: &Network) {
    let ana = net.user("OneMSP", "ana");
    for value in ["one", "two"] {
        net.as_(&ana).submit("put", ["k", value]).unwrap();
        net.advance(Duration::from_secs(60));
    }
    net.as_(&ana).submit("del", ["k"]).unwrap();
    let changes: Vec<Change> = net.as_(&ana).evaluate("history", ["k"]).unwrap().json();
    let seen: Vec<_> = changes
        .iter()
        .map(|change| (change.timestamp.to_string(), change.value.as_str(), change.is_delete))
        .collect();
    let expected = [
        ("2024-01-01T00:02:00Z".to_owned(), "", true),
        ("2024-01-01T00:01:00Z".to_owned(), "two", false),
        ("2024-01-01T00:00:00Z".to_owned(), "one", false),
    ];
    assert_eq!(seen, expected);
}

fn callers(net: &Network) {
    let eva = net.user("TwoMSP", "eva").role("admin").attribute("ward", "7");
    let identity: Identity = net.as_(&eva).evaluate("whoami", NO_ARGS).unwrap().json();
    assert_eq!((identity.msp_id.as_str(), identity.common_name.as_str()), ("TwoMSP", "eva"));
    assert_eq!(identity.role.as_deref(), Some("admin"));
    assert_eq!(identity.attributes["ward"], "7");
    assert_eq!(identity.tx_id.len(), 64);
    assert_eq!(identity.channel_id, "test");
    assert_eq!(identity.timestamp, net.now());
}

fn private_data(net: &Network) {
    let ana = net.user("OneMSP", "ana");
    let put = net.as_(&ana).transient_bytes("value", "secret");
    let endorsed = put.endorse("putPrivate", ["vault", "k"]).unwrap();
    assert_eq!(net.commit([endorsed]), [TxValidationCode::Valid]);
    assert_eq!(net.as_(&ana).evaluate("getPrivate", ["vault", "k"]).unwrap().text(), "secret");
    let hash = net.as_(&ana).evaluate("getPrivateHash", ["vault", "k"]).unwrap().text();
    assert_eq!(hash, "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b");
    let keys: Vec<String> =
        net.as_(&ana).evaluate("privateRange", ["vault", "", ""]).unwrap().json();
    assert_eq!(keys, ["k"]);
    let missing = net.as_(&ana).submit("putPrivate", ["vault", "k"]).unwrap_err();
    assert_eq!(missing.code(), "INVALID_ARGUMENT");
    net.as_(&ana).submit("purgePrivate", ["vault", "k"]).unwrap();
    assert_eq!(net.as_(&ana).evaluate("getPrivate", ["vault", "k"]).unwrap().text(), "");
}

fn key_policies(net: &Network) {
    let ana = net.user("OneMSP", "ana");
    net.as_(&ana).submit("put", ["k", "v"]).unwrap();
    net.as_(&ana).submit("setKeyPolicy", ["k", r#"["OneMSP","TwoMSP"]"#]).unwrap();
    let view = net.ledger().view().unwrap();
    let policy = view.validation_parameter("basic", "k").unwrap().unwrap();
    assert!(policy.windows(6).any(|window| window == b"TwoMSP"));
    assert_eq!(net.state("basic", "k").unwrap(), "v");
}

fn nested_calls(net: &Network) {
    let ana = net.user("OneMSP", "ana");
    net.as_(&ana).submit("invoke", ["basic", "", "put", r#"["k","v"]"#]).unwrap();
    assert_eq!(net.state("basic", "k").unwrap(), "v");
    net.as_(&ana).submit("invoke", ["basic", "", "event", r#"["lost","x"]"#]).unwrap();
    assert!(net.events().is_empty());
    let unknown = net.as_(&ana).submit("invoke", ["nobody", "", "put", "[]"]).unwrap_err();
    assert!(unknown.to_string().contains("chaincode nobody has been successfully defined"));
}

/// A failed transaction leaves nothing behind.
fn failures(net: &Network) {
    let ana = net.user("OneMSP", "ana");
    let height = net.height();
    let trapped = net.as_(&ana).submit("trap", NO_ARGS).unwrap_err();
    assert!(trapped.to_string().starts_with("chaincode trapped"), "{trapped}");
    let big = net.as_(&ana).submit("bigResponse", ["17000000"]).unwrap_err();
    assert_eq!(big.to_string(), "chaincode exceeded response_bytes_max of 16777216");
    let many = net.as_(&ana).submit("manyWrites", ["20001"]).unwrap_err();
    assert_eq!(many.to_string(), "chaincode exceeded writes_max of 20000");
    let size = net.as_(&ana).submit("CreateAsset", ["a", "red", "five", "x", "1"]).unwrap_err();
    assert_eq!(size.code(), "INVALID_ARGUMENT");
    assert!(size.to_string().contains("parameter 'size' is not a valid integer"), "{size}");
    assert_eq!((net.height(), net.state("basic", "trapped")), (height, None));
}

fn interface(net: &Network) {
    let ana = net.user("OneMSP", "ana");
    let session = net.as_(&ana);
    let interface: Value =
        session.evaluate("org.hyperledger.fabric:GetMetadata", NO_ARGS).unwrap().json();
    assert_eq!(interface["info"]["title"], "basic");
    let transactions = interface["contracts"]["basic"]["transactions"].as_array().unwrap();
    let create = transactions.iter().find(|t| t["name"] == "CreateAsset").unwrap();
    assert_eq!(create["description"], "Adds an asset.");
    assert_eq!(create["tag"][0], "submit");
    let size = json!({ "name": "size", "schema": { "type": "integer", "format": "int64" } });
    assert_eq!(create["parameters"][2], size);
    assert_eq!(create["returns"]["properties"]["ID"], json!({ "type": "string" }));
}
