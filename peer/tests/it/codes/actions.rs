//! Bad syntax below the headers: transaction, action, proposal response payload, chaincode action,
//! and what must agree between them.

use bytes::Bytes;
use prost::Message;
use proto::common::SignatureHeader;
use proto::peer::TxValidationCode::*;
use proto::peer::{
    ChaincodeAction, ChaincodeActionPayload, ChaincodeEvent, ChaincodeHeaderExtension, ChaincodeId,
    ChaincodeProposalPayload,
};

use super::world::World;

fn bytes(bytes: &'static [u8]) -> Bytes {
    Bytes::from_static(bytes)
}

#[test]
fn a_transaction_that_does_not_decode_or_has_not_one_action() {
    let world = &mut World::new();
    for data in [&b"\xff"[..], b"\x0a\x05x", b"\x0a\x02\x0a\x05", b""] {
        world.check(InvalidEndorserTransaction, |draft| draft.data = Some(bytes(data)));
    }
    for actions in [0, 2, 3] {
        world.check(InvalidEndorserTransaction, |draft| draft.actions = actions);
    }
}

#[test]
fn the_actions_own_header() {
    let world = &mut World::new();
    let creator = world.client.serialized().clone();
    let header = |creator: Bytes, nonce: Bytes| {
        Bytes::from(SignatureHeader { creator, nonce }.encode_to_vec())
    };
    for wrong in [
        bytes(b"\xff"),
        Bytes::new(),
        header(creator.clone(), Bytes::new()),
        header(Bytes::new(), bytes(b"nonce")),
    ] {
        world.check(InvalidEndorserTransaction, |draft| draft.action_header = Some(wrong));
    }
    // Its creator is not compared with the envelope's, and need not even be one.
    let other = header(bytes(b"nobody"), bytes(b"nonce"));
    world.check(Valid, |draft| draft.action_header = Some(other));
}

#[test]
fn an_action_payload_without_its_parts() {
    let world = &mut World::new();
    let nothing = ChaincodeActionPayload {
        chaincode_proposal_payload: bytes(b"\x0a\x05input"),
        action: None,
    };
    let empty = ChaincodeActionPayload { action: Some(Default::default()), ..nothing.clone() };
    for wrong in [bytes(b"\xff"), Bytes::new(), nothing.encode_to_vec().into()] {
        world.check(InvalidEndorserTransaction, |draft| draft.action_payload = Some(wrong));
    }
    world.check(InvalidEndorserTransaction, |draft| {
        draft.action_payload = Some(empty.encode_to_vec().into());
    });
}

#[test]
fn a_response_payload_that_does_not_decode_or_is_for_another_proposal() {
    let world = &mut World::new();
    for wrong in [&b"\xff"[..], b"\x0a\x05x", b""] {
        world.check(InvalidEndorserTransaction, |draft| {
            draft.response_payload = Some(bytes(wrong));
        });
    }
    for wrong in [&b""[..], &[7; 32], &[7; 31]] {
        world.check(InvalidEndorserTransaction, |draft| {
            draft.proposal_hash = Some(bytes(wrong));
        });
    }
}

/// The hash is over the proposal payload as it stands in the transaction.
#[test]
fn the_proposal_is_the_one_that_was_endorsed() {
    let world = &mut World::new();
    let endorsed = ChaincodeProposalPayload { input: "input".into(), ..Default::default() };
    let hash = |draft: &crate::transactions::Draft<'_>| {
        let (channel, signature) = draft.right_headers();
        let hash =
            proto::transaction::proposal_hash(&channel, &signature, &endorsed.encode_to_vec());
        Some(Bytes::copy_from_slice(&hash))
    };
    world.check(Valid, |draft| {
        draft.proposal_hash = hash(draft);
        draft.proposal_payload = endorsed.encode_to_vec().into();
    });
    let mut leaking = endorsed.clone();
    leaking.transient_map.insert("secret".into(), "in the open".into());
    let unknown = [&endorsed.encode_to_vec()[..], b"\x98\x06\x01"].concat();
    for other in [leaking.encode_to_vec(), unknown, b"\x0a\x05other".to_vec(), Vec::new()] {
        world.check(InvalidEndorserTransaction, |draft| {
            draft.proposal_hash = hash(draft);
            draft.proposal_payload = other.into();
        });
    }
    // Endorsed like that, it need not even decode. But nothing at all is not endorsed.
    world.check(Valid, |draft| draft.proposal_payload = leaking.encode_to_vec().into());
    world.check(Valid, |draft| draft.proposal_payload = bytes(b"\xff"));
    world.check(InvalidEndorserTransaction, |draft| draft.proposal_payload = Bytes::new());
}

#[test]
fn the_header_extension_names_the_chaincode() {
    let world = &mut World::new();
    for wrong in [&b"\xff"[..], b"\x12\x05x", b"\x12\x03\x12\x01\xff"] {
        world.check(BadHeaderExtension, |draft| draft.extension = Some(bytes(wrong)));
    }
    world.check(InvalidOtherReason, |draft| draft.extension = Some(Bytes::new()));
    let named = |name: &str| {
        let chaincode_id = Some(ChaincodeId { name: name.into(), ..Default::default() });
        Some(ChaincodeHeaderExtension { chaincode_id }.encode_to_vec().into())
    };
    for other in ["", "other", "CC"] {
        world.check(InvalidChaincode, |draft| draft.extension = named(other));
    }
}

#[test]
fn a_chaincode_action_that_does_not_decode() {
    let world = &mut World::new();
    for wrong in [&b""[..], b"\xff", b"\x0a\x05x", b"\x1a\x03\x12\x01\xff"] {
        world.check(BadResponsePayload, |draft| draft.action = Some(bytes(wrong)));
    }
    // An extension that is bad comes first.
    world.check(BadHeaderExtension, |draft| {
        draft.extension = Some(bytes(b"\xff"));
        draft.action = Some(bytes(b"\xff"));
    });
}

#[test]
fn the_chaincode_that_was_executed_is_the_one_invoked() {
    let world = &mut World::new();
    let named = |name: &str, version: &str| ChaincodeId {
        name: name.into(),
        version: version.into(),
        ..Default::default()
    };
    world.check(InvalidChaincode, |draft| draft.executed = Some(named("other", "1.0")));
    world.check(InvalidChaincode, |draft| draft.executed = Some(named("", "1.0")));
    world.check(InvalidChaincode, |draft| draft.executed = Some(named("cc", "")));
    // Which version it was is not compared with the definition.
    world.check(Valid, |draft| draft.executed = Some(named("cc", "77")));
    let results = world.draft().right_results();
    let nobody = ChaincodeAction { results, ..Default::default() };
    world.check(InvalidOtherReason, |draft| draft.action = Some(nobody.encode_to_vec().into()));
    // Nor is the response looked at: a failed one counts as well.
    let action = ChaincodeAction { chaincode_id: Some(named("cc", "1.0")), ..nobody };
    world.check(Valid, |draft| draft.action = Some(action.encode_to_vec().into()));
}

#[test]
fn events_are_those_of_the_chaincode() {
    let world = &mut World::new();
    let event = |chaincode: &str, tx_id: &str| {
        let event = ChaincodeEvent {
            chaincode_id: chaincode.into(),
            tx_id: tx_id.into(),
            event_name: "name".into(),
            payload: "payload".into(),
        };
        Bytes::from(event.encode_to_vec())
    };
    world.check(Valid, |draft| draft.events = event("cc", &draft.tx_id()));
    // Of which transaction it claims to be is not looked at.
    world.check(Valid, |draft| draft.events = event("cc", "another"));
    for chaincode in ["other", "", "_lifecycle"] {
        world.check(InvalidOtherReason, |draft| {
            draft.events = event(chaincode, &draft.tx_id());
        });
    }
    for wrong in [&b"\xff"[..], b"\x0a\x05x"] {
        world.check(InvalidOtherReason, |draft| draft.events = bytes(wrong));
    }
}
