//! ECDSA signatures as pairs of numbers: the low-S rule and the normal form.
//!
//! For every signature `(r, s)` there is a second one, `(r, n - s)`. Only the one with the smaller
//! `s` counts, so that nobody can change a signed message's bytes without its signer.

use std::borrow::Cow;

use crate::der;

use super::{Algorithm, Error};

const P256: &[u8] = &[
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];
const P384: &[u8] = &[
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xc7, 0x63, 0x4d, 0x81, 0xf4, 0x37, 0x2d, 0xdf,
    0x58, 0x1a, 0x0d, 0xb2, 0x48, 0xb0, 0xa7, 0x7a, 0xec, 0xec, 0x19, 0x6a, 0xcc, 0xc5, 0x29, 0x73,
];
const P521: &[u8] = &[
    0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xfa, 0x51, 0x86, 0x87, 0x83, 0xbf, 0x2f, 0x96, 0x6b, 0x7f, 0xcc, 0x01, 0x48, 0xf7, 0x09,
    0xa5, 0xd0, 0x3b, 0xb5, 0xc9, 0xb8, 0x89, 0x9c, 0x47, 0xae, 0xbb, 0x6f, 0xb7, 0x1e, 0x91, 0x38,
    0x64, 0x09,
];

/// Order of the curve's group; `None` if `algorithm` is not ECDSA.
fn order(algorithm: Algorithm) -> Option<&'static [u8]> {
    match algorithm {
        Algorithm::P256 => Some(P256),
        Algorithm::P384 => Some(P384),
        Algorithm::P521 => Some(P521),
        Algorithm::Ed25519 | Algorithm::Rsa => None,
    }
}

/// Checks the low-S rule and gives the signature in the form the library wants: bytes after the
/// sequence and elements after `s` are ignored, as Fabric does.
pub(crate) fn checked(algorithm: Algorithm, signature: &[u8]) -> Result<Cow<'_, [u8]>, Error> {
    let (r, s, exact) = parse(signature).ok_or(Error::MalformedSignature)?;
    let order = order(algorithm).ok_or(Error::Unsupported("ECDSA"))?;
    let complement = subtract(order, s).ok_or(Error::HighS)?;
    if !less(s, &complement) {
        return Err(Error::HighS);
    }
    Ok(if exact { Cow::Borrowed(signature) } else { Cow::Owned(encode(r, s)) })
}

/// The same signature with the smaller `s`.
pub(crate) fn to_low_s(algorithm: Algorithm, signature: &[u8]) -> Result<Vec<u8>, Error> {
    let (r, s, _) = parse(signature).ok_or(Error::MalformedSignature)?;
    let order = order(algorithm).ok_or(Error::Unsupported("ECDSA"))?;
    let complement = subtract(order, s).ok_or(Error::MalformedSignature)?;
    Ok(if less(s, &complement) { encode(r, s) } else { encode(r, &complement) })
}

/// Magnitudes of `r` and `s`, and whether nothing else is there.
fn parse(signature: &[u8]) -> Option<(&[u8], &[u8], bool)> {
    let sequence = der::read(signature).filter(|element| element.tag == der::SEQUENCE)?;
    let r = der::read(sequence.content).filter(|element| element.tag == der::INTEGER)?;
    let s = der::read(r.rest).filter(|element| element.tag == der::INTEGER)?;
    let exact = s.rest.is_empty() && sequence.rest.is_empty();
    Some((der::positive(r.content)?, der::positive(s.content)?, exact))
}

fn encode(r: &[u8], s: &[u8]) -> Vec<u8> {
    der::nest(der::SEQUENCE, [&der::unsigned(r)[..], &der::unsigned(s)])
}

/// `order - s`; `None` if `s` is not smaller.
fn subtract(order: &[u8], s: &[u8]) -> Option<Vec<u8>> {
    let padding = order.len().checked_sub(s.len())?;
    let mut borrow = false;
    let mut out = Vec::with_capacity(order.len());
    let padded = std::iter::repeat_n(&0, padding).chain(s).rev();
    for (&left, &right) in order.iter().rev().zip(padded) {
        let (difference, first) = left.overflowing_sub(right);
        let (difference, second) = difference.overflowing_sub(u8::from(borrow));
        borrow = first || second;
        out.push(difference);
    }
    out.reverse();
    (!borrow && out.iter().any(|&byte| byte != 0)).then_some(out)
}

/// Whether the number `s` (without leading zeros) is smaller than `other`.
fn less(s: &[u8], other: &[u8]) -> bool {
    let skip = other.iter().take_while(|&&byte| byte == 0).count();
    let other = other.get(skip..).unwrap_or_default();
    (s.len(), s) < (other.len(), other)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `n / 2` rounded down for P-256: the largest `s` that is allowed.
    const HALF: &str = "7fffffff800000007fffffffffffffffde737d56d38bcf4279dce5617e3192a8";

    #[track_caller]
    fn check(s: &str, expected: Result<(), Error>) {
        let signature = encode(&[1], &hex::decode(s).unwrap());
        assert_eq!(checked(Algorithm::P256, &signature).map(|_| ()), expected);
    }

    #[test]
    fn the_border_lies_at_half_the_order() {
        check("01", Ok(()));
        check(HALF, Ok(()));
        check(&HALF.replace("92a8", "92a9"), Err(Error::HighS));
        check(&hex::encode(P256), Err(Error::HighS));
        check(&"ff".repeat(40), Err(Error::HighS));
    }

    #[test]
    fn complement_of_the_largest_is_one_more() {
        let half = hex::decode(HALF).unwrap();
        let high = subtract(P256, &half).unwrap();
        assert_eq!(hex::encode(&high), HALF.replace("92a8", "92a9"));
        let low = to_low_s(Algorithm::P256, &encode(&[1], &high)).unwrap();
        assert_eq!(low, encode(&[1], &half));
        assert_eq!(to_low_s(Algorithm::P256, &low), Ok(low));
    }

    #[test]
    fn what_follows_is_ignored_and_dropped() {
        let exact = encode(&[1], &[2]);
        let after = [&exact[..], &[9, 9]].concat();
        let inside = der::nest(der::SEQUENCE, [&exact[2..], &[der::INTEGER, 1, 5]]);
        for signature in [&exact, &after, &inside] {
            assert_eq!(checked(Algorithm::P256, signature).unwrap().as_ref(), exact);
        }
    }

    #[test]
    fn malformed_signatures_are_refused() {
        for bad in [
            "",
            "30",
            "3000",
            "3003020101",
            "3006020100020101",
            "3006020101020180",
            "300702010102020001",
            "3106020101020101",
        ] {
            let bytes = hex::decode(bad).unwrap();
            assert_eq!(checked(Algorithm::P256, &bytes), Err(Error::MalformedSignature), "{bad}");
        }
    }
}
