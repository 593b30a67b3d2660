//! Private collections, as far as blocks tell of them: hashes, and the policies they are under.

use bytes::Bytes;
use prost::Message;
use proto::kvrwset::{
    HashedRwSet, KvMetadataEntry, KvMetadataWriteHash, KvReadHash, KvWriteHash, Version,
};
use proto::peer::TxValidationCode::{self, *};
use proto::peer::{
    ApplicationPolicy, CollectionConfig, CollectionPolicyConfig, StaticCollectionConfig,
    collection_config, collection_policy_config,
};
use proto::rwset::NsReadWriteSet;

use super::world::{World, application_policy, only, signature_policy};
use crate::transactions::{hashed_set, writes};

const REFUSED: TxValidationCode = EndorsementPolicyFailure;
/// The chaincode with collections; its own policy asks for both organizations.
const CHAINCODE: &str = "pc";

/// `shared` is under the chaincode's policy, `own` under one of its own.
fn world() -> World {
    let mut world = World::new();
    world.define(CHAINCODE, |definition| {
        let own = application_policy("OR('Org2MSP.peer')").encode_to_vec();
        let own = Some(ApplicationPolicy::decode(&own[..]).unwrap());
        definition.parameters.collections.config =
            vec![collection("shared", None), collection("own", own)];
    });
    world
}

fn collection(name: &str, endorsement_policy: Option<ApplicationPolicy>) -> CollectionConfig {
    let members = signature_policy("OR('Org1MSP.member', 'Org2MSP.member')");
    let config = StaticCollectionConfig {
        name: name.into(),
        member_orgs_policy: Some(CollectionPolicyConfig {
            payload: Some(collection_policy_config::Payload::SignaturePolicy(members)),
        }),
        endorsement_policy,
        ..Default::default()
    };
    CollectionConfig { payload: Some(collection_config::Payload::StaticCollectionConfig(config)) }
}

fn hash(text: &str) -> Bytes {
    Bytes::copy_from_slice(&proto::sha256(text.as_bytes()))
}

fn write(key: &str, value: &str) -> HashedRwSet {
    let (key_hash, value_hash) = (hash(key), hash(value));
    let write = KvWriteHash { key_hash, value_hash, ..Default::default() };
    HashedRwSet { hashed_writes: vec![write], ..Default::default() }
}

fn delete(key: &str, is_purge: bool) -> HashedRwSet {
    let write =
        KvWriteHash { key_hash: hash(key), is_delete: true, is_purge, ..Default::default() };
    HashedRwSet { hashed_writes: vec![write], ..Default::default() }
}

fn read(key: &str, version: Option<(u64, u64)>) -> HashedRwSet {
    let version = version.map(|(block_num, tx_num)| Version { block_num, tx_num });
    let read = KvReadHash { key_hash: hash(key), version };
    HashedRwSet { hashed_reads: vec![read], ..Default::default() }
}

fn policy(key: &str, policy: &[u8]) -> HashedRwSet {
    let name = "VALIDATION_PARAMETER".into();
    let entries = vec![KvMetadataEntry { name, value: Bytes::copy_from_slice(policy) }];
    let write = KvMetadataWriteHash { key_hash: hash(key), entries };
    HashedRwSet { metadata_writes: vec![write], ..Default::default() }
}

fn in_collection(collection: &str, set: &HashedRwSet) -> NsReadWriteSet {
    hashed_set(CHAINCODE, collection, set.encode_to_vec().into())
}

fn envelope(world: &World, endorsers: &[usize], set: NsReadWriteSet) -> Bytes {
    let mut draft = world.draft_of(CHAINCODE);
    draft.namespaces = vec![set];
    draft.endorsers = endorsers.iter().map(|index| &world.peers[*index]).collect();
    draft.envelope()
}

#[track_caller]
fn check(world: &mut World, expected: TxValidationCode, endorsers: &[usize], set: NsReadWriteSet) {
    let envelope = envelope(world, endorsers, set);
    world.expect(expected, envelope);
}

/// Who suffices for a set: the first organization, the second, or both.
#[track_caller]
fn suffice(world: &mut World, expected: [bool; 3], set: &NsReadWriteSet) {
    for (endorsers, suffices) in [&[0][..], &[1], &[0, 1]].into_iter().zip(expected) {
        check(world, if suffices { Valid } else { REFUSED }, endorsers, set.clone());
    }
}

fn held(world: &World, collection: &str, key: &str) -> Option<(Bytes, (u64, u64))> {
    let view = world.channel.ledger().view().unwrap();
    let entry = view.hash(CHAINCODE, collection, &hash(key)).unwrap()?;
    Some((entry.value, (entry.version.block, entry.version.tx)))
}

#[test]
fn a_collection_is_under_its_own_policy_or_the_chaincodes() {
    let world = &mut world();
    let (both, second) = ([false, false, true], [false, true, true]);
    suffice(world, both, &in_collection("shared", &write("k", "v")));
    suffice(world, second, &in_collection("own", &write("k", "v")));
    suffice(world, second, &in_collection("own", &delete("k", false)));
    suffice(world, second, &in_collection("own", &delete("k", true)));
    suffice(world, second, &in_collection("own", &policy("absent", b"policy")));
    // Implicit collections are under the policies of their organizations.
    let implicit = |msp_id: &str| format!("_implicit_org_{msp_id}");
    suffice(world, [true, false, true], &in_collection(&implicit("Org1MSP"), &write("k", "v")));
    suffice(world, second, &in_collection(&implicit("Org2MSP"), &write("k", "v")));
    // One that is only read is under none of its own, so that the chaincode's remains.
    suffice(world, both, &in_collection("own", &read("absent", None)));
}

#[test]
fn a_public_write_needs_the_chaincodes_policy_too() {
    let world = &mut world();
    let mut set = in_collection("own", &write("k", "v"));
    set.rwset = writes(CHAINCODE, &[("k", b"v")]).rwset;
    suffice(world, [false, false, true], &set);
    // A private write of another collection does not.
    let mut set = in_collection("own", &write("k", "v"));
    let implicit = in_collection("_implicit_org_Org2MSP", &write("k", "v"));
    set.collection_hashed_rwset.extend(implicit.collection_hashed_rwset);
    suffice(world, [false, true, true], &set);
}

#[test]
fn collections_that_are_not_defined_cannot_be_written() {
    let world = &mut world();
    for collection in ["undefined", "Own", "_implicit_org_Org3MSP", "_implicit_org_", "_implicit"] {
        for set in [write("k", "v"), delete("k", false), policy("k", &only("Org1MSP"))] {
            check(world, REFUSED, &[0, 1], in_collection(collection, &set));
        }
    }
    // `cc` has no collections at all, and neither has `_lifecycle` but the implicit ones.
    for chaincode in ["cc", "_lifecycle"] {
        let mut draft = world.draft_of(chaincode);
        let set = write("k", "v").encode_to_vec();
        draft.namespaces = vec![hashed_set(chaincode, "shared", set.clone().into())];
        let envelope = draft.envelope();
        world.expect(REFUSED, envelope);
        let mut draft = world.draft_of(chaincode);
        draft.namespaces = vec![hashed_set(chaincode, "_implicit_org_Org1MSP", set.into())];
        let envelope = draft.envelope();
        world.expect(Valid, envelope);
    }
    // Reading one that is not there is no write.
    check(world, Valid, &[0, 1], in_collection("undefined", &read("k", None)));
}

#[test]
fn private_keys_have_policies_of_their_own() {
    let world = &mut world();
    check(world, Valid, &[0, 1], in_collection("own", &write("k", "v")));
    check(world, Valid, &[1], in_collection("own", &policy("k", &only("Org1MSP"))));
    suffice(world, [true, false, true], &in_collection("own", &write("k", "w")));
    suffice(world, [false, true, true], &in_collection("own", &write("other", "w")));
    check(world, REFUSED, &[1], in_collection("own", &delete("k", false)));
    check(world, Valid, &[0], in_collection("own", &delete("k", false)));
    // Changed earlier in the block, for this key of this collection only.
    check(world, Valid, &[0, 1], in_collection("own", &write("k", "v")));
    let change = in_collection("own", &policy("k", &only("Org1MSP")));
    let sets = [
        change,
        in_collection("own", &write("k", "w")),
        in_collection("own", &write("other", "w")),
        in_collection("shared", &write("k", "w")),
        writes(CHAINCODE, &[("k", b"w")]),
    ];
    let envelopes = sets.map(|set| envelope(world, &[0, 1], set));
    let codes = world.commit(envelopes.to_vec());
    assert_eq!(codes, [Valid, REFUSED, Valid, Valid, Valid]);
}

#[test]
fn hashes_that_were_read_must_not_have_changed() {
    let world = &mut world();
    check(world, Valid, &[0, 1], in_collection("shared", &write("k", "v")));
    let version = held(world, "shared", "k").unwrap().1;
    for (expected, read) in [
        (Valid, read("k", Some(version))),
        (MvccReadConflict, read("k", None)),
        (MvccReadConflict, read("k", Some((version.0, version.1 + 1)))),
        (MvccReadConflict, read("absent", Some((0, 0)))),
        (Valid, read("absent", None)),
    ] {
        check(world, expected, &[0, 1], in_collection("shared", &read));
    }
    // Within the block: a write, then reads of what was there before.
    let sets = [
        in_collection("shared", &write("k", "w")),
        in_collection("shared", &read("k", Some(version))),
        in_collection("own", &read("k", None)),
        in_collection("shared", &read("absent", None)),
        in_collection("shared", &write("k", "x")),
    ];
    let block = world.channel.height();
    let envelopes = sets.map(|set| envelope(world, &[0, 1], set));
    let codes = world.commit(envelopes.to_vec());
    assert_eq!(codes, [Valid, MvccReadConflict, Valid, Valid, Valid]);
    assert_eq!(held(world, "shared", "k"), Some((hash("x"), (block, 4))));
}

/// Blocks wait for no private data, and what is missing makes nobody invalid.
#[test]
fn private_data_may_be_missing() {
    let world = &mut world();
    let mut set = in_collection("shared", &write("k", "v"));
    set.collection_hashed_rwset[0].pvt_rwset_hash = hash("what nobody has");
    check(world, Valid, &[0, 1], set);
    assert_eq!(held(world, "shared", "k").map(|found| found.0), Some(hash("v")));
    let missing = world.channel.ledger().missing_private_data(10).unwrap();
    assert_eq!(missing.len(), 1);
}

/// What a hashed write says about its value decides, whatever it says about itself.
#[test]
fn deletions_of_hashes() {
    let world = &mut world();
    let no_value = HashedRwSet {
        hashed_writes: vec![KvWriteHash { key_hash: hash("k"), ..Default::default() }],
        ..Default::default()
    };
    let mut kept_value = write("k", "v");
    kept_value.hashed_writes[0].is_delete = true;
    let empty_value = write("k", "");
    for delete in [delete("k", false), delete("k", true), no_value, kept_value, empty_value] {
        check(world, Valid, &[0, 1], in_collection("shared", &write("k", "v")));
        assert!(held(world, "shared", "k").is_some());
        check(world, Valid, &[0, 1], in_collection("shared", &delete));
        assert_eq!(held(world, "shared", "k"), None);
    }
}
