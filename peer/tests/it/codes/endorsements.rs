//! Endorsements: whose, over what, how often, and the kinds of policies they must satisfy.

use bytes::Bytes;
use msp::SigningIdentity;
use prost::Message;
use proto::common::application_policy::Type;
use proto::common::{ApplicationPolicy, SignaturePolicyEnvelope};
use proto::peer::Endorsement;
use proto::peer::TxValidationCode::{self, *};

use super::world::{World, application_policy, signature_policy};
use crate::consortium::Org;
use crate::signatures::high_s;
use crate::transactions::endorse;

const REFUSED: TxValidationCode = EndorsementPolicyFailure;

/// Checks a transaction of `cc`, which both organizations must endorse, with these endorsements.
#[track_caller]
fn check(
    world: &mut World,
    expected: TxValidationCode,
    make: impl FnOnce(&Bytes, &[SigningIdentity; 2]) -> Vec<Endorsement>,
) {
    let mut draft = world.draft();
    draft.endorsements = Some(make(&draft.response(), &world.peers));
    let envelope = draft.envelope();
    world.expect(expected, envelope);
}

#[test]
fn all_must_have_endorsed() {
    let world = &mut World::new();
    check(world, Valid, |r, [one, two]| vec![endorse(r, one), endorse(r, two)]);
    check(world, Valid, |r, [one, two]| vec![endorse(r, two), endorse(r, one)]);
    check(world, REFUSED, |r, [one, _]| vec![endorse(r, one)]);
    check(world, REFUSED, |r, [_, two]| vec![endorse(r, two)]);
    check(world, REFUSED, |_, _| vec![]);
}

#[test]
fn one_organization_twice_is_still_one() {
    let world = &mut World::new();
    let second = world.orgs[0].identity("peer1", "peer");
    check(world, REFUSED, |r, [one, _]| vec![endorse(r, one), endorse(r, one)]);
    check(world, REFUSED, |r, [one, _]| vec![endorse(r, one), endorse(r, &second)]);
    check(world, Valid, |r, [one, two]| vec![endorse(r, one), endorse(r, one), endorse(r, two)]);
}

#[test]
fn the_role_must_be_right() {
    let world = &mut World::new();
    for role in ["client", "admin"] {
        let other = world.orgs[1].identity("someone", role);
        check(world, REFUSED, |r, [one, _]| vec![endorse(r, one), endorse(r, &other)]);
        check(world, Valid, |r, [one, two]| {
            vec![endorse(r, one), endorse(r, &other), endorse(r, two)]
        });
    }
    let orderer = world.orderer.identity("orderer0", "orderer");
    check(world, REFUSED, |r, [one, _]| vec![endorse(r, one), endorse(r, &orderer)]);
}

/// Makes an endorsement that does not count.
type Bad<'a> = Box<dyn Fn(&Bytes, &SigningIdentity) -> Endorsement + 'a>;

#[test]
fn what_is_no_endorsement_is_skipped() {
    let world = &mut World::new();
    let foreign = Org::new("Org3MSP").identity("peer0", "peer");
    let impostor = Org::new("Org2MSP").identity("peer0", "peer");
    let skipped: [(&str, Bad<'_>); 9] = [
        ("empty", Box::new(|_, _| Endorsement::default())),
        ("foreign", Box::new(|r, _| endorse(r, &foreign))),
        ("impostor", Box::new(|r, _| endorse(r, &impostor))),
        (
            "no identity",
            Box::new(|r, two| Endorsement { endorser: "nobody".into(), ..endorse(r, two) }),
        ),
        (
            "no signature",
            Box::new(|r, two| Endorsement { signature: Bytes::new(), ..endorse(r, two) }),
        ),
        (
            "unreadable signature",
            Box::new(|r, two| Endorsement { signature: "signature".into(), ..endorse(r, two) }),
        ),
        (
            "high S",
            Box::new(|r, two| {
                let right = endorse(r, two);
                Endorsement { signature: high_s(&right.signature).into(), ..right }
            }),
        ),
        ("of other bytes", Box::new(|_, two| endorse(b"other bytes", two))),
        (
            "without the endorser",
            Box::new(|r, two| Endorsement { signature: two.sign(r).unwrap(), ..endorse(r, two) }),
        ),
    ];
    for (name, bad) in &skipped {
        eprintln!("{name}");
        check(world, REFUSED, |r, [one, two]| vec![endorse(r, one), bad(r, two)]);
        // It does not stand in the way of a good one, not even of the same identity.
        check(world, Valid, |r, [one, two]| vec![bad(r, two), endorse(r, one), endorse(r, two)]);
    }
}

#[test]
fn an_expired_endorser_counts_and_a_revoked_one_does_not() {
    let world = &mut World::new();
    let expired = world.orgs[1].identity_until("peer1", "peer", 1_700_000_001);
    check(world, Valid, |r, [one, _]| vec![endorse(r, one), endorse(r, &expired)]);
    let list = world.orgs[1].revocation_list(&[&expired]);
    world.redefine_msp(1, |msp| msp.revocation_list = vec![list.into()]);
    check(world, REFUSED, |r, [one, _]| vec![endorse(r, one), endorse(r, &expired)]);
    check(world, Valid, |r, [one, two]| {
        vec![endorse(r, one), endorse(r, &expired), endorse(r, two)]
    });
}

/// A policy as the text of a signature policy, or as a path.
fn policy(text: &str) -> ApplicationPolicy {
    if text.contains('(') {
        return application_policy(text);
    }
    ApplicationPolicy { r#type: Some(Type::ChannelConfigPolicyReference(text.into())) }
}

#[test]
fn policies_of_every_kind() {
    let world = &mut World::new();
    // Whether the first, the second, and both organizations suffice.
    let cases: [(&str, [bool; 3]); 15] = [
        ("OR('Org1MSP.peer')", [true, false, true]),
        ("OR('Org1MSP.peer', 'Org2MSP.peer')", [true, true, true]),
        ("AND('Org1MSP.peer', 'Org2MSP.peer')", [false, false, true]),
        ("OutOf(0, 'Org1MSP.peer')", [true, true, true]),
        ("OutOf(2, 'Org1MSP.peer', 'Org1MSP.member')", [false, false, false]),
        ("AND('Org1MSP.peer', OR('Org2MSP.member', 'Org1MSP.admin'))", [false, false, true]),
        ("OR('Org3MSP.peer')", [false, false, false]),
        ("/Channel/Application/Endorsement", [false, false, true]),
        ("/Channel/Application/Org1MSP/Endorsement", [true, false, true]),
        ("/Channel/Application/Org2MSP/Endorsement", [false, true, true]),
        ("/Channel/Application/Readers", [true, true, true]),
        ("/Channel/Application/Writers", [false, false, false]),
        ("/Channel/Application/Admins", [false, false, false]),
        ("/Channel/Orderer/BlockValidation", [false, false, false]),
        ("/Channel/Application/Nothing", [false, false, false]),
    ];
    for (index, (text, expected)) in cases.into_iter().enumerate() {
        let chaincode = format!("cc{index}");
        let parameter = policy(text).encode_to_vec();
        sufficing(world, &chaincode, parameter, expected);
    }
}

/// Defines a chaincode with this policy and checks who suffices: the first, the second, or both.
#[track_caller]
fn sufficing(world: &mut World, chaincode: &str, policy: Vec<u8>, expected: [bool; 3]) {
    world.define(chaincode, |definition| {
        definition.parameters.validation.validation_parameter = policy.into();
    });
    for (endorsers, suffices) in [&[0][..], &[1], &[0, 1]].into_iter().zip(expected) {
        let mut draft = world.draft_of(chaincode);
        draft.endorsers = endorsers.iter().map(|index| &world.peers[*index]).collect();
        let envelope = draft.envelope();
        eprintln!("{chaincode} {endorsers:?}");
        world.expect(if suffices { Valid } else { REFUSED }, envelope);
    }
}

#[test]
fn policies_that_cannot_be_satisfied() {
    let world = &mut World::new();
    let signature = |policy: SignaturePolicyEnvelope| {
        ApplicationPolicy { r#type: Some(Type::SignaturePolicy(policy)) }.encode_to_vec()
    };
    let right = signature_policy("OR('Org1MSP.peer')");
    let never = [false; 3];
    for (index, policy) in [
        b"\xff".to_vec(),
        b"\x18\x01".to_vec(),
        signature(SignaturePolicyEnvelope::default()),
        signature(SignaturePolicyEnvelope { rule: None, ..right.clone() }),
        signature(SignaturePolicyEnvelope { identities: vec![], ..right.clone() }),
        // Without its wrapping it is not a policy of a definition.
        right.encode_to_vec(),
    ]
    .into_iter()
    .enumerate()
    {
        sufficing(world, &format!("cc{index}"), policy, never);
    }
    // The version is not looked at, and what Fabric's decoder ignores changes nothing.
    let later = signature(SignaturePolicyEnvelope { version: 1, ..right.clone() });
    sufficing(world, "later", later, [true, false, true]);
    let odd = [&signature(right)[..], b"\x08\x01"].concat();
    sufficing(world, "odd", odd, [true, false, true]);
}

#[test]
fn what_writes_nothing_needs_the_policy_too() {
    let world = &mut World::new();
    for endorsers in [2, 1] {
        let expected = if endorsers == 2 { Valid } else { REFUSED };
        world.check(expected, |draft| {
            draft.namespaces.clear();
            draft.endorsers.truncate(endorsers);
        });
        world.check(expected, |draft| {
            draft.namespaces[0].rwset = Bytes::new();
            draft.endorsers.truncate(endorsers);
        });
    }
}

#[test]
fn every_namespace_written_needs_its_own_policy() {
    let world = &mut World::new();
    for (name, text) in [("first", "OR('Org1MSP.peer')"), ("second", "OR('Org2MSP.peer')")] {
        world.define(name, |definition| {
            let policy = application_policy(text).encode_to_vec();
            definition.parameters.validation.validation_parameter = policy.into();
        });
    }
    let cases: [(&str, &[&str], [bool; 3]); 4] = [
        ("first", &["first"], [true, false, true]),
        ("first", &["second"], [false, false, true]),
        ("first", &["first", "second"], [false, false, true]),
        ("first", &["first", "second", "cc"], [false, false, true]),
    ];
    for (chaincode, written, expected) in cases {
        for (endorsers, suffices) in [&[0][..], &[1], &[0, 1]].into_iter().zip(expected) {
            let mut draft = world.draft_of(chaincode);
            let sets = written.iter().map(|name| crate::transactions::writes(name, &[("k", b"v")]));
            draft.namespaces = sets.collect();
            draft.endorsers = endorsers.iter().map(|index| &world.peers[*index]).collect();
            let envelope = draft.envelope();
            world.expect(if suffices { Valid } else { REFUSED }, envelope);
        }
    }
}
