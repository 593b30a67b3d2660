//! Registering organizations, practitioners, patients and records.

use serde_json::json;

use crate::care::{Care, KEY, PALM, PARK, PID, record, refused};

#[test]
fn organizations_register_themselves_by_their_administrators() {
    let net = Care::network();
    let args = ["park", r#"["provider"]"#, "https://vault", KEY];
    let clerk = net.user(PARK, "clerk");
    refused(net.as_(&clerk).submit("RegisterOrg", args), "E_CALLER");
    let admin = net.user(PARK, "admin").role("admin");
    refused(net.as_(&admin).submit("RegisterOrg", ["p k", "[]", "u", KEY]), "E_IDENTIFIER");
    refused(net.as_(&admin).submit("RegisterOrg", ["park", "[]", "u", "key"]), "E_IDENTIFIER");
    net.as_(&admin).submit("RegisterOrg", args).expect("registers");
    refused(net.as_(&admin).submit("RegisterOrg", args), "E_EXISTS");
}

#[test]
fn practitioners_are_attested_by_their_own_organization() {
    let care = Care::new();
    let attest = |args: [&str; 5]| care.as_(&care.registrar).submit("AttestPractitioner", args);
    let until = "2999-01-01T00:00:00Z";
    refused(attest(["x", "1234567890", "nurse", "[]", until]), "E_IDENTIFIER");
    refused(attest(["x", "1234567893", "nurse", "[]", "1999-01-01T00:00:00Z"]), "E_ROLE_EXPIRED");
    refused(attest(["wuckert", "9999999698", "physician", "[]", until]), "E_EXISTS");
    let args = ["x", "1234567893", "nurse", "[]", until];
    refused(care.as_(&care.wuckert).submit("AttestPractitioner", args), "E_ROLE");
    refused(care.as_(&care.patient).submit("AttestPractitioner", args), "E_NO_ROLE");
}

#[test]
fn patients_have_a_pseudonym_and_nothing_else() {
    let care = Care::new();
    let register = |args: [&str; 3]| care.as_(&care.registrar).submit("RegisterPatient", args);
    refused(register([PID, KEY, "UTC"]), "E_EXISTS");
    refused(register(["Emmerich580", KEY, "UTC"]), "E_IDENTIFIER");
    let other = "ffeeddccbbaa99887766554433221100";
    refused(register([other, "nokey", "UTC"]), "E_IDENTIFIER");
    let nurse = care.net.user(PARK, "nurse").attribute("role", "nurse");
    let args = [other, KEY, "UTC"];
    refused(care.as_(&nurse).submit("RegisterPatient", args), "E_ROLE");
}

#[test]
fn the_identifying_link_is_private() {
    let care = Care::new();
    let pid = "ffeeddccbbaa99887766554433221100";
    let link = json!({ "mrn": "4711", "name": "Marker Name", "birthDate": "1970-01-01" });
    let session = care.as_(&care.registrar);
    let unsalted = session.clone().transient("link", &link);
    refused(unsalted.submit("RegisterPatient", [pid, KEY, "UTC"]), "INVALID_ARGUMENT");
    let mut link = link;
    link["salt"] = json!("0123456789abcdef");
    let salted = session.transient("link", &link);
    salted.submit("RegisterPatient", [pid, KEY, "UTC"]).expect("registers");
    let block = care
        .net
        .ledger()
        .block(care.net.height() - 1)
        .expect("the ledger reads")
        .expect("the block is there");
    let bytes = prost::Message::encode_to_vec(&block);
    let marker = b"Marker Name";
    assert!(!bytes.windows(marker.len()).any(|window| window == marker));
}

#[test]
fn records_are_pointers_with_versions() {
    let care = Care::new();
    let cid = care.record("r1", "Condition", &["SUD"]);
    let get = || -> serde_json::Value {
        care.as_(&care.wuckert).evaluate("GetRecord", [PID, PARK, "r1"]).expect("get").json()
    };
    assert_eq!((get()["version"].as_u64(), get()["cid"].as_str()), (Some(1), Some(&*cid)));
    let register = |value: serde_json::Value| {
        care.as_(&care.registrar).submit("RegisterRecord", [value.to_string()])
    };
    let second = ehr::who::hash(b"second");
    refused(register(record("r1", "Condition", &second, &[])), "E_EXISTS");
    let mut amended = record("r1", "Condition", &second, &[]);
    amended["supersedes"] = json!(2);
    refused(register(amended.clone()), "E_VERSION");
    amended["supersedes"] = json!(1);
    assert_eq!(register(amended).expect("amends").text(), "2");
    assert_eq!(get()["version"].as_u64(), Some(2));
    let verify = |version: &str, sha256: &str| {
        let args = [PID, PARK, "r1", version, sha256];
        care.as_(&care.patient).evaluate("VerifyRecord", args).expect("verify").text()
    };
    assert_eq!(verify("1", &cid), "true");
    assert_eq!(verify("2", &cid), "false");
    assert_eq!(verify("3", &cid), "false");
}

#[test]
fn records_that_do_not_belong_on_the_chain_are_refused() {
    let care = Care::new();
    let cid = care.record("r1", "Condition", &[]);
    let register = |value: serde_json::Value| {
        care.as_(&care.registrar).submit("RegisterRecord", [value.to_string()])
    };
    let fresh = ehr::who::hash(b"fresh");
    refused(register(record("r2", "Condition", &cid, &[])), "E_CID_REUSED");
    refused(register(record("r2", "Selfie", &fresh, &[])), "E_TYPE");
    refused(register(record("r2", "*", &fresh, &[])), "E_TYPE");
    refused(register(record("r2", "Condition", &fresh, &["VIP"])), "INVALID_ARGUMENT");
    for (field, value, code) in [
        ("size", json!(0), "E_IDENTIFIER"),
        ("cid", json!("xyz"), "E_IDENTIFIER"),
        ("day", json!("yesterday"), "E_IDENTIFIER"),
        ("pid", json!("ffeeddccbbaa99887766554433221100"), "E_NOT_FOUND"),
        ("encounterRef", json!("x".repeat(3000)), "E_TOO_LARGE"),
        ("birthDate", json!("1970-01-01"), "INVALID_ARGUMENT"),
        ("supersedes", json!(1), "E_NOT_FOUND"),
    ] {
        let mut bad = record("r2", "Condition", &fresh, &[]);
        bad[field] = value;
        refused(register(bad), code);
    }
}

#[test]
fn only_the_custodian_amends() {
    let care = Care::new();
    care.record("r1", "Condition", &[]);
    let mut stolen = record("r1", "Condition", &ehr::who::hash(b"stolen"), &[]);
    stolen["supersedes"] = json!(1);
    let palm = care.net.user(PALM, "registrar").attribute("role", "registrar");
    refused(care.as_(&palm).submit("RegisterRecord", [stolen.to_string()]), "E_NOT_CUSTODIAN");
}
