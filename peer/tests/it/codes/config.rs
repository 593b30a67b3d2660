//! Config blocks: the configuration before a block is the one that counts, and one that cannot be
//! applied stops the channel.

use bytes::Bytes;
use msp::SigningIdentity;
use msp::keys::{Algorithm, PrivateKey};
use prost::Message;
use proto::common::{Capabilities, Capability, ConfigEnvelope, HeaderType, ImplicitMetaPolicy};
use proto::peer::TxValidationCode::*;

use super::world::{CHANNEL, World};
use crate::transactions::{Draft, writes};

/// Whoever of the organizations endorses is enough.
fn any_may_endorse(root: &mut proto::common::ConfigGroup) {
    let application = root.groups.get_mut("Application").unwrap();
    let policy = application.policies.get_mut("Endorsement").unwrap().policy.as_mut().unwrap();
    let any = ImplicitMetaPolicy { sub_policy: "Endorsement".into(), rule: 0 };
    policy.value = any.encode_to_vec().into();
}

fn by_the_first(world: &World) -> Bytes {
    let mut draft = world.draft();
    draft.endorsers.pop();
    draft.envelope()
}

#[test]
fn a_policy_counts_from_the_next_block_on() {
    let world = &mut World::new();
    let envelope = by_the_first(world);
    world.expect(EndorsementPolicyFailure, envelope);
    // An orderer never puts other transactions beside a configuration; if one does, they are
    // judged by the configuration before.
    let block = vec![world.config_envelope(any_may_endorse), by_the_first(world)];
    assert_eq!(world.commit(block), [Valid, EndorsementPolicyFailure]);
    let envelope = by_the_first(world);
    world.expect(Valid, envelope);
}

/// A block prepared under the old configuration is prepared again.
#[test]
fn who_belongs_to_the_channel_changes_with_the_configuration() {
    let world = &mut World::new();
    let creator = world.orgs[1].identity("user1", "client");
    let of = |world: &World| {
        let mut draft = Draft::new(CHANNEL, "cc", &creator);
        draft.namespaces = vec![writes("cc", &[("k", b"v")])];
        draft.endorsers = world.peers.iter().collect();
        draft.envelope()
    };
    let envelope = of(world);
    world.expect(Valid, envelope);
    world.reconfigure(|root| {
        any_may_endorse(root);
        root.groups.get_mut("Application").unwrap().groups.remove("Org2MSP");
    });
    let envelope = of(world);
    world.expect(BadCreatorSignature, envelope);
    // What is left of the majority is one.
    let envelope = by_the_first(world);
    world.expect(Valid, envelope);
    let mut draft = world.draft();
    draft.endorsers.remove(0);
    let envelope = draft.envelope();
    world.expect(EndorsementPolicyFailure, envelope);
}

#[test]
fn keys_of_a_kind_the_channel_does_not_know_yet() {
    let world = &mut World::new();
    let ed25519 = |name: &str, role: &str, org: usize, world: &World| -> SigningIdentity {
        world.orgs[org].identity_of(
            PrivateKey::generate_for(Algorithm::Ed25519).unwrap(),
            name,
            role,
        )
    };
    let creator = ed25519("user2", "client", 0, world);
    let endorser = ed25519("peer2", "peer", 1, world);
    let of = |world: &World, creator: &SigningIdentity, second: &SigningIdentity| {
        let mut draft = Draft::new(CHANNEL, "cc", creator);
        draft.namespaces = vec![writes("cc", &[("k", b"v")])];
        draft.endorsers = vec![&world.peers[0], second];
        draft.envelope()
    };
    let envelope = of(world, &creator, &world.peers[1]);
    world.expect(BadCreatorSignature, envelope);
    let envelope = of(world, &world.client, &endorser);
    world.expect(EndorsementPolicyFailure, envelope);
    world.reconfigure(|root| {
        let capabilities = [("V3_0".to_owned(), Capability {})].into();
        let value = Capabilities { capabilities }.encode_to_vec();
        root.values.get_mut("Capabilities").unwrap().value = value.into();
        root.values.remove("OrdererAddresses");
    });
    let envelope = of(world, &creator, &world.peers[1]);
    world.expect(Valid, envelope);
    let envelope = of(world, &world.client, &endorser);
    world.expect(Valid, envelope);
}

/// What Fabric's decoder ignores in a value is ignored here, too: one organization's admin can put
/// such a value into the configuration.
#[test]
fn values_are_decoded_as_in_fabric() {
    let world = &mut World::new();
    world.reconfigure(|root| {
        let application = root.groups.get_mut("Application").unwrap();
        let org = application.groups.get_mut("Org1MSP").unwrap();
        let msp = org.values.get_mut("MSP").unwrap();
        msp.value = [&msp.value[..], b"\x0a\x01x\x10\x01"].concat().into();
    });
    let envelope = world.draft().envelope();
    world.expect(Valid, envelope);
}

#[test]
fn a_configuration_is_in_the_state_and_not_in_the_commit_hash() {
    let world = &mut World::new();
    let height = world.channel.height();
    let envelope = world.config_envelope(any_may_endorse);
    let codes = world.commit(vec![envelope.clone()]);
    assert_eq!(codes, [Valid]);
    assert_eq!(world.commit_hash(height), world.hash_after(height, &codes, vec![]));
    let config = world.channel.ledger().view().unwrap();
    let config = config.get("", "CHANNEL_CONFIG_ENV_BYTES").unwrap().unwrap();
    assert_eq!(config.version, ledger::Version::new(height, 0));
    assert_eq!(config.value, proto::envelope::Envelope::parse(envelope).unwrap().data);
}

#[test]
fn a_configuration_nobody_of_the_channel_signed_is_invalid() {
    let world = &mut World::new();
    let stranger = crate::consortium::Org::new("Org3MSP").identity("orderer0", "orderer");
    let good = world.config_envelope(any_may_endorse);
    let data = proto::envelope::Envelope::parse(good).unwrap().data;
    let mut draft = Draft::new(CHANNEL, "", &stranger);
    draft.header_type = HeaderType::Config.into();
    draft.data = Some(data);
    let envelope = draft.envelope();
    world.expect(BadCreatorSignature, envelope);
    world.check(InvalidConfigTransaction, |draft| {
        draft.header_type = HeaderType::Config.into();
        draft.data = Some(Bytes::new());
    });
    let envelope = by_the_first(world);
    world.expect(EndorsementPolicyFailure, envelope);
}

/// Config transactions come from the ordering service. A peer that passed one over would no longer
/// know whom to trust: it stops instead.
#[test]
fn a_configuration_that_cannot_be_applied_stops_the_channel() {
    let wrongs: [fn(&World) -> Bytes; 5] = [
        |_| Bytes::from_static(b"\xff"),
        |_| Bytes::from_static(b"\x12\x00"),
        |world| changed(world, |envelope| envelope.config.as_mut().unwrap().sequence = 7),
        |world| changed(world, |envelope| envelope.last_update = None),
        |world| {
            changed(world, |envelope| {
                let config = envelope.config.as_mut().unwrap();
                config.channel_group.as_mut().unwrap().mod_policy = "Writers".into();
            })
        },
    ];
    for wrong in wrongs {
        let world = &mut World::new();
        let height = world.channel.height();
        let orderer = world.orderer.identity("orderer0", "orderer");
        let mut draft = Draft::new(CHANNEL, "", &orderer);
        draft.header_type = HeaderType::Config.into();
        draft.data = Some(wrong(world));
        let envelope = draft.envelope();
        let error = world.stops(vec![envelope]);
        let peer::committer::Error::Judge { source, .. } = error else { panic!("{error}") };
        assert!(matches!(source, peer::validator::Halt::Config { index: 0, .. }), "{source}");
        assert_eq!(world.channel.height(), height, "nothing was committed");
    }
}

fn changed(world: &World, change: impl FnOnce(&mut ConfigEnvelope)) -> Bytes {
    let good = world.config_envelope(any_may_endorse);
    let data = proto::envelope::Envelope::parse(good).unwrap().data;
    let mut envelope = ConfigEnvelope::decode(data).unwrap();
    change(&mut envelope);
    envelope.encode_to_vec().into()
}

#[test]
fn the_same_configuration_twice_stops_the_channel() {
    let world = &mut World::new();
    let envelope = world.config_envelope(any_may_endorse);
    assert_eq!(world.commit(vec![envelope.clone()]), [Valid]);
    world.stops(vec![envelope]);
}
