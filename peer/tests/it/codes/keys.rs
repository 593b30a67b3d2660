//! Key-level endorsement policies, on public keys.

use bytes::Bytes;
use prost::Message;
use proto::common::SignaturePolicyEnvelope;
use proto::kvrwset::{KvMetadataEntry, KvMetadataWrite, KvrwSet};
use proto::peer::TxValidationCode::{self, *};
use proto::rwset::NsReadWriteSet;

use super::world::{World, only, signature_policy};
use crate::transactions::{key_policy, namespace_set, writes};

const REFUSED: TxValidationCode = EndorsementPolicyFailure;

/// Checks a set that some of the two peers endorse.
#[track_caller]
fn check(world: &mut World, expected: TxValidationCode, endorsers: &[usize], set: NsReadWriteSet) {
    let mut draft = world.draft();
    draft.namespaces = vec![set];
    draft.endorsers = endorsers.iter().map(|index| &world.peers[*index]).collect();
    let envelope = draft.envelope();
    world.expect(expected, envelope);
}

fn write(key: &str) -> NsReadWriteSet {
    writes("cc", &[(key, b"v")])
}

fn metadata(key: &str, entries: &[(&str, &[u8])]) -> NsReadWriteSet {
    let entries = entries.iter().map(|(name, value)| KvMetadataEntry {
        name: (*name).into(),
        value: Bytes::copy_from_slice(value),
    });
    let write = KvMetadataWrite { key: key.into(), entries: entries.collect() };
    namespace_set("cc", KvrwSet { metadata_writes: vec![write], ..Default::default() })
}

#[test]
fn a_key_is_under_its_own_policy() {
    let world = &mut World::new();
    check(world, Valid, &[0, 1], write("k"));
    check(world, Valid, &[0, 1], key_policy("cc", "k", &only("Org2MSP")));
    // Value, deletion, and the policy itself.
    for set in [write("k"), key_policy("cc", "k", &only("Org2MSP"))] {
        check(world, REFUSED, &[0], set.clone());
        check(world, REFUSED, &[], set.clone());
        check(world, Valid, &[1], set);
    }
    // Another key is under the chaincode's policy.
    check(world, REFUSED, &[1], write("other"));
    check(world, REFUSED, &[1], writes("cc", &[("k", b"v"), ("other", b"v")]));
    check(world, Valid, &[0, 1], writes("cc", &[("k", b"v"), ("other", b"v")]));
    // And a deleted key has none any more.
    check(world, Valid, &[1], writes("cc", &[("k", b"")]));
    check(world, REFUSED, &[1], write("k"));
    check(world, Valid, &[0, 1], write("k"));
}

#[test]
fn a_policy_on_a_key_that_is_not_there_is_none() {
    let world = &mut World::new();
    check(world, Valid, &[0, 1], key_policy("cc", "x", &only("Org2MSP")));
    check(world, REFUSED, &[1], write("x"));
    check(world, Valid, &[0, 1], write("x"));
}

#[test]
fn policies_are_taken_away() {
    let world = &mut World::new();
    for unset in [metadata("k", &[]), metadata("k", &[("VALIDATION_PARAMETER", b"")])] {
        check(world, Valid, &[0, 1], write("k"));
        check(world, Valid, &[0, 1], key_policy("cc", "k", &only("Org2MSP")));
        check(world, REFUSED, &[0], unset.clone());
        check(world, Valid, &[1], unset);
        check(world, REFUSED, &[1], write("k"));
    }
    // Metadata of other names is no policy. Of two of one name, the last counts.
    let policies = [only("Org1MSP"), only("Org2MSP")];
    let other = metadata("k", &[("OTHER", &policies[1])]);
    check(world, Valid, &[0, 1], other);
    check(world, REFUSED, &[1], write("k"));
    let name = "VALIDATION_PARAMETER";
    let twice = metadata("k", &[(name, &policies[0]), (name, &policies[1])]);
    check(world, Valid, &[0, 1], twice);
    check(world, REFUSED, &[0], write("k"));
    check(world, Valid, &[1], write("k"));
}

#[test]
fn policies_nobody_can_satisfy() {
    let world = &mut World::new();
    let right = signature_policy("OR('Org2MSP.peer')");
    let cut = SignaturePolicyEnvelope { identities: vec![], ..right.clone() };
    let foreign = signature_policy("OR('Org3MSP.peer')");
    // The first stops a Fabric peer: its outcome here is that of the others.
    for (index, policy) in [
        b"\xff\xff".to_vec(),
        cut.encode_to_vec(),
        foreign.encode_to_vec(),
        SignaturePolicyEnvelope { rule: None, ..right.clone() }.encode_to_vec(),
    ]
    .iter()
    .enumerate()
    {
        let key = format!("k{index}");
        check(world, Valid, &[0, 1], write(&key));
        check(world, Valid, &[0, 1], key_policy("cc", &key, policy));
        check(world, REFUSED, &[0, 1], write(&key));
        check(world, REFUSED, &[0, 1], key_policy("cc", &key, &only("Org1MSP")));
    }
    // The version of a policy is not looked at.
    let later = SignaturePolicyEnvelope { version: 1, ..right };
    check(world, Valid, &[0, 1], write("later"));
    check(world, Valid, &[0, 1], key_policy("cc", "later", &later.encode_to_vec()));
    check(world, Valid, &[1], write("later"));
}

#[test]
fn a_change_in_the_block_spoils_later_writes_of_the_key() {
    let world = &mut World::new();
    check(world, Valid, &[0, 1], write("k"));
    let policy = || key_policy("cc", "k", &only("Org2MSP"));
    let sets =
        [write("k"), policy(), write("k"), writes("cc", &[("k", b"")]), policy(), write("o")];
    let envelopes = sets.map(|set| world.with(set)).to_vec();
    let codes = world.commit(envelopes);
    assert_eq!(codes, [Valid, Valid, REFUSED, REFUSED, REFUSED, Valid]);
    assert_eq!(world.get("k").unwrap().1.1, 1, "the change rewrote the value");
}

#[test]
fn a_change_that_fails_its_policy_spoils_nothing() {
    let world = &mut World::new();
    check(world, Valid, &[0, 1], write("k"));
    let mut change = world.draft();
    change.namespaces = vec![key_policy("cc", "k", &only("Org2MSP"))];
    change.endorsers.clear();
    let (change, write) = (change.envelope(), world.with(write("k")));
    assert_eq!(world.commit(vec![change, write]), [REFUSED, Valid]);
}

/// Only the stage of policies counts: a change that loses a race for its reads counts as well.
#[test]
fn a_change_that_fails_its_reads_spoils_writes() {
    let world = &mut World::new();
    check(world, Valid, &[0, 1], write("k"));
    let mut set = KvrwSet::decode(key_policy("cc", "k", &only("Org2MSP")).rwset).unwrap();
    set.reads = vec![proto::kvrwset::KvRead { key: "k".into(), version: None }];
    let change = world.with(namespace_set("cc", set));
    let write = world.with(write("k"));
    assert_eq!(world.commit(vec![change, write]), [MvccReadConflict, REFUSED]);
}

/// Changes by transactions that never get to the stage of policies do not count. (Fabric waits for
/// their outcome for ever.)
#[test]
fn a_change_that_is_refused_earlier_spoils_nothing() {
    let world = &mut World::new();
    check(world, Valid, &[0, 1], write("k"));
    let change = |world: &World, wrong: &dyn Fn(&mut crate::transactions::Draft<'_>)| {
        let mut draft = world.draft();
        draft.namespaces = vec![key_policy("cc", "k", &only("Org2MSP"))];
        wrong(&mut draft);
        draft.envelope()
    };
    let bad_signature = change(world, &|draft| draft.signature = Some("signature".into()));
    let bad_id = change(world, &|draft| draft.tx_id = Some("00".into()));
    let bad_event = change(world, &|draft| draft.events = Bytes::from_static(b"\xff"));
    let write = world.with(write("k"));
    let codes = world.commit(vec![bad_signature, bad_id, bad_event, write]);
    assert_eq!(codes, [BadCreatorSignature, BadProposalTxid, InvalidOtherReason, Valid]);
}

/// Of a change that writes several namespaces, those count whose policy was satisfied.
#[test]
fn a_change_counts_by_namespace() {
    let world = &mut World::new();
    world.define("other", |_| {});
    let mut both = world.draft();
    both.namespaces =
        vec![key_policy("cc", "k", &only("Org2MSP")), writes("undefined", &[("k", b"v")])];
    let both = both.envelope();
    let mut elsewhere = world.draft();
    elsewhere.namespaces = vec![key_policy("other", "k", &only("Org2MSP"))];
    let (elsewhere, write) = (elsewhere.envelope(), world.with(write("k")));
    let codes = world.commit(vec![elsewhere.clone(), write.clone()]);
    assert_eq!(codes, [Valid, Valid], "the same key of another chaincode");
    let write = world.with(self::write("k"));
    let codes = world.commit(vec![both, write]);
    assert_eq!(codes, [InvalidChaincode, REFUSED], "its own namespace had passed");
}
