//! Definitions that change under a transaction, and definitions that are none.

use bytes::Bytes;
use peer::lifecycle::state::{field_key, metadata_key};
use prost::Message;
use proto::kvrwset::{KvRead, KvrwSet, Version};
use proto::lifecycle::StateMetadata;
use proto::peer::TxValidationCode::*;
use proto::rwset::NsReadWriteSet;

use super::world::{CHANNEL, World, application_policy};
use crate::transactions::{Draft, default_definition, definition_set, namespace_set, writes};

/// The second definition of `cc`, which leaves endorsing to the second organization.
fn upgrade() -> NsReadWriteSet {
    let mut definition = default_definition();
    definition.sequence = 2;
    let policy = application_policy("OR('Org2MSP.peer')").encode_to_vec();
    definition.parameters.validation.validation_parameter = policy.into();
    definition_set("cc", &definition)
}

fn lifecycle(world: &World, set: NsReadWriteSet) -> Bytes {
    let mut draft = Draft::new(CHANNEL, "_lifecycle", &world.client);
    draft.namespaces = vec![set];
    draft.endorsers = world.peers.iter().collect();
    draft.envelope()
}

fn endorsed_by(world: &World, endorsers: &[usize]) -> Bytes {
    let mut draft = world.draft();
    draft.endorsers = endorsers.iter().map(|index| &world.peers[*index]).collect();
    draft.envelope()
}

#[test]
fn a_definition_counts_from_the_next_block_on() {
    let world = &mut World::new();
    let upgraded = lifecycle(world, upgrade());
    let block = vec![upgraded, endorsed_by(world, &[1]), endorsed_by(world, &[0, 1])];
    assert_eq!(world.commit(block), [Valid, EndorsementPolicyFailure, Valid]);
    let envelope = endorsed_by(world, &[1]);
    world.expect(Valid, envelope);
    // Neighbours are endorsed by both, which still is enough; the first alone is not.
    let envelope = endorsed_by(world, &[0]);
    world.expect(EndorsementPolicyFailure, envelope);
}

/// Honest endorsers read the sequence of the definition, so that an upgrade ends what was endorsed
/// under the one before.
#[test]
fn an_upgrade_ends_transactions_endorsed_before() {
    let world = &mut World::new();
    let read = KvRead {
        key: field_key("namespaces", "cc", "Sequence"),
        version: Some(Version { block_num: 1, tx_num: 0 }),
    };
    let honest = |world: &World| {
        let mut draft = world.draft();
        let set = KvrwSet { reads: vec![read.clone()], ..Default::default() };
        draft.namespaces.push(namespace_set("_lifecycle", set));
        draft.envelope()
    };
    let (before, after, later) = (honest(world), honest(world), honest(world));
    let upgraded = lifecycle(world, upgrade());
    assert_eq!(world.commit(vec![before, upgraded, after]), [Valid, Valid, MvccReadConflict]);
    world.expect(MvccReadConflict, later);
}

#[test]
fn a_chaincode_defined_in_the_block_is_not_there_yet() {
    let world = &mut World::new();
    let defined = lifecycle(world, definition_set("new", &default_definition()));
    let call = world.draft_of("new").envelope();
    assert_eq!(world.commit(vec![defined, call]), [Valid, InvalidChaincode]);
    let call = world.draft_of("new").envelope();
    world.expect(Valid, call);
}

/// Writes a definition field by field.
fn fields(name: &str, datatype: &str, fields: &[(&str, Option<&[u8]>)]) -> NsReadWriteSet {
    let metadata = StateMetadata {
        datatype: datatype.into(),
        fields: fields.iter().map(|(field, _)| (*field).to_owned()).collect(),
    };
    let mut entries = vec![(metadata_key("namespaces", name), metadata.encode_to_vec())];
    entries.extend(fields.iter().filter_map(|(field, value)| {
        Some((field_key("namespaces", name, field), (*value)?.to_vec()))
    }));
    let entries: Vec<_> = entries.iter().map(|(key, value)| (&key[..], &value[..])).collect();
    writes("_lifecycle", &entries)
}

const SEQUENCE: (&str, Option<&[u8]>) = ("Sequence", Some(b"\x08\x01"));

#[test]
fn a_definition_without_plugin_or_policy_is_none() {
    let world = &mut World::new();
    let record = default_definition().record();
    let field =
        |name: &str| record.fields.iter().find(|(field, _)| *field == name).unwrap().clone();
    let (endorsement, validation) = (field("EndorsementInfo").1, field("ValidationInfo").1);
    let definition = "ChaincodeDefinition";
    let no_policy = Bytes::from_static(b"\x12\x06\x0a\x04vscc");
    let no_plugin = Bytes::from_static(b"\x12\x04\x12\x02\x12\x00");
    let cases = [
        ("half", fields("half", definition, &[SEQUENCE, ("EndorsementInfo", None)])),
        ("empty", fields("empty", definition, &[])),
        (
            "without-policy",
            fields(
                "without-policy",
                definition,
                &[
                    SEQUENCE,
                    ("EndorsementInfo", Some(&endorsement)),
                    ("ValidationInfo", Some(&no_policy)),
                ],
            ),
        ),
        (
            "without-plugin",
            fields("without-plugin", definition, &[SEQUENCE, ("ValidationInfo", Some(&no_plugin))]),
        ),
    ];
    for (name, set) in cases {
        world.lifecycle(set);
        let envelope = world.draft_of(name).envelope();
        world.expect(InvalidChaincode, envelope);
        world.check(InvalidChaincode, |draft| {
            draft.namespaces.push(writes(name, &[("k", b"v")]));
        });
    }
    // What validation does not ask for may be missing: endorsement and collections.
    let set = fields("enough", definition, &[("ValidationInfo", Some(&validation))]);
    world.lifecycle(set);
    let envelope = world.draft_of("enough").envelope();
    world.expect(Valid, envelope);
    // Fields without the metadata that lists them are no definition.
    let key = field_key("namespaces", "fields-only", "ValidationInfo");
    world.lifecycle(writes("_lifecycle", &[(&key, &validation)]));
    let envelope = world.draft_of("fields-only").envelope();
    world.expect(InvalidChaincode, envelope);
}

/// A Fabric peer stops at these; here they count as no definition.
#[test]
fn a_definition_that_cannot_be_read_is_none() {
    let world = &mut World::new();
    let right = default_definition().record();
    let all: Vec<(&str, Option<&[u8]>)> =
        right.fields.iter().map(|(name, value)| (*name, Some(&value[..]))).collect();
    let cases = [
        ("type", fields("type", "SomethingElse", &all)),
        ("metadata", writes("_lifecycle", &[(&metadata_key("namespaces", "metadata"), b"\xff")])),
        (
            "garbage",
            fields(
                "garbage",
                "ChaincodeDefinition",
                &[SEQUENCE, ("ValidationInfo", Some(b"\xff"))],
            ),
        ),
        (
            "message",
            fields(
                "message",
                "ChaincodeDefinition",
                &[SEQUENCE, ("ValidationInfo", Some(b"\x12\x01\xff"))],
            ),
        ),
        (
            "number",
            fields(
                "number",
                "ChaincodeDefinition",
                &[SEQUENCE, ("ValidationInfo", Some(b"\x08\x01"))],
            ),
        ),
    ];
    for (name, set) in cases {
        world.lifecycle(set);
        let envelope = world.draft_of(name).envelope();
        world.expect(InvalidChaincode, envelope);
    }
    // Also where there was a good one before.
    let field = field_key("namespaces", "cc", "ValidationInfo");
    world.define("dd", |_| {});
    world.lifecycle(writes("_lifecycle", &[(&field, b"\xff")]));
    let calls = ["cc", "dd"].map(|name| world.draft_of(name).envelope());
    assert_eq!(world.commit(calls.to_vec()), [InvalidChaincode, Valid]);
}

/// Another peer may have the plugin, and judge otherwise: there is no code for not knowing.
#[test]
fn an_unknown_plugin_stops_the_channel() {
    let world = &mut World::new();
    world.define("strange", |definition| {
        definition.parameters.validation.validation_plugin = "strange-vscc".into();
    });
    let envelope = world.draft_of("strange").envelope();
    let error = world.stops(vec![envelope]);
    let peer::committer::Error::Judge { source, .. } = error else { panic!("{error}") };
    assert!(source.to_string().contains("strange-vscc"), "{source}");
}
