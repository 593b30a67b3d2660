//! Configuration updates, accepted and rejected as Fabric's orderer did.

use bytes::Bytes;
use channel::config::key;
use channel::update::{self, Error};
use channel::{Bundle, config_envelope};
use prost::Message;
use proto::common::{
    Config, ConfigGroup, ConfigUpdate, ConfigUpdateEnvelope, ConfigValue, Envelope,
};
use proto::orderer::BatchSize;

use crate::fixtures::{self, signer};

const BLOCKS: [u64; 9] = [8, 12, 13, 14, 15, 25, 41, 43, 46];

fn recorded_updates() -> Vec<(String, Envelope)> {
    let mut files: Vec<_> = std::fs::read_dir(fixtures::path("governance/updates"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    let read = |name: String| {
        let bytes = fixtures::read(&format!("governance/updates/{name}"));
        (name, Envelope::decode(bytes).unwrap())
    };
    files.into_iter().map(read).collect()
}

#[test]
fn verdicts_and_results_are_those_of_fabric() {
    let mut current = fixtures::bundle("governance/block_000000.pb");
    let mut blocks = BLOCKS.iter().map(|n| fixtures::block(&format!("governance/block_{n:06}.pb")));
    let updates = recorded_updates();
    assert_eq!(updates.len(), 12);
    for (name, envelope) in updates {
        let proposed = update::propose(&current, &envelope);
        if name.contains("rejected") {
            assert!(proposed.is_err(), "{name}");
            continue;
        }
        let proposed = proposed.unwrap_or_else(|error| panic!("{name}: {error:?}"));
        let (_, recorded) = config_envelope(&blocks.next().unwrap()).unwrap();
        assert_eq!(proposed.envelope, recorded, "{name}");
        current = update::validate(&current, &recorded).unwrap();
        assert_eq!(current.config(), proposed.bundle.config());
    }
    assert!(blocks.next().is_none());
    assert!(current.channel().v3());
}

#[test]
fn a_rejection_names_the_element_and_what_is_missing() {
    let mut current = fixtures::bundle("governance/block_000000.pb");
    for (name, envelope) in recorded_updates() {
        match update::propose(&current, &envelope) {
            Ok(proposed) => current = proposed.bundle,
            Err(error) => {
                let text = error.to_string();
                assert!(text.starts_with("policy for ["), "{name}: {text}");
                assert!(text.contains("not satisfied: "), "{name}: {text}");
            }
        }
    }
}

#[test]
fn the_recorded_update_leads_to_the_next_sequence() {
    let current = fixtures::bundle("config_update_base_block.pb");
    let envelope = Envelope::decode(fixtures::read("config_update_envelope.pb")).unwrap();
    let proposed = update::propose(&current, &envelope).unwrap();
    assert_eq!(proposed.bundle.sequence(), current.sequence() + 1);
    assert_eq!(proposed.bundle.orderer().unwrap().batch_size.max_message_count, 3);
    assert!(update::validate(&current, &proposed.envelope).is_ok());
    assert!(
        matches!(update::propose(&proposed.bundle, &envelope), Err(Error::WriteVersion { .. })),
        "an update applies once"
    );
}

#[test]
fn a_config_must_be_what_its_update_leads_to() {
    let current = fixtures::bundle("config_update_base_block.pb");
    let envelope = Envelope::decode(fixtures::read("config_update_envelope.pb")).unwrap();
    let good = update::propose(&current, &envelope).unwrap().envelope;
    let check = |change: &dyn Fn(&mut Config)| {
        let mut other = good.clone();
        change(other.config.as_mut().unwrap());
        update::validate(&current, &other).unwrap_err()
    };
    assert!(matches!(check(&|config| config.sequence += 1), Error::Sequence { .. }));
    let extra = |config: &mut Config| {
        let group = config.channel_group.as_mut().unwrap();
        group.groups.insert("Extra".into(), ConfigGroup::default());
    };
    assert!(matches!(check(&extra), Error::Mismatch));
    let mut other = good.clone();
    other.last_update = None;
    assert!(matches!(update::validate(&current, &other), Err(Error::Missing(_))));
    other.config = None;
    assert!(matches!(update::validate(&current, &other), Err(Error::Missing(_))));
}

#[test]
fn computed_updates_are_those_of_fabrics_tool() {
    let mut current = fixtures::bundle("governance/block_000000.pb");
    for number in BLOCKS {
        let (id, next) =
            config_envelope(&fixtures::block(&format!("governance/block_{number:06}.pb"))).unwrap();
        let next = next.config.unwrap();
        let computed = update::compute(&id, current.config(), &next).unwrap();
        let recorded = recorded_update_to(number);
        assert_eq!(computed.write_set, recorded.write_set, "block {number}");
        assert_eq!(computed.read_set, recorded.read_set, "block {number}");
        current = Bundle::new(id, next).unwrap();
    }
}

/// The update a recorded config block carries, without what identifies elements twice.
fn recorded_update_to(number: u64) -> ConfigUpdate {
    let block = fixtures::block(&format!("governance/block_{number:06}.pb"));
    let envelope = config_envelope(&block).unwrap().1.last_update.unwrap();
    let data = proto::envelope::Envelope::peel(envelope).unwrap().data;
    update::decode(&ConfigUpdateEnvelope::decode(data).unwrap()).unwrap()
}

fn submit(update: &ConfigUpdate, signers: &[&str]) -> Envelope {
    let config_update = Bytes::from(update.encode_to_vec());
    let signatures =
        signers.iter().map(|name| update::sign(&signer(name), &config_update).unwrap());
    let envelope = ConfigUpdateEnvelope { signatures: signatures.collect(), config_update };
    update::envelope(&signer("Org1.client"), "artifact", &envelope).unwrap()
}

fn change(change: impl Fn(&mut ConfigGroup)) -> ConfigUpdate {
    let current = fixtures::config();
    let mut wanted = current.clone();
    change(wanted.channel_group.as_mut().unwrap());
    update::compute("artifact", &current, &wanted).unwrap()
}

fn anchor_peers(root: &mut ConfigGroup) {
    let org = root.groups.get_mut("Application").unwrap().groups.get_mut("Org1MSP").unwrap();
    org.values.get_mut(key::ANCHOR_PEERS).unwrap().value = Bytes::new();
}

#[test]
fn a_computed_and_signed_update_is_accepted() {
    let current = fixtures::bundle("genesis.block");
    let envelope = submit(&change(anchor_peers), &["Org1.admin"]);
    let proposed = update::propose(&current, &envelope).unwrap();
    assert!(proposed.bundle.application().unwrap().orgs["Org1MSP"].anchor_peers.is_empty());
    assert_eq!(proposed.bundle.root().version, 0, "groups that list the same members stay");
    for signers in [&["Org1.client"][..], &["Org2.admin"], &[]] {
        let envelope = submit(&change(anchor_peers), signers);
        assert!(matches!(update::propose(&current, &envelope), Err(Error::Policy { .. })));
    }
}

#[test]
fn members_come_and_go_with_the_groups_version() {
    let current = fixtures::bundle("genesis.block");
    let remove = change(|root| {
        root.groups.get_mut("Application").unwrap().groups.remove("Org2MSP");
    });
    let both = ["Org1.admin", "Org2.admin"];
    let proposed = update::propose(&current, &submit(&remove, &both)).unwrap();
    let application = &proposed.bundle.root().groups["Application"];
    assert_eq!((application.version, application.groups.len()), (1, 1));
    assert!(update::propose(&current, &submit(&remove, &both[..1])).is_err());
}

#[track_caller]
fn check_refused(tamper: impl Fn(&mut ConfigUpdate), expected: fn(&Error) -> bool) {
    let mut update = change(anchor_peers);
    tamper(&mut update);
    let current = fixtures::bundle("genesis.block");
    let envelope = submit(&update, &["Org1.admin", "Org2.admin"]);
    let error = update::propose(&current, &envelope).unwrap_err();
    assert!(expected(&error), "{error:?}");
}

fn written(update: &mut ConfigUpdate) -> &mut ConfigValue {
    let root = update.write_set.as_mut().unwrap();
    let application = root.groups.get_mut("Application").unwrap();
    let org = application.groups.get_mut("Org1MSP").unwrap();
    org.values.get_mut(key::ANCHOR_PEERS).unwrap()
}

#[test]
fn hostile_updates_are_refused() {
    check_refused(
        |update| update.channel_id = "other".into(),
        |e| matches!(e, Error::Channel { .. }),
    );
    check_refused(
        |update| written(update).version = 5,
        |e| matches!(e, Error::WriteVersion { .. }),
    );
    check_refused(
        |update| written(update).version = u64::MAX,
        |e| matches!(e, Error::WriteVersion { .. }),
    );
    check_refused(
        |update| written(update).mod_policy.clear(),
        |e| matches!(e, Error::ModPolicy(_)),
    );
    check_refused(
        |update| written(update).mod_policy = "a//b".into(),
        |e| matches!(e, Error::ModPolicy(_)),
    );
    check_refused(
        |update| update.read_set.as_mut().unwrap().version = 7,
        |e| matches!(e, Error::ReadVersion { .. }),
    );
    check_refused(
        |update| {
            let read = update.read_set.as_mut().unwrap();
            read.groups.insert("Ghost".into(), ConfigGroup::default());
        },
        |e| matches!(e, Error::NotInConfig(_)),
    );
    check_refused(
        |update| update.write_set = update.read_set.clone(),
        |e| matches!(e, Error::Empty),
    );
    check_refused(
        |update| {
            let write = update.write_set.as_mut().unwrap();
            write.groups.insert("..".into(), ConfigGroup::default());
        },
        |e| matches!(e, Error::Tree { .. }),
    );
    check_refused(
        |update| {
            let value =
                ConfigValue { version: 3, mod_policy: "Admins".into(), ..Default::default() };
            update.write_set.as_mut().unwrap().values.insert("New".into(), value);
        },
        |e| matches!(e, Error::NewVersion { .. }),
    );
}

#[test]
fn a_result_that_breaks_a_rule_is_refused() {
    let update = change(|root| {
        let size =
            BatchSize { max_message_count: 0, absolute_max_bytes: 1, preferred_max_bytes: 1 };
        let orderer = root.groups.get_mut("Orderer").unwrap();
        orderer.values.get_mut(key::BATCH_SIZE).unwrap().value = size.encode_to_vec().into();
        orderer.values.get_mut(key::BATCH_SIZE).unwrap().mod_policy =
            "/Channel/Application/Admins".into();
    });
    let current = fixtures::bundle("genesis.block");
    let error = update::propose(&current, &submit(&update, &["Org1.admin"])).unwrap_err();
    assert!(matches!(error, Error::Policy { .. }), "the current policy guards: {error:?}");
}

#[test]
fn nothing_to_update_is_an_error() {
    let config = fixtures::config();
    assert!(matches!(update::compute("artifact", &config, &config), Err(Error::NoDifference)));
    let mut versions = config.clone();
    versions.channel_group.as_mut().unwrap().version = 9;
    assert!(matches!(update::compute("artifact", &config, &versions), Err(Error::NoDifference)));
}

#[test]
fn junk_is_no_update() {
    let current = fixtures::bundle("genesis.block");
    let envelope =
        |payload: &'static [u8]| Envelope { payload: payload.into(), signature: Bytes::new() };
    for payload in [&b""[..], b"\xff\xff", b"\x0a\x00\x12\x01x"] {
        assert!(update::propose(&current, &envelope(payload)).is_err());
    }
    let genesis = proto::block::envelopes(&fixtures::block("genesis.block"))[0].clone();
    let genesis = Envelope::decode(genesis).unwrap();
    assert!(update::propose(&current, &genesis).is_err(), "a CONFIG envelope is no update");
}
