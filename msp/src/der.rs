//! The few bytes of DER that are read or written here: signatures, names, certificates, CRLs.
//!
//! Parsing of whole certificates is left to `x509-parser`.

pub(crate) const BOOLEAN: u8 = 0x01;
pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const OID: u8 = 0x06;
pub(crate) const ENUMERATED: u8 = 0x0a;
pub(crate) const UTF8_STRING: u8 = 0x0c;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// One element and what follows it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Element<'a> {
    pub(crate) tag: u8,
    pub(crate) content: &'a [u8],
    pub(crate) rest: &'a [u8],
}

/// Reads one element with a one-byte tag and a minimal, definite length.
pub(crate) fn read(input: &[u8]) -> Option<Element<'_>> {
    let (&tag, input) = input.split_first()?;
    let (&first, mut input) = input.split_first()?;
    let length = match first {
        0..=0x7f => usize::from(first),
        0x81..=0x84 => {
            let (bytes, after) = input.split_at_checked(usize::from(first & 0x7f))?;
            input = after;
            let length = bytes.iter().fold(0usize, |sum, &byte| (sum << 8) | usize::from(byte));
            if bytes.first() == Some(&0) || length < 0x80 {
                return None;
            }
            length
        }
        _ => return None,
    };
    let (content, rest) = input.split_at_checked(length)?;
    Some(Element { tag, content, rest })
}

/// The magnitude of a positive, minimally encoded integer.
pub(crate) fn positive(content: &[u8]) -> Option<&[u8]> {
    match content {
        [] | [0] | [0x80..=0xff, ..] | [0, 0..=0x7f, ..] => None,
        [0, magnitude @ ..] | magnitude => Some(magnitude),
    }
}

/// Encodes one element.
pub(crate) fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.len() + 6);
    out.push(tag);
    let length = content.len();
    if length < 0x80 {
        out.push(length as u8);
    } else {
        let bytes = length.to_be_bytes();
        let skip = bytes.iter().take_while(|&&byte| byte == 0).count();
        out.push(0x80 | (bytes.len() - skip) as u8);
        out.extend(bytes.iter().skip(skip));
    }
    out.extend_from_slice(content);
    out
}

/// Encodes a sequence, set or other element made of others.
pub(crate) fn nest<'a>(tag: u8, parts: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let content: Vec<u8> = parts.into_iter().flatten().copied().collect();
    element(tag, &content)
}

/// Encodes a non-negative integer given as big-endian magnitude.
pub(crate) fn unsigned(magnitude: &[u8]) -> Vec<u8> {
    let skip = magnitude.iter().take_while(|&&byte| byte == 0).count();
    let mut content = magnitude.get(skip..).unwrap_or_default().to_vec();
    if content.first().is_none_or(|&byte| byte >= 0x80) {
        content.insert(0, 0);
    }
    element(INTEGER, &content)
}

/// Encodes a bit string of whole bytes.
pub(crate) fn bits(content: &[u8]) -> Vec<u8> {
    nest(BIT_STRING, [&[0][..], content])
}

/// Encodes seconds since 1970 the way RFC 5280 wants it: two-digit years until 2049.
pub(crate) fn time(seconds: i64) -> Option<Vec<u8>> {
    let time = jiff::Timestamp::from_second(seconds).ok()?.to_zoned(jiff::tz::TimeZone::UTC);
    let (tag, year) = match time.year() {
        year @ 1950..2050 => (UTC_TIME, format!("{:02}", year % 100)),
        year @ 0..=9999 => (GENERALIZED_TIME, format!("{year:04}")),
        _ => return None,
    };
    let text = format!(
        "{year}{:02}{:02}{:02}{:02}{:02}Z",
        time.month(),
        time.day(),
        time.hour(),
        time.minute(),
        time.second()
    );
    Some(element(tag, text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn times_change_their_form_in_2050() {
        assert_eq!(time(0).unwrap(), element(UTC_TIME, b"700101000000Z"));
        assert_eq!(time(2_524_607_999).unwrap(), element(UTC_TIME, b"491231235959Z"));
        assert_eq!(time(2_524_608_000).unwrap(), element(GENERALIZED_TIME, b"20500101000000Z"));
    }

    #[test]
    fn integers_are_minimal_and_positive() {
        assert_eq!(unsigned(&[0, 0, 0x80]), [INTEGER, 2, 0, 0x80]);
        assert_eq!(unsigned(&[]), [INTEGER, 1, 0]);
        for bad in [&[][..], &[0], &[0x80], &[0, 0x7f], &[0xff, 0xff]] {
            assert_eq!(positive(bad), None);
        }
        assert_eq!(positive(&[0, 0x80]), Some(&[0x80][..]));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(tag in 1u8.., content in proptest::collection::vec(any::<u8>(), 0..70_000)) {
            let bytes = element(tag, &content);
            let read = read(&bytes).unwrap();
            prop_assert_eq!((read.tag, read.content, read.rest.len()), (tag, &content[..], 0));
        }

        #[test]
        fn reading_anything_does_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = read(&bytes);
        }
    }
}
