//! Bad syntax from the envelope down to the headers.

use bytes::Bytes;
use prost::Message;
use proto::common::{ChannelHeader, Header, HeaderType, Payload, SignatureHeader};
use proto::peer::TxValidationCode::{self, *};

use super::world::World;
use crate::transactions::Draft;

fn bytes(bytes: &'static [u8]) -> Bytes {
    Bytes::from_static(bytes)
}

#[test]
fn an_envelope_that_does_not_decode() {
    let world = &mut World::new();
    for envelope in [&b"\xff"[..], b"\x0a\x05x", b"\x0b"] {
        world.expect(InvalidOtherReason, bytes(envelope));
    }
}

#[test]
fn a_payload_that_does_not_decode() {
    let world = &mut World::new();
    for payload in [&b"\xff"[..], b"\x0a\x02\x0a\x05", b"\x12\x05x"] {
        world.check(BadPayload, |draft| draft.payload = Some(bytes(payload)));
    }
}

#[test]
fn headers_that_are_missing_or_do_not_decode() {
    let world = &mut World::new();
    // Neither payload nor header.
    world.expect(BadCommonHeader, Bytes::new());
    world.check(BadCommonHeader, |draft| draft.payload = Some(bytes(b"\x12\x01x")));
    let empty = Payload { header: Some(Header::default()), data: "data".into() };
    world.check(BadCommonHeader, |draft| draft.payload = Some(empty.encode_to_vec().into()));
    let not_utf8 = bytes(b"\x08\x03\x2a\x01\xff");
    for garbage in [bytes(b"\xff"), not_utf8] {
        world.check(BadCommonHeader, |draft| draft.headers[0] = Some(garbage));
    }
    for garbage in [&b"\xff"[..], b"\x0a\x09x", b""] {
        world.check(BadCommonHeader, |draft| draft.headers[1] = Some(bytes(garbage)));
    }
}

type Change = fn(&mut Draft<'_>);

#[test]
fn headers_with_wrong_fields() {
    let world = &mut World::new();
    let cases: [(&str, TxValidationCode, Change); 13] = [
        ("version", Valid, |draft| draft.version = 7),
        ("epoch", BadCommonHeader, |draft| draft.epoch = 1),
        ("epoch", BadCommonHeader, |draft| draft.epoch = u64::MAX),
        ("no nonce", BadCommonHeader, |draft| draft.nonce = Bytes::new()),
        ("no creator", BadCommonHeader, |draft| {
            let header = SignatureHeader { nonce: draft.nonce.clone(), ..Default::default() };
            draft.headers[1] = Some(header.encode_to_vec().into());
        }),
        ("message", BadCommonHeader, |draft| draft.header_type = HeaderType::Message.into()),
        ("orderer", BadCommonHeader, |draft| {
            draft.header_type = HeaderType::OrdererTransaction.into();
        }),
        ("seek", BadCommonHeader, |draft| draft.header_type = HeaderType::DeliverSeekInfo.into()),
        ("package", BadCommonHeader, |draft| {
            draft.header_type = HeaderType::ChaincodePackage.into();
        }),
        ("unknown type", BadCommonHeader, |draft| draft.header_type = 77),
        ("negative type", BadCommonHeader, |draft| draft.header_type = -1),
        ("update", UnsupportedTxPayload, |draft| {
            draft.header_type = HeaderType::ConfigUpdate.into();
        }),
        ("empty config", InvalidConfigTransaction, |draft| {
            draft.header_type = HeaderType::Config.into();
            draft.data = Some(Bytes::new());
        }),
    ];
    for (name, expected, change) in cases {
        eprintln!("{name}");
        world.check(expected, change);
    }
}

#[test]
fn the_id_is_that_of_nonce_and_creator() {
    let world = &mut World::new();
    let other = proto::transaction::tx_id(b"other nonce", b"creator");
    for tx_id in [String::new(), "00".repeat(32), other] {
        world.check(BadProposalTxid, |draft| draft.tx_id = Some(tx_id));
    }
    world.check(BadProposalTxid, |draft| draft.tx_id = Some(draft.tx_id().to_uppercase()));
    // The id stands for the envelope's headers: an action may be of another nonce.
    world.check(Valid, |draft| {
        let creator = draft.creator.serialized().clone();
        let header = SignatureHeader { creator, nonce: "another".into() };
        draft.action_header = Some(header.encode_to_vec().into());
    });
}

/// The channel header of an honest transaction, with more bytes behind it.
fn longer(draft: &Draft<'_>, more: &'static [u8]) -> Bytes {
    let extension = proto::peer::ChaincodeHeaderExtension {
        chaincode_id: Some(proto::peer::ChaincodeId { name: "cc".into(), ..Default::default() }),
    };
    let header = ChannelHeader {
        r#type: draft.header_type,
        channel_id: draft.channel.clone(),
        tx_id: draft.tx_id(),
        extension: extension.encode_to_vec().into(),
        ..Default::default()
    };
    [&header.encode_to_vec()[..], more].concat().into()
}

/// What Fabric's decoder keeps as unknown is no error: fields with unknown numbers, known numbers
/// with another wire type, groups, however deeply nested.
#[test]
fn unknown_fields_are_ignored_where_fabric_ignores_them() {
    let world = &mut World::new();
    for more in [&b"\xa0\x06\x01"[..], b"\x0a\x01\xff", b"\x28\x05", b"\x2b\x08\x01\x2c"] {
        world.check(Valid, |draft| draft.headers[0] = Some(longer(draft, more)));
    }
    let deep: &'static [u8] = [[0xa3, 6].repeat(200), [0xa4, 6].repeat(200)].concat().leak();
    world.check(Valid, |draft| draft.headers[0] = Some(longer(draft, deep)));
    world.check(BadCommonHeader, |draft| draft.headers[0] = Some(longer(draft, b"\xa3\x06")));
    // The same around the envelope itself: `payload` as a number, behind the real one.
    let envelope = world.draft().envelope();
    world.expect(Valid, [&envelope[..], b"\x08\x05"].concat().into());
}
