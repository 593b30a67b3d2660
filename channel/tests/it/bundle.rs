//! What makes a configuration good or bad.

use channel::config::raft;
use channel::{Bundle, Error};
use prost::Message;
use proto::block;
use proto::common::{
    Capabilities, Capability, Config, ConfigGroup, ConfigPolicy, ConfigValue, OrdererAddresses,
    Policy,
};
use proto::orderer::{BatchSize, BatchTimeout};

use crate::fixtures;

#[test]
fn a_genesis_block_of_fabric_is_read() {
    let bundle = fixtures::bundle("genesis.block");
    assert_eq!((bundle.channel_id(), bundle.sequence()), ("artifact", 0));
    let orderer = bundle.orderer().unwrap();
    assert_eq!(orderer.consensus_type, "etcdraft");
    assert_eq!(orderer.batch_size.max_message_count, 500);
    assert_eq!(orderer.batch_timeout, std::time::Duration::from_millis(400));
    assert_eq!(orderer.orgs["OrdererOrg"].msp_id, "OrdererMSP");
    assert_eq!(orderer.consenters().len(), 1);
    assert!(raft::validate(orderer.raft().unwrap()).is_ok());
    assert!(!orderer.in_maintenance());
    let application = bundle.application().unwrap();
    assert_eq!(application.orgs["Org1MSP"].anchor_peers, [("127.0.0.1".to_owned(), 7151)]);
    assert!(application.capabilities.any(&["V2_5"]));
    let endpoints = bundle.orderer_endpoints();
    assert_eq!(endpoints.len(), 1);
    assert_eq!(endpoints[0].addresses, ["127.0.0.1:6051"]);
    assert_eq!(endpoints[0].trusted, ["OrdererMSP"]);
    assert!(bundle.has_policy("/Channel/Orderer/BlockValidation"));
    assert!(!bundle.has_policy("/Channel/Orderer/Nothing"));
}

#[test]
fn a_channel_with_byzantine_fault_tolerance_is_read() {
    let bundle = fixtures::bundle("bft/b0.block");
    let orderer = bundle.orderer().unwrap();
    assert_eq!(orderer.consensus_type, "BFT");
    assert_eq!(orderer.consenter_mapping.len(), 4);
    assert!(orderer.raft().is_none() && orderer.consenters().is_empty());
    assert!(bundle.channel().v3());
}

fn at<'a>(config: &'a mut Config, path: &[&str]) -> &'a mut ConfigGroup {
    let mut group = config.channel_group.as_mut().unwrap();
    for name in path {
        group = group.groups.get_mut(*name).unwrap();
    }
    group
}

fn set(group: &mut ConfigGroup, key: &str, value: &impl Message) {
    let value = ConfigValue { value: value.encode_to_vec().into(), ..Default::default() };
    group.values.insert(key.into(), value);
}

fn capabilities(names: &[&str]) -> Capabilities {
    let capabilities = names.iter().map(|name| ((*name).to_owned(), Capability {})).collect();
    Capabilities { capabilities }
}

#[track_caller]
fn check_bad(change: impl FnOnce(&mut Config), expected: &str) {
    let mut config = fixtures::config();
    change(&mut config);
    let error = Bundle::new("artifact", config).unwrap_err();
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    assert!(text.contains(expected), "{text}");
}

#[test]
fn limits_of_blocks_are_checked() {
    let size = |count, absolute, preferred| BatchSize {
        max_message_count: count,
        absolute_max_bytes: absolute,
        preferred_max_bytes: preferred,
    };
    for (size, expected) in [
        (size(0, 2, 1), "max message count"),
        (size(1, 0, 1), "absolute max bytes"),
        (size(1, 2, 0), "preferred max bytes"),
        (size(1, 2, 3), "greater than the absolute"),
    ] {
        check_bad(|config| set(at(config, &["Orderer"]), "BatchSize", &size), expected);
    }
    for timeout in ["", "0s", "-1s", "soon"] {
        let timeout = BatchTimeout { timeout: timeout.into() };
        check_bad(
            |config| set(at(config, &["Orderer"]), "BatchTimeout", &timeout),
            "batch timeout",
        );
    }
}

#[test]
fn unknown_groups_values_and_capabilities_are_refused() {
    let new = ConfigGroup::default;
    check_bad(
        |config| drop(at(config, &[]).groups.insert("Consortiums".into(), new())),
        "disallowed group /Channel/Consortiums",
    );
    check_bad(
        |config| drop(at(config, &["Orderer", "OrdererOrg"]).groups.insert("X".into(), new())),
        "disallowed group /Channel/Orderer/OrdererOrg/X",
    );
    for path in [&[][..], &["Orderer"], &["Application"], &["Application", "Org1MSP"]] {
        check_bad(|config| set(at(config, path), "Strange", &BatchTimeout::default()), "Strange");
    }
    for (path, section) in
        [(&[][..], "channel"), (&["Orderer"], "orderer"), (&["Application"], "application")]
    {
        let expected = format!("{section} capability V9_9 is required but not supported");
        check_bad(
            |config| set(at(config, path), "Capabilities", &capabilities(&["V9_9"])),
            &expected,
        );
    }
}

#[test]
fn values_that_must_be_there_are_missed() {
    for (path, key, expected) in [
        (&[][..], "HashingAlgorithm", "unknown hashing algorithm ''"),
        (&[], "BlockDataHashingStructure", "width 0"),
        (&["Orderer"], "BatchSize", "must not be 0"),
        (&["Orderer"], "BatchTimeout", "not a positive duration"),
        (&["Orderer"], "Capabilities", "without orderer support"),
        (&["Orderer", "OrdererOrg"], "MSP", "MSP of /Channel/Orderer/OrdererOrg"),
    ] {
        check_bad(|config| drop(at(config, path).values.remove(key)), expected);
    }
}

#[test]
fn values_that_do_not_decode_are_named() {
    check_bad(
        |config| {
            let value = ConfigValue { value: b"\xff\xff".as_slice().into(), ..Default::default() };
            at(config, &["Orderer"]).values.insert("BatchSize".into(), value);
        },
        "decode value BatchSize of /Channel/Orderer",
    );
}

#[test]
fn an_organization_has_one_definition() {
    check_bad(
        |config| {
            let org2 = at(config, &["Application", "Org2MSP"]).clone();
            let mut twin = at(config, &["Application", "Org1MSP"]).clone();
            let mut msp = proto::msp::MspConfig::decode(twin.values["MSP"].value.clone()).unwrap();
            let mut fabric = proto::msp::FabricMspConfig::decode(msp.config.clone()).unwrap();
            let other = proto::msp::MspConfig::decode(org2.values["MSP"].value.clone()).unwrap();
            let other = proto::msp::FabricMspConfig::decode(other.config).unwrap();
            fabric.tls_root_certs = other.tls_root_certs;
            msp.config = fabric.encode_to_vec().into();
            set(&mut twin, "MSP", &msp);
            at(config, &["Application"]).groups.insert("Twin".into(), twin);
        },
        "two different versions of MSP: Org1MSP",
    );
    let mut config = fixtures::config();
    let twin = at(&mut config, &["Application", "Org1MSP"]).clone();
    at(&mut config, &["Application"]).groups.insert("Twin".into(), twin);
    assert!(Bundle::new("artifact", config).is_ok());
}

#[test]
fn v3_wants_the_addresses_of_each_organization_and_no_others() {
    check_bad(
        |config| {
            set(at(config, &[]), "Capabilities", &capabilities(&["V3_0"]));
            at(config, &["Orderer", "OrdererOrg"]).values.remove("Endpoints");
        },
        "endpoints of /Channel/Orderer/OrdererOrg are missing",
    );
    let addresses = OrdererAddresses { addresses: vec!["orderer:7050".into()] };
    check_bad(
        |config| {
            set(at(config, &[]), "Capabilities", &capabilities(&["V3_0"]));
            set(at(config, &[]), "OrdererAddresses", &addresses);
        },
        "global orderer addresses are not allowed",
    );
    let mut config = fixtures::config();
    set(at(&mut config, &[]), "OrdererAddresses", &addresses);
    at(&mut config, &["Orderer", "OrdererOrg"]).values.remove("Endpoints");
    let bundle = Bundle::new("artifact", config).unwrap();
    assert_eq!(bundle.orderer_endpoints()[0].addresses, addresses.addresses);
    assert_eq!(bundle.orderer_endpoints()[0].trusted, ["OrdererMSP"]);
}

#[test]
fn hostile_trees_are_refused() {
    check_bad(|config| config.channel_group = None, "no channel group");
    check_bad(
        |config| {
            drop(
                at(config, &["Application"]).policies.insert("a/b".into(), ConfigPolicy::default()),
            )
        },
        "illegal name 'a/b'",
    );
    let mut deep = ConfigGroup::default();
    for _ in 0..200 {
        deep = ConfigGroup { groups: [("x".to_owned(), deep)].into(), ..Default::default() };
    }
    check_bad(
        |config| drop(at(config, &["Application"]).groups.insert("Deep".into(), deep)),
        "nested deeper",
    );
    for policy in [
        None,
        Some(Policy { r#type: 1, value: b"\xff".as_slice().into() }),
        Some(Policy { r#type: 3, value: b"\x10\x09".as_slice().into() }),
        Some(Policy { r#type: 2, value: b"".as_slice().into() }),
        Some(Policy { r#type: 1, value: b"\x08\x01\x12\x02\x12\x00".as_slice().into() }),
    ] {
        let policy = ConfigPolicy { policy, ..Default::default() };
        check_bad(
            |config| drop(at(config, &["Application"]).policies.insert("Bad".into(), policy)),
            "policy /Channel/Application/Bad did not compile",
        );
    }
}

#[test]
fn sections_stay_and_organizations_keep_their_ids() {
    let current = fixtures::bundle("genesis.block");
    let transition = |change: &dyn Fn(&mut Config)| {
        let mut config = fixtures::config();
        change(&mut config);
        current.check_transition(&Bundle::new("artifact", config).unwrap())
    };
    assert!(transition(&|_| {}).is_ok());
    for name in ["Application", "Orderer"] {
        let removed = transition(&|config| drop(at(config, &[]).groups.remove(name)));
        assert!(matches!(removed, Err(Error::Transition(_))), "{name}");
    }
    let swapped = transition(&|config| {
        let msp = at(config, &["Application", "Org2MSP"]).values["MSP"].clone();
        at(config, &["Application", "Org1MSP"]).values.insert("MSP".into(), msp);
    });
    let error = swapped.unwrap_err().to_string();
    assert_eq!(error, "application org Org1MSP attempted to change MSP ID from Org1MSP to Org2MSP");
}

#[test]
fn only_a_whole_config_block_is_joined() {
    let good = fixtures::block("genesis.block");
    assert!(Bundle::from_join_block(&good).is_ok());
    let mut other = good.clone();
    other.metadata = None;
    assert!(Bundle::from_join_block(&other).is_err());
    let mut other = good.clone();
    other.header.as_mut().unwrap().data_hash = vec![0; 32].into();
    assert!(Bundle::from_join_block(&other).is_err());
    let twice = vec![block::envelopes(&good)[0].clone(); 2];
    let previous = Default::default();
    assert!(Bundle::from_join_block(&block::new(0, previous, twice)).is_err());
    assert!(Bundle::from_join_block(&block::new(0, Default::default(), vec![])).is_err());
    let junk = block::new(0, Default::default(), vec![b"\x0a\x01x".as_slice().into()]);
    assert!(Bundle::from_join_block(&junk).is_err());
}
