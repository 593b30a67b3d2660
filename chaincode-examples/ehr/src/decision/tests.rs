//! The order of the decision, one case a line.

use super::*;
use crate::consent::{Grantee, Status};

const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);

/// `permit|deny scope [purpose] [types] [labels]`, active from an hour ago for a day.
fn consent(id: &str, text: &str) -> Consent {
    let mut words = text.split(' ');
    let decision = match words.next() {
        Some("permit") => Decision::Permit,
        _ => Decision::Deny,
    };
    let grantee = grantee(words.next().unwrap_or("any"));
    let purpose = match words.next() {
        Some("HPAYMT") => Purpose::Hpaymt,
        _ => Purpose::Treat,
    };
    let types = words.next().unwrap_or(ANY_TYPE).split(',').map(str::to_owned).collect();
    let labels = words.next().into_iter().flat_map(|list| list.split(',')).map(label).collect();
    let hour = std::time::Duration::from_secs(3600);
    Consent {
        pid: "00112233445566778899aabbccddeeff".into(),
        id: id.into(),
        version: 1,
        status: Status::Active,
        terms: Terms {
            decision,
            grantees: vec![grantee],
            purposes: [purpose].into(),
            types,
            labels,
            data_from: None,
            data_to: None,
            valid_from: NOW - hour,
            valid_to: NOW + hour * 23,
            operations: [Operation::R].into(),
            obligations: BTreeSet::new(),
        },
    }
}

fn grantee(scope: &str) -> Grantee {
    let some = |text: &str| Some(text.to_owned());
    match scope {
        "practitioner" => {
            Grantee { organization: some("Park"), practitioner: some("wuckert"), role: None }
        }
        "role@org" => {
            Grantee { organization: some("Park"), role: some("physician"), ..Grantee::default() }
        }
        "org" => Grantee { organization: some("Park"), ..Grantee::default() },
        "role" => Grantee { role: some("physician"), ..Grantee::default() },
        "other" => Grantee { organization: some("Palm"), ..Grantee::default() },
        _ => Grantee::default(),
    }
}

fn label(text: &str) -> Label {
    match text {
        "SUD" => Label::Sud,
        "SDV" => Label::Sdv,
        _ => Label::Hiv,
    }
}

/// Decides about a note of 2020-06-15 with these labels, asked for treatment by Dr Wuckert.
#[track_caller]
fn check(consents: &[&str], labels: &[&str], expected: Result<&str, Reason>) {
    let consents: Vec<Consent> = consents
        .iter()
        .enumerate()
        .map(|(number, text)| consent(&format!("c{}", number + 1), text))
        .collect();
    assert_eq!(verdict(&consents, labels), expected.map(str::to_owned), "{consents:?}");
}

fn verdict(consents: &[Consent], labels: &[&str]) -> Result<String, Reason> {
    let labels = labels.iter().map(|text| label(text)).collect();
    let who = Requester { msp_id: "Park", practitioner: "wuckert", role: "physician" };
    let subject = Subject { fhir_type: "Condition", labels: &labels, day: Some("2020-06-15") };
    match decide(consents, who, Purpose::Treat, subject, NOW) {
        Verdict::Permit { consent, .. } => Ok(consent),
        Verdict::Deny(reason) => Err(reason),
    }
}

#[test]
fn without_consent_the_answer_is_no() {
    check(&[], &[], Err(Reason::NoConsent));
    check(&["permit other"], &[], Err(Reason::NoConsent));
    check(&["permit org HPAYMT Condition"], &[], Err(Reason::NoConsent));
    check(&["permit org TREAT Immunization,Observation"], &[], Err(Reason::NoConsent));
}

#[test]
fn the_narrowest_scope_decides() {
    check(&["permit org"], &[], Ok("c1@1"));
    check(&["deny any", "permit role"], &[], Ok("c2@1"));
    check(&["deny role", "permit org"], &[], Ok("c2@1"));
    check(&["deny org", "permit role@org"], &[], Ok("c2@1"));
    check(&["deny role@org", "permit practitioner"], &[], Ok("c2@1"));
    check(&["permit any", "permit org", "deny practitioner"], &[], Err(Reason::Denied));
}

#[test]
fn at_equal_scope_deny_wins() {
    check(&["permit org", "deny org"], &[], Err(Reason::Denied));
    check(&["deny org TREAT Immunization", "permit org"], &[], Ok("c2@1"));
    check(&["permit org", "deny org TREAT * HIV"], &[], Ok("c1@1"));
}

#[test]
fn sensitive_records_need_every_label_admitted() {
    check(&["permit org"], &["SUD"], Err(Reason::LabelWithheld));
    check(&["permit org TREAT * SUD"], &["SUD"], Ok("c1@1"));
    check(&["permit org TREAT * SUD"], &["SUD", "SDV"], Err(Reason::LabelWithheld));
    check(&["permit org TREAT * SUD", "permit org TREAT * SDV"], &["SUD", "SDV"], Ok("c1@1,c2@1"));
    check(&["permit org", "permit practitioner TREAT * SUD"], &["SUD"], Ok("c2@1"));
}

#[test]
fn validity_ends_on_the_second() {
    let mut one = consent("c1", "permit org");
    one.terms.valid_to = NOW + std::time::Duration::from_secs(1);
    assert_eq!(verdict(&[one.clone()], &[]), Ok("c1@1".to_owned()));
    one.terms.valid_to = NOW;
    assert_eq!(verdict(&[one.clone()], &[]), Err(Reason::NoConsent));
    one.terms.valid_to = NOW + std::time::Duration::from_secs(1);
    one.status = Status::Revoked;
    assert_eq!(verdict(&[one], &[]), Err(Reason::NoConsent));
}

#[test]
fn the_data_period_is_about_clinical_days() {
    for (from, to, inside) in [
        (Some("2020-06-15"), Some("2020-06-15"), true),
        (Some("2020-06"), None, true),
        (Some("2020-06-16"), None, false),
        (None, Some("2020-05"), false),
        (None, Some("2020-06-14"), false),
    ] {
        let mut one = consent("c1", "permit org");
        one.terms.data_from = from.map(str::to_owned);
        one.terms.data_to = to.map(str::to_owned);
        assert_eq!(verdict(&[one], &[]).is_ok(), inside, "{from:?} {to:?}");
    }
}

#[test]
fn substance_use_records_must_not_be_passed_on() {
    let labels = [Label::Sud].into();
    let who = Requester { msp_id: "Park", practitioner: "x", role: "nurse" };
    let subject = Subject { fhir_type: "Condition", labels: &labels, day: None };
    let consents = [consent("c1", "permit org TREAT * SUD")];
    let Verdict::Permit { obligations, .. } = decide(&consents, who, Purpose::Treat, subject, NOW)
    else {
        panic!("the label is admitted")
    };
    assert_eq!(obligations, [Obligation::NoRedisclosure].into());
}
