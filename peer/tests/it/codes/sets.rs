//! Read-write sets that do not decode, and writes where a transaction may not write.

use bytes::Bytes;
use prost::Message;
use proto::kvrwset::{HashedRwSet, KvMetadataWriteHash, KvRead, KvWriteHash, KvrwSet};
use proto::peer::TxValidationCode::{self, *};
use proto::rwset::NsReadWriteSet;

use super::world::World;
use crate::transactions::{hashed_set, key_policy, namespace_set, writes};

#[test]
fn sets_that_do_not_decode() {
    let world = &mut World::new();
    for results in [&b"\xff"[..], b"\x12\x05x", b"\x12\x03\x0a\x01\xff"] {
        world.check(BadRwset, |draft| draft.results = Some(Bytes::from_static(results)));
    }
    for set in [&b"\xff"[..], b"\x1a\x05x", b"\x0a\x02\x12\x05", b"\x12\x02\x0a\x05"] {
        world.check(BadRwset, |draft| draft.namespaces[0].rwset = Bytes::from_static(set));
        world.check(BadRwset, |draft| {
            draft.namespaces.push(hashed_set("other", "c", Bytes::from_static(set)));
        });
    }
    // Also in a namespace that is only read, and before names are compared.
    world.check(BadRwset, |draft| {
        draft.namespaces.push(hashed_set("other", "c", Bytes::from_static(b"\xff")));
        draft.executed = Some(Default::default());
    });
}

#[test]
fn a_namespace_stands_in_a_set_once() {
    let world = &mut World::new();
    let read = || {
        let read = KvRead { key: "absent".into(), version: None };
        namespace_set("cc", KvrwSet { reads: vec![read], ..Default::default() })
    };
    for second in [read(), writes("cc", &[("other", b"v")]), NsReadWriteSet::default()] {
        let second = NsReadWriteSet { namespace: "cc".into(), ..second };
        world.check(IllegalWriteset, |draft| draft.namespaces.push(second));
    }
    let absent = || NsReadWriteSet { namespace: "nowhere".into(), ..Default::default() };
    world.check(IllegalWriteset, |draft| draft.namespaces.extend([absent(), absent()]));
    world.check(Valid, |draft| draft.namespaces.push(absent()));
}

fn every_kind_of_write(namespace: &str) -> Vec<NsReadWriteSet> {
    let key_hash = Bytes::copy_from_slice(&proto::sha256(b"k"));
    let value_hash = key_hash.clone();
    let write = KvWriteHash { key_hash: key_hash.clone(), value_hash, ..Default::default() };
    let metadata = KvMetadataWriteHash { key_hash, ..Default::default() };
    let set = HashedRwSet { hashed_writes: vec![write], ..Default::default() };
    let policies = HashedRwSet { metadata_writes: vec![metadata], ..Default::default() };
    vec![
        writes(namespace, &[("k", b"v")]),
        writes(namespace, &[("k", b"")]),
        key_policy(namespace, "k", b"policy"),
        hashed_set(namespace, "c", set.encode_to_vec().into()),
        hashed_set(namespace, "c", policies.encode_to_vec().into()),
    ]
}

#[test]
fn namespaces_without_definition_cannot_be_written() {
    let world = &mut World::new();
    // System chaincodes have no definition; neither has the empty namespace, where the channel's
    // configuration lies, nor the state of a collection under its own name.
    for namespace in ["undefined", "lscc", "qscc", "cscc", "escc", "vscc", "", "cc$$hc", "cc$$pc"] {
        for set in every_kind_of_write(namespace) {
            world.check(InvalidChaincode, |draft| draft.namespaces.push(set));
        }
    }
    for chaincode in ["undefined", "lscc", "qscc", "cscc"] {
        let envelope = world.draft_of(chaincode).envelope();
        world.expect(InvalidChaincode, envelope);
        let mut draft = world.draft_of(chaincode);
        draft.namespaces.clear();
        let envelope = draft.envelope();
        world.expect(InvalidChaincode, envelope);
    }
}

#[test]
fn namespaces_that_are_only_read_need_no_definition() {
    let world = &mut World::new();
    for namespace in ["undefined", "lscc", "qscc", "_lifecycle", ""] {
        let read = KvRead { key: "absent".into(), version: None };
        let set = namespace_set(namespace, KvrwSet { reads: vec![read], ..Default::default() });
        world.check(Valid, |draft| draft.namespaces.push(set));
    }
}

/// `_lifecycle` can be written by any transaction the majority of organizations endorsed.
#[test]
fn definitions_need_the_policy_for_definitions() {
    let world = &mut World::new();
    world.define("single", |definition| {
        let policy = super::world::application_policy("OR('Org1MSP.peer')");
        definition.parameters.validation.validation_parameter = policy.encode_to_vec().into();
    });
    let cases: [(&str, usize, TxValidationCode); 4] = [
        ("_lifecycle", 2, Valid),
        ("_lifecycle", 1, EndorsementPolicyFailure),
        ("single", 2, Valid),
        ("single", 1, EndorsementPolicyFailure),
    ];
    for (chaincode, endorsers, expected) in cases {
        let mut draft = world.draft_of(chaincode);
        draft.namespaces = vec![writes("_lifecycle", &[("namespaces/other", b"v")])];
        draft.endorsers.truncate(endorsers);
        let envelope = draft.envelope();
        world.expect(expected, envelope);
    }
    // Alone, the chaincode's own policy would have been enough.
    let mut draft = world.draft_of("single");
    draft.endorsers.truncate(1);
    let envelope = draft.envelope();
    world.expect(Valid, envelope);
}
