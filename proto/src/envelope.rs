//! Envelopes: typed peeling that keeps the original slices, and the canonical form.
//!
//! Whatever is hashed or signed is hashed and verified over the bytes received; nothing here is
//! encoded again.

use bytes::Bytes;
use prost::encoding::{WireType, decode_key, decode_varint, encode_varint, encoded_len_varint};

use crate::common::{self, ChannelHeader, Header, Payload, SignatureHeader};
use crate::decode::{decode, skip_value};

/// Why an envelope cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A layer does not decode.
    #[error("decode {0}")]
    Decode(&'static str),
    /// A required part is missing or empty.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// The bytes differ from those an encoder would produce.
    #[error("not in canonical form: {0}")]
    NotCanonical(&'static str),
}

/// An envelope peeled down to its headers. Every `Bytes` is a slice of the input.
#[derive(Debug, Clone)]
pub struct Envelope {
    /// The signed bytes.
    pub payload: Bytes,
    /// Signature of the creator over `payload`.
    pub signature: Bytes,
    /// Encoded channel header.
    pub channel_header_bytes: Bytes,
    /// Encoded signature header.
    pub signature_header_bytes: Bytes,
    /// Decoded channel header.
    pub channel_header: ChannelHeader,
    /// Decoded signature header.
    pub signature_header: SignatureHeader,
    /// What the payload carries besides the header.
    pub data: Bytes,
}

impl Envelope {
    /// Peels encoded envelope bytes.
    pub fn parse(bytes: Bytes) -> Result<Self, Error> {
        Self::peel(decode::<common::Envelope>(bytes).map_err(|_| Error::Decode("envelope"))?)
    }

    /// Peels a decoded envelope.
    pub fn peel(envelope: common::Envelope) -> Result<Self, Error> {
        let payload: Payload =
            decode(envelope.payload.clone()).map_err(|_| Error::Decode("envelope payload"))?;
        let header = payload.header.ok_or(Error::Missing("payload header"))?;
        let (channel_header, signature_header) = peel_header(&header)?;
        Ok(Self {
            payload: envelope.payload,
            signature: envelope.signature,
            channel_header_bytes: header.channel_header,
            signature_header_bytes: header.signature_header,
            channel_header,
            signature_header,
            data: payload.data,
        })
    }
}

/// Decodes both halves of a header.
pub fn peel_header(header: &Header) -> Result<(ChannelHeader, SignatureHeader), Error> {
    let channel =
        decode(header.channel_header.clone()).map_err(|_| Error::Decode("channel header"))?;
    let signature =
        decode(header.signature_header.clone()).map_err(|_| Error::Decode("signature header"))?;
    Ok((channel, signature))
}

/// Checks the rule peers apply to every envelope of a block: payload and signature are present
/// and not empty, and encoding the decoded message again gives the same bytes. Unknown fields are
/// kept by Fabric's encoder and written after the known ones, so they are allowed there, in the
/// form in which they arrived. A known field of another wire type counts as unknown.
pub fn check_canonical(bytes: &[u8]) -> Result<(), Error> {
    let mut rest = bytes;
    let mut known = [false; 2];
    let mut seen_unknown = false;
    while !rest.is_empty() {
        let key = rest;
        let (tag, wire_type) = decode_key(&mut rest).map_err(|_| Error::Decode("envelope"))?;
        let key_length = key.len() - rest.len();
        let value = rest;
        skip_value(tag, wire_type, &mut rest).ok_or(Error::Decode("envelope"))?;
        if tag > 2 || wire_type != WireType::LengthDelimited {
            seen_unknown = true;
            continue;
        }
        if seen_unknown {
            return Err(Error::NotCanonical("known field after an unknown one"));
        }
        if known[1] || (tag == 1 && known[0]) {
            return Err(Error::NotCanonical("field repeated or out of order"));
        }
        known[usize::from(tag == 2)] = true;
        if key_length != 1 {
            return Err(Error::NotCanonical("field key is not minimal"));
        }
        check_length(value)?;
    }
    match known {
        [true, true] => Ok(()),
        [true, false] => Err(Error::Missing("signature")),
        [false, _] => Err(Error::Missing("payload")),
    }
}

/// The length in front of a field must be minimal, and not zero: empty fields are not written.
fn check_length(value: &[u8]) -> Result<(), Error> {
    let mut rest = value;
    let length = decode_varint(&mut rest).map_err(|_| Error::Decode("envelope"))?;
    if value.len() - rest.len() != encoded_len_varint(length) {
        return Err(Error::NotCanonical("length is not minimal"));
    }
    if length == 0 {
        return Err(Error::NotCanonical("empty field is written"));
    }
    Ok(())
}

/// Encodes an envelope with `payload` and `signature`.
pub fn encode(payload: &[u8], signature: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(payload.len() + signature.len() + 12);
    for (key, field) in [(0x0a, payload), (0x12, signature)] {
        if !field.is_empty() {
            out.push(key);
            encode_varint(field.len() as u64, &mut out);
            out.extend_from_slice(field);
        }
    }
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use prost::Message;

    #[track_caller]
    fn check(hex: &str, expected: Result<(), Error>) {
        let bytes = Bytes::from(hex::decode(hex).expect("test data is hex"));
        assert_eq!(check_canonical(&bytes), expected);
    }

    #[test]
    fn only_what_an_encoder_writes_is_canonical() {
        check("0a01aa1201bb", Ok(()));
        check("1201bb0a01aa", Err(Error::NotCanonical("field repeated or out of order")));
        check("0a01aa0a01aa1201bb", Err(Error::NotCanonical("field repeated or out of order")));
        check("0a8100aa1201bb", Err(Error::NotCanonical("length is not minimal")));
        check("8a0001aa1201bb", Err(Error::NotCanonical("field key is not minimal")));
        check("0a001201bb", Err(Error::NotCanonical("empty field is written")));
        check("0a01aa", Err(Error::Missing("signature")));
        check("1201bb", Err(Error::Missing("payload")));
        check("0a05aa", Err(Error::Decode("envelope")));
        check("", Err(Error::Missing("payload")));
    }

    #[test]
    fn unknown_fields_are_allowed_after_the_known_ones() {
        check("0a01aa1201bb1801", Ok(()));
        check("0a01aa18011201bb", Err(Error::NotCanonical("known field after an unknown one")));
        // Known numbers with other wire types, groups, keys and lengths that are not minimal.
        check("0a01aa1201bb0801", Ok(()));
        check("0a01aa1201bb1501020304", Ok(()));
        check("0a01aa1201bb1b08011c", Ok(()));
        check("0a01aa1201bb9a8000810063", Ok(()));
        check("08010a01aa1201bb", Err(Error::NotCanonical("known field after an unknown one")));
        check("0a01aa1201bb1b", Err(Error::Decode("envelope")));
        check("0a01aa1001", Err(Error::Missing("signature")));
    }

    #[test]
    fn unknown_groups_are_nested_as_deep_as_in_fabric() {
        let nested = |depth: usize| "1b".repeat(depth) + &"1c".repeat(depth);
        check(&format!("0a01aa1201bb{}", nested(10_001)), Ok(()));
        check(&format!("0a01aa1201bb{}", nested(10_002)), Err(Error::Decode("envelope")));
    }

    proptest! {
        #[test]
        fn encoded_envelopes_are_canonical(
            payload in proptest::collection::vec(any::<u8>(), 1..300),
            signature in proptest::collection::vec(any::<u8>(), 1..100),
        ) {
            let bytes = encode(&payload, &signature);
            let message = common::Envelope {
                payload: payload.into(),
                signature: signature.into(),
            };
            prop_assert_eq!(&bytes, &Bytes::from(message.encode_to_vec()));
            prop_assert_eq!(check_canonical(&bytes), Ok(()));
        }

        #[test]
        fn canonical_means_reencoding_is_the_identity(
            fields in proptest::collection::vec(field(), 0..5),
        ) {
            let bytes = fields.concat();
            let identical = reencoded(&bytes).is_some_and(|other| other == bytes);
            prop_assert_eq!(check_canonical(&bytes).is_ok(), identical, "{}", hex::encode(&bytes));
        }
    }

    /// Encoded fields, right and wrong; the first two are far more likely than chance has it.
    fn field() -> impl Strategy<Value = Vec<u8>> {
        let content = || proptest::collection::vec(any::<u8>(), 0..4);
        let of = |key: &'static [u8]| {
            content().prop_map(move |value| {
                let length = u8::try_from(value.len()).expect("short");
                [key, &[length], &value].concat()
            })
        };
        let fixed = [
            &b"\x08\x05"[..],
            b"\x10\x85\x00",
            b"\x18\x01",
            b"\x98\x00\x01",
            b"\x1a\x81\x00x",
            b"\x0d\x01\x02\x03\x04",
            b"\x11\x01\x02\x03\x04\x05\x06\x07\x08",
            b"\x0b\x08\x01\x0c",
            b"\x1b\x23\x24\x1c",
            b"\x1b\x24",
            b"\x0a\x81\x00x",
        ];
        prop_oneof![
            6 => of(b"\x0a"),
            6 => of(b"\x12"),
            1 => of(b"\x92\x00"),
            1 => of(b"\x1a"),
            3 => proptest::sample::select(fixed.map(<[u8]>::to_vec).to_vec()),
            1 => content(),
        ]
    }

    /// What Fabric's encoder makes of what its decoder understood: the last value of each known
    /// field, then all others as they came. Nothing if that is not a whole envelope.
    fn reencoded(bytes: &[u8]) -> Option<Vec<u8>> {
        let (mut known, mut unknown, mut rest) = ([&[][..]; 2], Vec::new(), bytes);
        while !rest.is_empty() {
            let field = rest;
            let (tag, wire_type) = decode_key(&mut rest).ok()?;
            let mut value = rest;
            skip_value(tag, wire_type, &mut rest)?;
            if tag <= 2 && wire_type == WireType::LengthDelimited {
                let length = usize::try_from(decode_varint(&mut value).ok()?).ok()?;
                known[tag as usize - 1] = value.get(..length)?;
            } else {
                unknown.extend_from_slice(field.get(..field.len() - rest.len())?);
            }
        }
        let [payload, signature] = known;
        let whole = !payload.is_empty() && !signature.is_empty();
        whole.then(|| [&encode(payload, signature)[..], &unknown].concat())
    }
}
