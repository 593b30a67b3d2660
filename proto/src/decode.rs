//! Decoding that accepts what Fabric's decoder accepts.
//!
//! Peers must agree about every byte a client can send. Two things are an error for `prost` and
//! none for Fabric, which keeps such fields as unknown ones: a known field with another wire type
//! than the declared one, and unknown groups nested deeply. So what `prost` refuses is looked at a
//! second time, without these fields. Honest messages never come here: nobody encodes like that.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use bytes::Bytes;
use prost::encoding::{WireType, decode_key, decode_varint, encode_key, encode_varint};
use prost::{DecodeError, Message, Name};
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, FileDescriptorSet};

/// How deep groups and messages may be nested in a field that is skipped, as in Fabric.
const GROUPS_MAX: usize = 10_000;
/// How deep known messages may be nested, as `prost` has it.
const MESSAGES_MAX: usize = 100;

/// Decodes a message; fields that do not have their declared wire type are ignored.
pub fn decode<M: Message + Default + Name>(bytes: Bytes) -> Result<M, DecodeError> {
    M::decode(bytes.clone()).or_else(|error| match known_fields(&bytes, &M::full_name(), 0) {
        Some(known) => M::decode(Bytes::from(known)),
        None => Err(error),
    })
}

/// What a field may look like.
#[derive(Debug, Clone)]
enum Shape {
    /// Anything of one wire type; repeated numbers may also be packed.
    Scalar { wire_type: WireType, packable: bool },
    /// A message of this name.
    Message(String),
}

type Fields = BTreeMap<u32, Shape>;

/// The fields of every message, by its full name.
static MESSAGES: LazyLock<BTreeMap<String, Fields>> = LazyLock::new(|| {
    let bytes: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
    let files = FileDescriptorSet::decode(bytes).unwrap_or_default().file;
    let mut messages = BTreeMap::new();
    for file in files {
        for message in &file.message_type {
            collect(file.package(), message, &mut messages);
        }
    }
    messages
});

fn collect(scope: &str, message: &DescriptorProto, messages: &mut BTreeMap<String, Fields>) {
    let name = match scope {
        "" => message.name().to_owned(),
        scope => format!("{scope}.{}", message.name()),
    };
    for nested in &message.nested_type {
        collect(&name, nested, messages);
    }
    let fields = message.field.iter().filter_map(|field| {
        let number = u32::try_from(field.number()).ok()?;
        let wire_type = match field.r#type() {
            Type::Message => {
                let name = field.type_name().trim_start_matches('.').to_owned();
                return Some((number, Shape::Message(name)));
            }
            Type::String | Type::Bytes => WireType::LengthDelimited,
            Type::Fixed64 | Type::Sfixed64 | Type::Double => WireType::SixtyFourBit,
            Type::Fixed32 | Type::Sfixed32 | Type::Float => WireType::ThirtyTwoBit,
            Type::Group => WireType::StartGroup,
            _ => WireType::Varint,
        };
        let number_like = !matches!(wire_type, WireType::LengthDelimited | WireType::StartGroup);
        let packable = number_like && field.label() == Label::Repeated;
        Some((number, Shape::Scalar { wire_type, packable }))
    });
    messages.insert(name, fields.collect());
}

/// The message without the fields Fabric's decoder would not know; nothing if it is malformed.
fn known_fields(bytes: &[u8], name: &str, depth: usize) -> Option<Vec<u8>> {
    let Some(fields) = MESSAGES.get(name).filter(|_| depth < MESSAGES_MAX) else {
        return Some(bytes.to_vec());
    };
    let mut known = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while !rest.is_empty() {
        let field = rest;
        let (tag, wire_type) = decode_key(&mut rest).ok()?;
        let value = rest;
        skip_value(tag, wire_type, &mut rest)?;
        let taken = field.get(..field.len() - rest.len())?;
        match fields.get(&tag) {
            Some(Shape::Message(name)) if wire_type == WireType::LengthDelimited => {
                let mut value = value.get(..value.len() - rest.len())?;
                decode_varint(&mut value).ok()?;
                let nested = known_fields(value, name, depth + 1)?;
                encode_key(tag, wire_type, &mut known);
                encode_varint(nested.len() as u64, &mut known);
                known.extend(nested);
            }
            Some(Shape::Scalar { wire_type: declared, packable })
                if wire_type == *declared
                    || (*packable && wire_type == WireType::LengthDelimited) =>
            {
                known.extend_from_slice(taken);
            }
            _ => {}
        }
    }
    Some(known)
}

/// Skips the value of a field whose key has been read; nothing if it is malformed.
pub(crate) fn skip_value(tag: u32, wire_type: WireType, rest: &mut &[u8]) -> Option<()> {
    let mut groups = Vec::new();
    let (mut tag, mut wire_type) = (tag, wire_type);
    loop {
        match wire_type {
            WireType::Varint => drop(decode_varint(rest).ok()?),
            WireType::SixtyFourBit => *rest = rest.get(8..)?,
            WireType::ThirtyTwoBit => *rest = rest.get(4..)?,
            WireType::LengthDelimited => {
                let length = usize::try_from(decode_varint(rest).ok()?).ok()?;
                *rest = rest.get(length..)?;
            }
            WireType::StartGroup if groups.len() <= GROUPS_MAX => groups.push(tag),
            WireType::StartGroup => return None,
            WireType::EndGroup if groups.pop() == Some(tag) => {}
            WireType::EndGroup => return None,
        }
        if groups.is_empty() {
            return Some(());
        }
        (tag, wire_type) = decode_key(rest).ok()?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::MspPrincipal;
    use crate::common::{ChannelHeader, Header, Payload, SignatureHeader};
    use crate::kvrwset::{KvRead, KvrwSet, Version};
    use crate::peer::ChaincodeProposalPayload;

    #[track_caller]
    fn check<M: Message + Default + Name + PartialEq + std::fmt::Debug>(extra: &[u8], message: &M) {
        let encoded = message.encode_to_vec();
        for bytes in [[extra, &encoded].concat(), [&encoded, extra].concat()] {
            assert_eq!(decode::<M>(bytes.into()).unwrap(), *message);
        }
    }

    fn header() -> ChannelHeader {
        let timestamp = Some(prost_types::Timestamp { seconds: 1, nanos: 2 });
        ChannelHeader { r#type: 3, tx_id: "id".into(), timestamp, ..Default::default() }
    }

    #[test]
    fn fields_of_another_wire_type_are_ignored() {
        check(b"\x0a\x01\xff", &header());
        check(b"\x2d\x01\x02\x03\x04", &header());
        check(b"\x19\x01\x02\x03\x04\x05\x06\x07\x08", &header());
        let payload = Payload {
            header: Some(Header { channel_header: "c".into(), signature_header: "s".into() }),
            data: "data".into(),
        };
        check(b"\x10\x07", &payload);
        check(b"\x08\x07", &payload);
        check(b"\x0b\x08\x01\x0c", &payload);
        check(b"\x10\x01", &MspPrincipal { principal: "p".into(), ..Default::default() });
    }

    #[test]
    fn nested_messages_and_maps_are_looked_into() {
        let version = Some(Version { block_num: 7, tx_num: 1 });
        let read = KvRead { key: "k".into(), version };
        let set = KvrwSet { reads: vec![read], ..Default::default() };
        // Within reads[0].version, field 1 as bytes.
        let hidden = b"\x0a\x0c\x0a\x01k\x12\x07\x0a\x01x\x08\x07\x10\x01";
        assert_eq!(decode::<KvrwSet>(Bytes::from_static(hidden)).unwrap(), set);
        let transient_map = BTreeMap::from([("a".to_owned(), Bytes::from_static(b"1"))]);
        let payload = ChaincodeProposalPayload { input: "i".into(), transient_map };
        let hidden = b"\x0a\x01i\x12\x08\x08\x05\x0a\x01a\x12\x011";
        assert_eq!(
            decode::<ChaincodeProposalPayload>(Bytes::from_static(hidden)).unwrap(),
            payload
        );
    }

    #[test]
    fn unknown_groups_may_be_nested() {
        let nested = |depth: usize| [[0xa3, 1].repeat(depth), [0xa4, 1].repeat(depth)];
        check(&nested(101).concat(), &header());
        check(&nested(GROUPS_MAX + 1).concat(), &header());
        let deeper = nested(GROUPS_MAX + 2).concat();
        decode::<ChannelHeader>(deeper.into()).unwrap_err();
    }

    #[test]
    fn what_is_malformed_stays_malformed() {
        for bytes in [
            &b"\xff"[..],
            b"\x0a\x05x",
            b"\x08",
            b"\x0b",
            b"\x0c",
            b"\x0b\x14",
            b"\x2a\x01\xff\x00\x01",
            b"\x0a\x01\xff\x22\x01\xff",
        ] {
            decode::<ChannelHeader>(Bytes::copy_from_slice(bytes)).unwrap_err();
        }
    }

    #[test]
    fn every_message_is_known() {
        for name in [
            ChannelHeader::full_name(),
            SignatureHeader::full_name(),
            "google.protobuf.Timestamp".to_owned(),
            "protos.ChaincodeProposalPayload.TransientMapEntry".to_owned(),
        ] {
            assert!(MESSAGES.contains_key(&name), "{name}");
        }
    }
}
