//! The cast: two hospitals, their people, a patient.

use std::time::Duration;

use gauze_chaincode::Timestamp;
use gauze_testing::{CallError, Committed, Network, Session, User};
use serde_json::{Value, json};

pub(crate) const PARK: &str = "ParkMSP";
pub(crate) const PALM: &str = "PalmMSP";
pub(crate) const PID: &str = "00112233445566778899aabbccddeeff";
pub(crate) const KEY: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

/// A network on which both hospitals, two physicians and the patient are registered.
pub(crate) struct Care {
    pub(crate) net: Network,
    pub(crate) patient: User,
    pub(crate) wuckert: User,
    pub(crate) willms: User,
    pub(crate) registrar: User,
}

impl Care {
    /// An empty network with the contract.
    pub(crate) fn network() -> Network {
        Network::new().orgs([PARK, PALM]).deploy::<ehr::Ehr>("ehr")
    }

    /// Everyone registered.
    pub(crate) fn new() -> Self {
        let net = Self::network();
        for (msp_id, id) in [(PARK, "park"), (PALM, "palm")] {
            let admin = net.user(msp_id, "admin").role("admin");
            let args = [id, r#"["provider","acute"]"#, "https://vault.example", KEY];
            net.as_(&admin).submit("RegisterOrg", args).expect("register the hospital");
        }
        let registrar = net.user(PARK, "registrar").attribute("role", "registrar");
        let wuckert = physician(&net, PARK, "wuckert", "9999999698");
        let willms = physician(&net, PALM, "willms", "9999924290");
        let patient = net.user(PARK, "patient");
        let fingerprint = net
            .as_(&patient)
            .evaluate("MyFingerprint", gauze_testing::NO_ARGS)
            .expect("read")
            .text();
        let args = [PID, &fingerprint, "America/Chicago"];
        net.as_(&registrar).submit("RegisterPatient", args).expect("register the patient");
        Self { net, patient, wuckert, willms, registrar }
    }

    pub(crate) fn as_(&self, user: &User) -> Session<'_> {
        self.net.as_(user)
    }

    /// Registers a record kept by Park; answers with its cid.
    pub(crate) fn record(&self, id: &str, fhir_type: &str, labels: &[&str]) -> String {
        let cid = ehr::who::hash(id.as_bytes());
        let record = record(id, fhir_type, &cid, labels);
        self.as_(&self.registrar)
            .submit("RegisterRecord", [record.to_string()])
            .expect("register the record");
        cid
    }

    /// The patient permits something for treatment, for a day.
    pub(crate) fn permit(&self, id: &str, grantee: Value, labels: &[&str]) {
        let terms = self.terms(grantee, labels).to_string();
        self.as_(&self.patient).submit("GrantConsent", [PID, id, &terms]).expect("grant");
    }

    pub(crate) fn terms(&self, grantee: Value, labels: &[&str]) -> Value {
        let now = self.net.now();
        json!({
            "decision": "permit", "grantees": [grantee], "purposes": ["TREAT"], "types": ["*"],
            "labels": labels, "operations": ["r"],
            "validFrom": now, "validTo": now + Duration::from_secs(86_400),
        })
    }

    pub(crate) fn request(
        &self,
        user: &User,
        purpose: &str,
        types: &[&str],
    ) -> Result<Committed, CallError> {
        let request = json!({
            "pid": PID, "purpose": purpose, "types": types, "windowSeconds": 3600,
            "recipientKey": KEY,
        });
        self.as_(user).submit("RequestAccess", [request.to_string()])
    }

    pub(crate) fn audit(&self) -> Vec<Value> {
        let to = Timestamp::from_seconds(9_999_999_999).to_string();
        let args = [PID, "1970-01-01T00:00:00Z", &to, "100", ""];
        let page: Value =
            self.as_(&self.patient).evaluate("AuditByPatient", args).expect("audit").json();
        page["records"].as_array().expect("a page has records").clone()
    }
}

pub(crate) fn physician(net: &Network, msp_id: &str, id: &str, npi: &str) -> User {
    let registrar = net.user(msp_id, "registrar").attribute("role", "registrar");
    let args = [id, npi, "physician", r#"["cardiology"]"#, "2999-01-01T00:00:00Z"];
    net.as_(&registrar).submit("AttestPractitioner", args).expect("attest");
    net.user(msp_id, id)
        .attribute("role", "physician")
        .attribute("practitioner", id)
        .attribute("npi", npi)
}

pub(crate) fn record(id: &str, fhir_type: &str, cid: &str, labels: &[&str]) -> Value {
    json!({
        "pid": PID, "recId": id, "fhirType": fhir_type, "cid": cid, "commit": KEY, "size": 1000,
        "labels": labels, "day": "2024-03-05",
    })
}

/// The refusal's code.
#[track_caller]
pub(crate) fn refused<T: std::fmt::Debug>(result: Result<T, CallError>, code: &str) {
    let error = result.expect_err("this must be refused");
    assert_eq!(error.code(), code, "{error}");
}
