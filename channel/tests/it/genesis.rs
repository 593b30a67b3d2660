//! Genesis blocks: the same configuration Fabric's tool makes of the same facts.

use std::time::Duration;

use channel::genesis::{Error, Organization, Profile};
use channel::{Bundle, config_envelope};
use proto::common::{BlockMetadataIndex, HeaderType};
use proto::envelope::Envelope;
use proto::orderer::BatchSize;
use proto::{block, etcdraft, transaction};

use crate::fixtures;

/// What the recorded genesis block was made from.
fn profile() -> Profile {
    let msp = |folder: &str, id: &str| {
        msp::directory::load_config(&fixtures::path("organizations").join(folder), id).unwrap()
    };
    let recorded = fixtures::bundle("genesis.block");
    let mut profile = Profile::new("artifact");
    profile.orderer.batch_timeout = Duration::from_millis(400);
    profile.orderer.batch_size = BatchSize {
        max_message_count: 500,
        absolute_max_bytes: 99 << 20,
        preferred_max_bytes: 2 << 20,
    };
    profile.orderer.raft.options.tick_interval = "100ms".into();
    let certificate = recorded.orderer().unwrap().consenters()[0].client_tls_cert.clone();
    profile.orderer.raft.consenters = vec![etcdraft::Consenter {
        host: "127.0.0.1".into(),
        port: 6051,
        client_tls_cert: certificate.clone(),
        server_tls_cert: certificate,
    }];
    let id = "OrdererMSP";
    let orderers = msp("ordererOrganizations/example.com/msp", id);
    let mut organization = Organization::ordering("OrdererOrg", id, orderers);
    organization.endpoints = vec!["127.0.0.1:6051".into()];
    profile.orderer.organizations.push(organization);
    for (number, port) in [(1, 7151), (2, 7251)] {
        let id = format!("Org{number}MSP");
        let msp = msp(&format!("peerOrganizations/org{number}.example.com/msp"), &id);
        let mut organization = Organization::using(&id, &id, msp);
        organization.anchor_peers = vec![("127.0.0.1".into(), port)];
        profile.application.organizations.push(organization);
    }
    profile
}

#[test]
fn a_profile_gives_the_tree_of_fabrics_tool() {
    let expected = fixtures::config();
    let config = profile().config().unwrap();
    let differences =
        differences("/Channel", config.channel_group.as_ref(), expected.channel_group.as_ref());
    assert_eq!(differences, Vec::<String>::new());
    assert_eq!(config, expected);
}

type Group<'a> = Option<&'a proto::common::ConfigGroup>;

/// Where two trees differ, for a message that can be read.
fn differences(path: &str, one: Group<'_>, other: Group<'_>) -> Vec<String> {
    let (Some(one), Some(other)) = (one, other) else { return vec![path.to_owned()] };
    let mut found = Vec::new();
    let names = |a: Vec<&String>, b: Vec<&String>| {
        a.into_iter().chain(b).cloned().collect::<std::collections::BTreeSet<_>>()
    };
    for name in names(one.values.keys().collect(), other.values.keys().collect()) {
        if one.values.get(&name) != other.values.get(&name) {
            found.push(format!("{path}/{name}"));
        }
    }
    for name in names(one.policies.keys().collect(), other.policies.keys().collect()) {
        if one.policies.get(&name) != other.policies.get(&name) {
            found.push(format!("{path}/{name}"));
        }
    }
    for name in names(one.groups.keys().collect(), other.groups.keys().collect()) {
        let path = format!("{path}/{name}");
        found.extend(differences(&path, one.groups.get(&name), other.groups.get(&name)));
    }
    found
}

#[test]
fn the_block_has_the_form_of_fabrics_tool() {
    let block = profile().block().unwrap();
    let recorded = fixtures::block("genesis.block");
    assert_eq!(block.metadata, recorded.metadata);
    assert_eq!(hex::encode(block::slot(&block, BlockMetadataIndex::Signatures)), "0a020a00");
    let header = block::header(&block).unwrap();
    assert_eq!((header.number, header.previous_hash.len()), (0, 0));
    block::verify_data_hash(&block).unwrap();
    let peel = |block| Envelope::parse(block::envelopes(block)[0].clone()).unwrap();
    let (ours, theirs) = (peel(&block), peel(&recorded));
    assert_eq!(ours.signature, theirs.signature);
    let (header, expected) = (&ours.channel_header, &theirs.channel_header);
    assert_eq!(header.r#type, HeaderType::Config as i32);
    assert_eq!(
        (header.version, header.epoch, &header.channel_id),
        (expected.version, expected.epoch, &expected.channel_id)
    );
    assert_eq!(ours.signature_header.creator, theirs.signature_header.creator);
    assert_eq!(ours.signature_header.nonce.len(), theirs.signature_header.nonce.len());
    for envelope in [&ours, &theirs] {
        let id = transaction::tx_id(&envelope.signature_header.nonce, b"");
        assert_eq!(envelope.channel_header.tx_id, id);
    }
    assert!(config_envelope(&block).unwrap().1.last_update.is_none());
    assert!(Bundle::from_join_block(&block).is_ok());
}

#[test]
fn bad_profiles_make_no_block() {
    let check = |change: &dyn Fn(&mut Profile)| {
        let mut profile = profile();
        change(&mut profile);
        profile.block().unwrap_err()
    };
    let bad_text = |profile: &mut Profile| {
        profile.application.policies.insert("Readers".into(), "SOME Readers".into());
    };
    assert!(matches!(check(&bad_text), Error::Policy { .. }));
    assert!(matches!(check(&|profile| profile.channel_id = "Big".into()), Error::Config(_)));
    assert!(matches!(check(&|profile| profile.capabilities = vec!["V7".into()]), Error::Config(_)));
    let twice = |profile: &mut Profile| {
        let mut copy = profile.application.organizations[0].clone();
        copy.name = "Other".into();
        copy.msp = profile.application.organizations[1].msp.clone();
        profile.application.organizations.push(copy);
    };
    let mut profile = profile();
    twice(&mut profile);
    assert!(profile.block().is_ok(), "one organization may stand in two groups");
}
