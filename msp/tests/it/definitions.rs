//! Which definitions of organizations are accepted.

use bytes::Bytes;
use msp::authority::Revoked;
use msp::{Manager, Msp, MspVersion, SetupError};
use prost::Message;
use proto::msp::{FabricCryptoConfig, FabricMspConfig, MspConfig};
use rcgen::{CertificateParams, KeyPair};

use crate::consortium::*;

#[track_caller]
fn check(change: impl FnOnce(&mut FabricMspConfig), expected: fn(&SetupError) -> bool) {
    let mut config = definition(&root("ca"));
    change(&mut config);
    let error = Msp::new(&config, MspVersion::V1_4_3).map(|_| ()).unwrap_err();
    assert!(expected(&error), "{error:?}");
}

#[test]
fn incomplete_definitions_are_refused() {
    check(|it| it.name.clear(), |it| matches!(it, SetupError::NoName));
    check(|it| it.root_certs.clear(), |it| matches!(it, SetupError::NoRoot(_)));
    check(|it| it.fabric_node_ous = None, |it| matches!(it, SetupError::NoAdmin(_)));
    let no_admin = |it: &mut FabricMspConfig| {
        it.fabric_node_ous.as_mut().unwrap().admin_ou_identifier = None;
    };
    check(no_admin, |it| matches!(it, SetupError::NoAdmin(_)));
    let disabled = |it: &mut FabricMspConfig| it.fabric_node_ous.as_mut().unwrap().enable = false;
    check(disabled, |it| matches!(it, SetupError::NoAdmin(_)));
}

#[test]
fn unreadable_parts_are_refused() {
    let unreadable = |it: &SetupError| matches!(it, SetupError::Certificate { .. });
    let junk = || vec![Bytes::from_static(b"junk")];
    check(|it| it.root_certs = junk(), unreadable);
    check(|it| it.intermediate_certs = junk(), unreadable);
    check(|it| it.tls_root_certs = junk(), unreadable);
    check(|it| it.admins = junk(), unreadable);
    check(|it| it.revocation_list = junk(), unreadable);
    let hash = |it: &mut FabricMspConfig| {
        let signature_hash_family = "SHA3".to_owned();
        it.crypto_config = Some(FabricCryptoConfig { signature_hash_family, ..Default::default() });
    };
    check(hash, |it| matches!(it, SetupError::Hash { .. }));
}

#[test]
fn authorities_must_be_proper() {
    let improper = |it: &SetupError| matches!(it, SetupError::Authority { .. });
    let mut params = CertificateParams::default();
    let no_ca = params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem();
    check(|it| it.root_certs.push(no_ca.clone().into()), improper);
    check(|it| it.tls_root_certs.push(no_ca.into()), improper);
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let other = params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem();
    check(|it| it.intermediate_certs.push(other.into()), improper);
}

#[test]
fn revoked_intermediates_are_refused() {
    let root = root("ca");
    let sub = intermediate(&root, "sub", None);
    let mut config = definition(&root);
    config.intermediate_certs = vec![pem(sub.certificate())];
    Msp::new(&config, MspVersion::V1_4_3).unwrap();
    let serial = sub.certificate().serial().to_vec();
    let revoked = [Revoked { serial, time: BEGIN, reason: 0 }];
    let list = root.revocation_list(&revoked, 1, BEGIN, BEGIN + 1).unwrap();
    config.revocation_list = vec![list.into()];
    let error = Msp::new(&config, MspVersion::V1_4_3).unwrap_err();
    assert!(error.to_string().contains("revoked"), "{error}");
}

#[test]
fn units_must_name_authorities() {
    let stranger = root("ca");
    let unknown = |it: &SetupError| matches!(it, SetupError::UnitCertificate { .. });
    check(|it| it.fabric_node_ous = Some(node_units(Some(&stranger))), unknown);
    let insist = |it: &mut FabricMspConfig| {
        it.organizational_unit_identifiers = vec![unit("ward7", Some(&stranger))];
    };
    check(insist, unknown);
}

#[test]
fn administrators_must_be_clients_or_admins() {
    let root = root("ca");
    for (units, allowed) in [(&["client"], true), (&["admin"], true), (&["peer"], false)] {
        let mut config = definition(&root);
        config.admins = vec![pem(enroll(&root, "boss", units).certificate())];
        assert_eq!(Msp::new(&config, MspVersion::V1_4_3).is_ok(), allowed, "{units:?}");
    }
}

#[test]
fn units_an_organization_insists_on() {
    let root = root("ca");
    let boss = enroll(&root, "boss", &["ward7"]);
    let mut config = definition(&root);
    config.fabric_node_ous = None;
    config.admins = vec![pem(boss.certificate())];
    config.organizational_unit_identifiers = vec![unit("ward7", Some(&root))];
    accept(&config, boss.certificate()).unwrap();
    accept(&config, enroll(&root, "a", &["x", "ward7"]).certificate()).unwrap();
    for units in [&["ward8"][..], &[]] {
        assert!(accept(&config, enroll(&root, "a", units).certificate()).is_err());
    }
}

#[test]
fn one_id_has_one_definition() {
    let [one, other] = ["a", "b"].map(|name| definition(&root(name)));
    let msp = |config| Msp::new(config, MspVersion::V1_4_3).unwrap();
    let manager = Manager::new(vec![msp(&one), msp(&one)]).unwrap();
    assert_eq!(manager.msps().count(), 1);
    assert_eq!(manager.msp(MSP_ID).unwrap().definition(), &one);
    let error = Manager::new(vec![msp(&one), msp(&other)]).unwrap_err();
    assert!(matches!(error, SetupError::Duplicate(_)));
}

#[test]
fn other_kinds_of_organization_are_refused() {
    let config = definition(&root("ca")).encode_to_vec();
    let make = |r#type, config: Vec<u8>| {
        let config = MspConfig { r#type, config: config.into() };
        Msp::from_config(&config, MspVersion::V3_0)
    };
    assert!(make(0, config.clone()).is_ok());
    assert!(matches!(make(1, config), Err(SetupError::Type(1))));
    assert!(matches!(make(0, vec![0xff]), Err(SetupError::Decode)));
}
