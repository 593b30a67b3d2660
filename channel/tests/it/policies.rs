//! Evaluating policies on real signatures.

use channel::policy::{Error, dsl, print};
use channel::{Bundle, Policy, acl};
use proto::common::signature_policy::{NOutOf, Type};
use proto::common::{SignaturePolicy, SignaturePolicyEnvelope};

use crate::fixtures::{self, signed};

#[track_caller]
fn check(policy: &str, signers: &[&str], expected: bool) {
    let bundle = fixtures::bundle("genesis.block");
    let policy = if !policy.contains('(') {
        bundle.policy(policy).unwrap()
    } else {
        Policy::signature(&dsl::parse(policy).unwrap(), bundle.msps()).unwrap()
    };
    let signatures: Vec<_> = signers.iter().map(|name| signed(name)).collect();
    assert_eq!(policy.evaluate(&signatures).is_ok(), expected, "{policy} by {signers:?}");
}

#[test]
fn roles_are_told_apart() {
    check("OR('Org1MSP.peer')", &["Org1.peer"], true);
    check("OR('Org1MSP.peer')", &["Org1.admin"], false);
    check("OR('Org1MSP.peer')", &["Org2.peer"], false);
    check("OR('Org1MSP.member')", &["Org1.client"], true);
    check("OR('OrdererMSP.orderer')", &["Orderer.orderer"], true);
    check("OR('Org1MSP.admin', 'Org2MSP.client')", &["Org2.client"], true);
}

#[test]
fn an_identity_counts_once() {
    check("AND('Org1MSP.peer','Org1MSP.peer')", &["Org1.peer", "Org1.peer"], false);
    check("AND('Org1MSP.peer','Org1MSP.member')", &["Org1.peer"], false);
    check("AND('Org1MSP.peer','Org1MSP.member')", &["Org1.peer", "Org1.client"], true);
}

#[test]
fn matching_is_greedy_and_does_not_go_back() {
    check("AND('Org1MSP.member','Org1MSP.peer')", &["Org1.peer", "Org1.client"], false);
    check("AND('Org1MSP.member','Org1MSP.peer')", &["Org1.client", "Org1.peer"], true);
}

#[test]
fn a_failed_gate_gives_its_identities_back() {
    let policy = "OR(AND('Org1MSP.peer','Org2MSP.peer'), 'Org1MSP.peer')";
    check(policy, &["Org1.peer"], true);
    let policy = "OutOf(2, OR('Org1MSP.peer'), 'Org1MSP.peer')";
    check(policy, &["Org1.peer"], false);
}

#[test]
fn bad_signatures_do_not_count_and_do_not_block() {
    check("OR('Org1MSP.peer')", &["!Org1.peer"], false);
    check("OR('Org1MSP.peer')", &["!Org1.peer", "Org1.peer"], true);
}

#[test]
fn counts_of_nothing() {
    check("OutOf(0,'Org1MSP.peer')", &[], true);
    check("OutOf(2,'Org1MSP.peer')", &["Org1.peer"], false);
}

#[test]
fn implicit_meta_policies_count_groups() {
    check("/Channel/Application/Endorsement", &["Org1.peer"], false);
    check("/Channel/Application/Endorsement", &["Org1.peer", "Org2.peer"], true);
    check("/Channel/Application/Writers", &["Org2.client"], true);
    check("/Channel/Application/Writers", &["Org2.peer"], false);
    check("/Channel/Application/Readers", &["Org2.peer"], true);
    check("/Channel/Orderer/BlockValidation", &["Orderer.orderer"], true);
    check("/Channel/Writers", &["Orderer.orderer"], true);
    check("/Channel/Writers", &["Org1.client"], true);
    check("/Channel/Admins", &["Org1.admin", "Org2.admin"], false);
    check("Application/Org1MSP/Admins", &["Org1.admin"], true);
}

#[test]
fn what_is_missing_is_said() {
    let bundle = fixtures::bundle("genesis.block");
    let error = |path: &str| bundle.evaluate(path, &[signed("Org1.peer")]).unwrap_err().to_string();
    assert_eq!(
        error("/Channel/Application/Endorsement"),
        "implicit policy evaluation failed - 1 sub-policies were satisfied, but this policy \
         requires 2 of the 'Endorsement' sub-policies to be satisfied"
    );
    assert_eq!(
        error("/Channel/Application/Org2MSP/Endorsement"),
        "signature set did not satisfy policy"
    );
    assert_eq!(error("/Channel/Nobody"), "no such policy: '/Channel/Nobody'");
}

fn compile(n: i32, rules: Vec<SignaturePolicy>) -> Result<Policy, Error> {
    let bundle = fixtures::bundle("genesis.block");
    let rule = Some(SignaturePolicy { r#type: Some(Type::NOutOf(NOutOf { n, rules })) });
    let identities = dsl::parse("OR('Org1MSP.peer')").unwrap().identities;
    Policy::signature(&SignaturePolicyEnvelope { version: 0, rule, identities }, bundle.msps())
}

fn signed_by(index: i32) -> SignaturePolicy {
    SignaturePolicy { r#type: Some(Type::SignedBy(index)) }
}

#[test]
fn hostile_policies_do_not_compile() {
    let out_of_range = |index| Some(Error::IdentityIndex { index, length: 1 });
    for index in [1, -1, i32::MAX, i32::MIN] {
        assert_eq!(compile(1, vec![signed_by(index)]).err(), out_of_range(index));
    }
    let empty = SignaturePolicy { r#type: None };
    assert_eq!(compile(1, vec![empty]).err(), Some(Error::EmptyRule));
    let mut deep = signed_by(0);
    for _ in 0..200 {
        deep = SignaturePolicy { r#type: Some(Type::NOutOf(NOutOf { n: 1, rules: vec![deep] })) };
    }
    assert_eq!(compile(1, vec![deep.clone()]).err(), Some(Error::TooDeep));
    let envelope = SignaturePolicyEnvelope { version: 0, rule: Some(deep), identities: vec![] };
    assert!(print(&envelope).contains("<too deep>"));
    let versioned = SignaturePolicyEnvelope { version: 1, ..dsl::parse("OR('A.peer')").unwrap() };
    let bundle = fixtures::bundle("genesis.block");
    assert!(Policy::signature(&versioned, bundle.msps()).is_ok(), "only configurations look at it");
}

#[test]
fn odd_counts_compile_and_are_always_or_never_satisfied() {
    let satisfied = |n| compile(n, vec![signed_by(0)]).unwrap().evaluate(&[signed("Org1.peer")]);
    assert!(satisfied(i32::MIN).is_ok() && satisfied(-1).is_ok() && satisfied(1).is_ok());
    assert!(satisfied(2).is_err() && satisfied(i32::MAX).is_err());
}

#[test]
fn implicit_meta_becomes_a_signature_policy_for_discovery() {
    let bundle = fixtures::bundle("genesis.block");
    let policy = bundle.policy("/Channel/Application/Endorsement").unwrap();
    assert_eq!(policy.to_string(), "MAJORITY Endorsement");
    let envelope = policy.to_signature_policy();
    assert_eq!(print(&envelope), "AND(OR('Org1MSP.peer'), OR('Org2MSP.peer'))");
    let admins = bundle.policy("/Channel/Admins").unwrap().to_signature_policy();
    assert_eq!(
        print(&admins),
        "AND(AND(OR('Org1MSP.admin'), OR('Org2MSP.admin')), OR(OR('OrdererMSP.admin')))"
    );
    let writers = bundle.policy("/Channel/Application/Writers").unwrap().to_signature_policy();
    assert_eq!(writers.identities.len(), 4, "equal principals are listed once");
    assert!(Policy::signature(&envelope, bundle.msps()).is_ok());
}

#[test]
fn application_policies_refer_or_stand_alone() {
    let bundle = fixtures::bundle("genesis.block");
    let both = [signed("Org1.peer"), signed("Org2.peer")];
    let reference = channel::policy::reference("Endorsement");
    let policy = bundle.application_policy(&reference).unwrap();
    assert!(policy.evaluate(&both).is_ok() && policy.evaluate(&both[..1]).is_err());
    let unknown = channel::policy::reference("Nothing");
    assert!(matches!(bundle.application_policy(&unknown), Err(Error::Unknown(_))));
    assert_eq!(bundle.application_policy_bytes(b"").err(), Some(Error::EmptyRule));
    assert!(bundle.application_policy_bytes(b"\xff").is_err());
}

#[test]
fn resources_have_their_policies() {
    let bundle = fixtures::bundle("genesis.block");
    let policy = |resource: &str| acl::policy_for(&bundle, resource);
    assert_eq!(policy("peer/Propose"), Some(acl::WRITERS));
    assert_eq!(policy("event/Block"), Some(acl::READERS));
    assert_eq!(policy("_lifecycle/InstallChaincode"), None);
    assert_eq!(policy("no/such"), None);
    assert_eq!(acl::local("_lifecycle/InstallChaincode"), Some(acl::Local::Admins));
    assert_eq!(acl::local("cscc/GetChannels"), Some(acl::Local::Members));
    assert!(acl::check(&bundle, "peer/Propose", &[signed("Org1.client")]).is_ok());
    assert!(acl::check(&bundle, "peer/Propose", &[signed("Org1.peer")]).is_err());
    assert!(acl::check(&bundle, "no/such", &[signed("Org1.admin")]).is_err());
}

#[test]
fn an_acl_of_the_channel_overrides_the_default() {
    let bundle = governance_with_acl();
    let resource = "qscc/GetBlockByNumber";
    let named = bundle.application().unwrap().acls.get(resource).unwrap();
    assert!(named.starts_with("/Channel/"));
    assert_eq!(acl::policy_for(&bundle, resource), Some(named.as_str()));
    assert_ne!(named, acl::READERS);
}

fn governance_with_acl() -> Bundle {
    fixtures::bundle("governance/block_000014.pb")
}
