//! Whom a principal means.

use bytes::Bytes;
use msp::authority::Authority;
use msp::{Identity, principal};
use prost::Message;
use proto::common::msp_identity_anonymity::MspIdentityAnonymityType as Anonymity;
use proto::common::msp_principal::Classification;
use proto::common::{MspIdentityAnonymity, MspPrincipal, MspRole, OrganizationUnit};
use proto::msp::FabricMspConfig;

use crate::consortium::*;

fn identity(config: &FabricMspConfig, root: &Authority, units: &[&str]) -> Identity {
    setup(config).deserialize(enroll(root, "someone", units).serialized()).unwrap()
}

#[test]
fn roles() {
    let root = root("ca");
    let config = definition(&root);
    let cases: [(&[&str], [bool; 5]); 5] = [
        (&["client"], [true, false, true, false, false]),
        (&["peer"], [true, false, false, true, false]),
        (&["admin"], [true, true, false, false, false]),
        (&["orderer"], [true, false, false, false, true]),
        (&["peer", "admin"], [false; 5]),
    ];
    let makers = [
        principal::member,
        principal::admin,
        principal::client,
        principal::peer,
        principal::orderer,
    ];
    for (units, expected) in cases {
        let identity = identity(&config, &root, units);
        for (make, expected) in makers.into_iter().zip(expected) {
            assert_eq!(identity.satisfies(&make(MSP_ID)), expected, "{units:?}");
            assert!(!identity.satisfies(&make("OtherMSP")));
        }
    }
}

#[test]
fn without_enforcement_there_are_members_and_listed_admins_only() {
    let root = root("ca");
    let (boss, other) = (enroll(&root, "boss", &[]), enroll(&root, "other", &["peer"]));
    let mut config = definition(&root);
    config.fabric_node_ous = None;
    config.admins = vec![pem(boss.certificate())];
    let msp = setup(&config);
    let boss = msp.deserialize(boss.serialized()).unwrap();
    let other = msp.deserialize(other.serialized()).unwrap();
    assert!(boss.satisfies(&principal::admin(MSP_ID)));
    assert!(!other.satisfies(&principal::admin(MSP_ID)));
    for make in [principal::client, principal::peer, principal::orderer] {
        assert!(!other.satisfies(&make(MSP_ID)));
    }
    assert!(other.satisfies(&principal::member(MSP_ID)));
}

#[test]
fn listed_administrators_are_not_validated() {
    let root = root("ca");
    let boss = enroll(&root, "boss", &["client", "admin"]);
    let mut config = definition(&root);
    config.admins = vec![pem(boss.certificate())];
    let boss = setup(&config).deserialize(boss.serialized()).unwrap();
    assert!(boss.validate().is_err());
    assert!(boss.satisfies(&principal::admin(MSP_ID)));
    assert!(!boss.satisfies(&principal::member(MSP_ID)));
}

#[test]
fn one_identity() {
    let root = root("ca");
    let msp = setup(&definition(&root));
    let [one, other] = ["one", "other"].map(|it| enroll(&root, it, &["peer"]).serialized().clone());
    let identity = msp.deserialize(&one).unwrap();
    assert!(identity.satisfies(&principal::identity(one.clone())));
    assert!(!identity.satisfies(&principal::identity(other)));
    assert!(!identity.satisfies(&principal::identity(Bytes::new())));
}

#[test]
fn organizational_units() {
    let (root, other) = (root("ca"), root("other"));
    let identity = identity(&definition(&root), &root, &["peer", "ward7"]);
    let check = |msp_id: &str, unit: &str, authority: &Authority, expected| {
        let unit = OrganizationUnit {
            msp_identifier: msp_id.to_owned(),
            organizational_unit_identifier: unit.to_owned(),
            certifiers_identifier: proto::sha256(authority.certificate().der()).to_vec().into(),
        };
        let principal = raw(Classification::OrganizationUnit, unit.encode_to_vec());
        assert_eq!(identity.satisfies(&principal), expected);
    };
    check(MSP_ID, "ward7", &root, true);
    check(MSP_ID, "ward8", &root, false);
    check(MSP_ID, "ward7", &other, false);
    check("OtherMSP", "ward7", &root, false);
}

#[test]
fn combinations_and_anonymity() {
    let root = root("ca");
    let peer = identity(&definition(&root), &root, &["peer"]);
    let anonymity = |kind: Anonymity| {
        let message = MspIdentityAnonymity { anonymity_type: kind.into() };
        raw(Classification::Anonymity, message.encode_to_vec())
    };
    assert!(peer.satisfies(&anonymity(Anonymity::Nominal)));
    assert!(!peer.satisfies(&anonymity(Anonymity::Anonymous)));
    let both = |role| principal::combined(vec![principal::member(MSP_ID), role]);
    assert!(peer.satisfies(&both(principal::peer(MSP_ID))));
    assert!(!peer.satisfies(&both(principal::client(MSP_ID))));
    assert!(!peer.satisfies(&principal::combined(Vec::new())));
    // Deep nesting neither overflows the stack nor changes the verdict.
    let mut deep = principal::peer(MSP_ID);
    for _ in 0..2000 {
        deep = principal::combined(vec![deep]);
    }
    assert!(peer.satisfies(&deep));
}

#[test]
fn malformed_principals_satisfy_nobody() {
    let root = root("ca");
    let peer = identity(&definition(&root), &root, &["peer"]);
    let unknown_role = MspRole { msp_identifier: MSP_ID.to_owned(), role: 77 };
    for principal in [
        raw(Classification::Role, vec![0xff]),
        raw(Classification::Role, unknown_role.encode_to_vec()),
        raw(Classification::OrganizationUnit, vec![0xff]),
        raw(Classification::Combined, vec![0xff]),
        MspPrincipal { principal_classification: 99, principal: Bytes::new() },
        MspPrincipal::default(),
    ] {
        assert!(!peer.satisfies(&principal), "{principal:?}");
    }
}

fn raw(classification: Classification, principal: Vec<u8>) -> MspPrincipal {
    MspPrincipal { principal_classification: classification.into(), principal: principal.into() }
}
