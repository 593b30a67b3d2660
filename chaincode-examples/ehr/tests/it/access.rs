//! Consents, decisions, releases and the log.

use std::time::Duration;

use gauze_testing::TxValidationCode;
use serde_json::{Value, json};

use crate::care::{Care, KEY, PALM, PARK, PID, refused};

fn park() -> Value {
    json!({ "organization": PARK })
}

#[test]
fn without_consent_a_request_is_denied_and_logged() {
    let care = Care::new();
    care.record("r1", "Observation", &[]);
    let decided: Value = care.request(&care.wuckert, "TREAT", &["*"]).expect("commits").json();
    assert_eq!(decided["permitted"], json!([]));
    assert_eq!(decided["withheld"], json!([{ "reason": "NO_CONSENT", "count": 1 }]));
    let log = care.audit();
    assert_eq!(log.len(), 1);
    assert_eq!(log[0]["act"], "denied");
    assert_eq!(log[0]["actor"], "wuckert");
}

#[test]
fn a_permit_releases_what_is_not_sensitive() {
    let care = Care::new();
    let plain = care.record("r1", "Observation", &[]);
    care.record("r2", "Condition", &["SUD"]);
    care.permit("c1", park(), &[]);
    let decided: Value = care.request(&care.wuckert, "TREAT", &["*"]).expect("commits").json();
    assert_eq!(decided["permitted"].as_array().map(Vec::len), Some(1));
    assert_eq!(decided["permitted"][0]["cid"], json!(plain));
    assert_eq!(decided["permitted"][0]["consent"], "c1@1");
    assert_eq!(decided["withheld"], json!([{ "reason": "LABEL_WITHHELD", "count": 1 }]));
    let wuckert = json!({ "organization": PARK, "practitioner": "wuckert" });
    care.permit("c2", wuckert, &["SUD"]);
    let decided: Value = care.request(&care.wuckert, "TREAT", &["*"]).expect("commits").json();
    assert_eq!(decided["permitted"].as_array().map(Vec::len), Some(2));
    let sensitive = &decided["permitted"][1];
    assert_eq!(sensitive["obligations"], json!(["no-redisclosure"]));
}

#[test]
fn others_and_other_purposes_are_denied() {
    let care = Care::new();
    care.record("r1", "Observation", &[]);
    care.permit("c1", park(), &[]);
    for (user, purpose) in [(&care.willms, "TREAT"), (&care.wuckert, "HPAYMT")] {
        let decided: Value = care.request(user, purpose, &["*"]).expect("commits").json();
        assert_eq!(decided["permitted"], json!([]), "{purpose}");
    }
}

#[test]
fn requests_that_cannot_be_decided_are_refused() {
    let care = Care::new();
    let submit =
        |request: Value| care.as_(&care.wuckert).submit("RequestAccess", [request.to_string()]);
    let good = json!({
        "pid": PID, "purpose": "TREAT", "types": ["*"], "windowSeconds": 60, "recipientKey": KEY,
    });
    for (field, value, code) in [
        ("purpose", json!(null), "E_PURPOSE_REQUIRED"),
        ("purpose", json!("CURIOSITY"), "INVALID_ARGUMENT"),
        ("types", json!(["Selfie"]), "E_TYPE"),
        ("windowSeconds", json!(86_401), "E_WINDOW"),
        ("windowSeconds", json!(0), "E_WINDOW"),
        ("recipientKey", json!("k"), "E_IDENTIFIER"),
        ("pid", json!("ffeeddccbbaa99887766554433221100"), "E_NOT_FOUND"),
        ("role", json!("physician"), "INVALID_ARGUMENT"),
    ] {
        let mut bad = good.clone();
        bad[field] = value;
        refused(submit(bad), code);
    }
    let height = care.net.height();
    refused(care.request(&care.patient, "TREAT", &["*"]), "E_NO_ROLE");
    assert_eq!(care.net.height(), height, "refusals commit nothing");
}

#[test]
fn certificate_and_attestation_must_agree() {
    let care = Care::new();
    let person = |role: &str, npi: &str, id: &str| {
        care.net
            .user(PARK, "imposter")
            .attribute("role", role)
            .attribute("npi", npi)
            .attribute("practitioner", id)
    };
    let request = |user| care.request(&user, "TREAT", &["*"]);
    refused(request(person("surgeon", "9999999698", "wuckert")), "E_CALLER_MISMATCH");
    refused(request(person("physician", "1234567893", "wuckert")), "E_CALLER_MISMATCH");
    refused(request(person("physician", "9999999698", "nobody")), "E_ROLE_EXPIRED");
}

#[test]
fn patients_see_everything_of_their_own() {
    let care = Care::new();
    care.record("r1", "Condition", &["SUD"]);
    let decided: Value = care.request(&care.patient, "PATRQT", &["*"]).expect("commits").json();
    assert_eq!(decided["permitted"].as_array().map(Vec::len), Some(1));
    refused(care.request(&care.wuckert, "PATRQT", &["*"]), "E_CALLER");
}

#[test]
fn consents_that_nobody_can_mean_are_refused() {
    let care = Care::new();
    let grant = |terms: Value| {
        care.as_(&care.patient).submit("GrantConsent", [PID, "c1", &terms.to_string()])
    };
    let good = care.terms(park(), &[]);
    let now = care.net.now();
    let eleven_years = now + Duration::from_secs(11 * 366 * 86_400);
    for (field, value, code) in [
        ("validTo", json!(now), "E_TERMS"),
        ("validTo", json!(eleven_years), "E_TERMS"),
        ("purposes", json!([]), "E_TERMS"),
        ("purposes", json!(["HPAYMT"]), "E_TERMS"),
        ("purposes", json!(["PATRQT"]), "E_TERMS"),
        ("grantees", json!([]), "E_TERMS"),
        ("grantees", json!([{ "practitioner": "x" }]), "E_TERMS"),
        ("types", json!(["Selfie"]), "E_TYPE"),
        ("purposes", json!(["FUN"]), "INVALID_ARGUMENT"),
        ("surprise", json!(1), "INVALID_ARGUMENT"),
    ] {
        let mut bad = good.clone();
        bad[field] = value;
        refused(grant(bad), code);
    }
    let terms = good.to_string();
    let other = care.as_(&care.wuckert).submit("GrantConsent", [PID, "c1", &terms]);
    refused(other, "E_CALLER");
    grant(good.clone()).expect("grants");
    refused(grant(good), "E_EXISTS");
}

#[test]
fn revoking_stops_releases_and_keeps_history() {
    let care = Care::new();
    care.record("r1", "Observation", &[]);
    care.permit("c1", park(), &[]);
    let revoke = |user, version: &str| {
        care.as_(user).submit("RevokeConsent", [PID, "c1", version, "changed my mind"])
    };
    refused(revoke(&care.patient, "2"), "E_VERSION");
    refused(revoke(&care.wuckert, "1"), "E_CALLER");
    revoke(&care.patient, "1").expect("revokes");
    refused(revoke(&care.patient, "2"), "E_ALREADY_REVOKED");
    let decided: Value = care.request(&care.wuckert, "TREAT", &["*"]).expect("commits").json();
    assert_eq!(decided["permitted"], json!([]));
    let terms = care.terms(park(), &[]).to_string();
    let again = care.as_(&care.patient).submit("ChangeConsent", [PID, "c1", "2", &terms]);
    assert_eq!(again.expect("gives it again").text(), "3");
    let history: Vec<Value> =
        care.as_(&care.patient).evaluate("GetConsentHistory", [PID, "c1"]).expect("history").json();
    let told: Vec<_> = history.iter().map(|v| (&v["version"], &v["status"])).collect();
    assert_eq!(
        told,
        [
            (&json!(1), &json!("active")),
            (&json!(2), &json!("revoked")),
            (&json!(3), &json!("active")),
        ]
    );
    let decided: Value = care.request(&care.wuckert, "TREAT", &["*"]).expect("commits").json();
    assert_eq!(decided["permitted"][0]["consent"], "c1@3");
}

#[test]
fn a_decision_never_outlives_the_consent_it_relied_on() {
    let care = Care::new();
    care.record("r1", "Observation", &[]);
    care.permit("c1", park(), &[]);
    let revoke =
        care.as_(&care.patient).endorse("RevokeConsent", [PID, "c1", "1", "no"]).expect("endorses");
    let request = json!({
        "pid": PID, "purpose": "TREAT", "types": ["*"], "windowSeconds": 60, "recipientKey": KEY,
    });
    let request =
        care.as_(&care.wuckert).endorse("RequestAccess", [request.to_string()]).expect("endorses");
    let codes = care.net.commit([revoke, request]);
    assert_eq!(codes[0], TxValidationCode::Valid);
    assert!(
        matches!(
            codes[1],
            TxValidationCode::PhantomReadConflict | TxValidationCode::MvccReadConflict
        ),
        "{codes:?}"
    );
    assert!(care.audit().is_empty());
}

#[test]
fn clinicians_do_not_wait_for_one_another() {
    let care = Care::new();
    care.record("r1", "Observation", &[]);
    care.permit("c1", park(), &[]);
    let request = json!({
        "pid": PID, "purpose": "TREAT", "types": ["*"], "windowSeconds": 60, "recipientKey": KEY,
    })
    .to_string();
    let endorsed = [&care.wuckert, &care.willms, &care.wuckert]
        .map(|user| care.as_(user).endorse("RequestAccess", [request.clone()]).expect("endorses"));
    assert_eq!(care.net.commit(endorsed), [TxValidationCode::Valid; 3]);
    assert_eq!(care.audit().len(), 3);
}

#[test]
fn releases_need_a_live_permit() {
    let care = Care::new();
    let cid = care.record("r1", "Observation", &[]);
    let hidden = care.record("r2", "Condition", &["HIV"]);
    care.permit("c1", park(), &[]);
    let request = care.request(&care.wuckert, "TREAT", &["*"]).expect("commits").tx_id;
    let vault = care.net.user(PARK, "vault");
    let release = |user, cid: &str, key: &str| {
        let cids = json!([cid]).to_string();
        let digests = json!([KEY]).to_string();
        care.as_(user).submit("LogRelease", [PID, &request, &cids, &digests, key])
    };
    let other_key = ehr::who::hash(b"other key");
    refused(release(&vault, &hidden, KEY), "E_NOT_PERMITTED");
    refused(release(&vault, &cid, &other_key), "E_RECIPIENT");
    let palm = care.net.user(PALM, "vault");
    refused(release(&palm, &cid, KEY), "E_NOT_CUSTODIAN");
    release(&vault, &cid, KEY).expect("releases");
    care.net.advance(Duration::from_secs(3600));
    refused(release(&vault, &cid, KEY), "E_EXPIRED");
    let acts: Vec<Value> = care.audit().iter().map(|entry| entry["act"].clone()).collect();
    assert_eq!(acts, ["permitted", "released"]);
}

#[test]
fn the_log_is_complete_ordered_and_for_those_concerned() {
    let care = Care::new();
    care.record("r1", "Observation", &[]);
    care.permit("c1", park(), &[]);
    let mut made = Vec::new();
    for _ in 0..7 {
        care.net.advance(Duration::from_millis(500));
        made.push(care.request(&care.wuckert, "TREAT", &["*"]).expect("commits").tx_id);
    }
    let mut found: Vec<String> = Vec::new();
    let mut bookmark = String::new();
    loop {
        let args = [PID, "1970-01-01T00:00:00Z", "2999-01-01T00:00:00Z", "3", &bookmark];
        let page: Value =
            care.as_(&care.patient).evaluate("AuditByPatient", args).expect("audit").json();
        let records = page["records"].as_array().expect("records");
        found.extend(records.iter().map(|e| e["txId"].as_str().unwrap_or_default().to_owned()));
        bookmark = page["bookmark"].as_str().unwrap_or_default().to_owned();
        if bookmark.is_empty() {
            break;
        }
        care.net.advance(Duration::from_millis(500));
        care.request(&care.willms, "TREAT", &["*"]).expect("a bookmark survives new entries");
    }
    assert_eq!(found.get(..7), Some(&*made));
    let args = [PID, "1970-01-01T00:00:00Z", "2999-01-01T00:00:00Z", "10", ""];
    refused(care.as_(&care.wuckert).evaluate("AuditByPatient", args), "E_CALLER");
    let officer = |msp_id| care.net.user(msp_id, "po").attribute("role", "privacy-officer");
    care.as_(&officer(PARK)).evaluate("AuditByPatient", args).expect("the custodian's officer");
    refused(care.as_(&officer(PALM)).evaluate("AuditByPatient", args), "E_CALLER");
    let by_actor = [PARK, "wuckert", "10", ""];
    let page: Value =
        care.as_(&officer(PARK)).evaluate("AuditByActor", by_actor).expect("audit").json();
    assert_eq!(page["records"].as_array().map(Vec::len), Some(7));
    refused(care.as_(&officer(PALM)).evaluate("AuditByActor", by_actor), "E_CALLER");
}
