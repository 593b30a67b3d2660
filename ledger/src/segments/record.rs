//! The bytes of a segment: a file header, then records.

use bytes::Bytes;

/// What every segment begins with: a name and the version of the format.
pub(crate) const FILE_HEADER: [u8; 16] = *b"GAUZE SEGMENT\0\0\x01";

/// Length of a record's header.
pub(crate) const HEADER: usize = 24;

/// First byte of a payload that was overwritten on purpose, in logs where that is done. No message
/// begins with it, and one byte is written as a whole or not at all.
pub(crate) const WIPED: u8 = 0xff;

/// A record's header, in the order of the bytes (little-endian numbers): payload length, position
/// in its append, number, CRC-32 of the payload, CRC-32 of the twenty bytes before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) length: u32,
    /// How many records of the same append precede this one.
    pub(crate) position: u32,
    pub(crate) number: u64,
    pub(crate) crc: u32,
}

impl Header {
    pub(crate) fn of(payload: &[u8], length: u32, position: u32, number: u64) -> Self {
        Self { length, position, number, crc: crc32fast::hash(payload) }
    }

    pub(crate) fn to_bytes(self) -> [u8; HEADER] {
        let mut out = [0; HEADER];
        out[..4].copy_from_slice(&self.length.to_le_bytes());
        out[4..8].copy_from_slice(&self.position.to_le_bytes());
        out[8..16].copy_from_slice(&self.number.to_le_bytes());
        out[16..20].copy_from_slice(&self.crc.to_le_bytes());
        let own = crc32fast::hash(&out[..20]);
        out[20..].copy_from_slice(&own.to_le_bytes());
        out
    }

    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; HEADER] = bytes.get(..HEADER)?.try_into().ok()?;
        let word = |at: usize| {
            u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        if crc32fast::hash(&bytes[..20]) != word(20) {
            return None;
        }
        let number = u64::from(word(8)) | (u64::from(word(12)) << 32);
        Some(Self { length: word(0), position: word(4), number, crc: word(16) })
    }
}

/// A record as it stands in a segment.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) header: Header,
    pub(crate) payload: Bytes,
}

/// What stands at an offset.
#[derive(Debug)]
pub(crate) enum Found {
    Record(Record),
    /// A record whose payload was overwritten on purpose.
    Wiped(Header, Bytes),
    /// The segment ends here.
    End,
    Damaged(&'static str),
}

/// Reads the record at `offset` of a segment's bytes.
pub(crate) fn at(segment: &Bytes, offset: usize) -> Found {
    let Some(rest) = segment.get(offset..).filter(|rest| !rest.is_empty()) else {
        return Found::End;
    };
    if rest.len() < HEADER {
        return Found::Damaged("the header of a record is cut off");
    }
    let Some(header) = Header::parse(rest) else {
        return Found::Damaged("the header of a record has a wrong checksum");
    };
    let begin = offset + HEADER;
    let end = begin + header.length as usize;
    if end > segment.len() {
        return Found::Damaged("a record is cut off");
    }
    let payload = segment.slice(begin..end);
    if crc32fast::hash(&payload) != header.crc {
        return match payload.first() {
            Some(&WIPED) => Found::Wiped(header, payload),
            _ => Found::Damaged("a record has a wrong checksum"),
        };
    }
    Found::Record(Record { header, payload })
}
