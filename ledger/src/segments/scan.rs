//! Reading a log from some segment to its end, and telling a torn tail from damage.

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::log::wipe;
use super::record::{self, FILE_HEADER, Found, HEADER, Header};
use super::{Error, Kind, Location, path};

/// Called for each record in order.
pub(crate) type Visit<'a, E> = dyn FnMut(u64, Location, Bytes) -> Result<(), E> + 'a;

/// The ordinals of the segments in `dir`, ascending and without a gap.
pub(crate) fn segments(dir: &Path) -> Result<Vec<u64>, Error> {
    let mut found = Vec::new();
    let entries = fs::read_dir(dir).map_err(Error::io("list", dir))?;
    for entry in entries {
        let name = entry.map_err(Error::io("list", dir))?.file_name();
        let ordinal = name.to_str().and_then(|name| name.strip_suffix(".segment"));
        found.extend(ordinal.and_then(|ordinal| ordinal.parse::<u64>().ok()));
    }
    found.sort_unstable();
    for (expected, ordinal) in (0..).zip(&found) {
        if expected != *ordinal {
            let file = path(dir, expected);
            return Err(Error::Corrupt { file, offset: 0, reason: "the segment is missing" });
        }
    }
    Ok(found)
}

/// One segment to be read.
#[derive(Debug)]
pub(crate) struct Segment<'a> {
    pub(crate) dir: &'a Path,
    pub(crate) ordinal: u64,
    /// Whether its tail may be torn.
    pub(crate) last: bool,
    pub(crate) kind: &'static Kind,
}

impl Segment<'_> {
    /// Visits the records and returns the length of the sound part, which is less than the file's
    /// only if the tail is torn. Wiped records are passed over.
    pub(crate) fn scan<E: From<Error>>(&self, visit: &mut Visit<'_, E>) -> Result<u64, E> {
        let file = path(self.dir, self.ordinal);
        let bytes = Bytes::from(fs::read(&file).map_err(Error::io("read", &file))?);
        if bytes.get(..FILE_HEADER.len()) != Some(&FILE_HEADER) {
            if self.last && bytes.len() <= FILE_HEADER.len() {
                return Ok(0);
            }
            return Err(corrupt(file, 0, "not a segment").into());
        }
        let mut offset = FILE_HEADER.len();
        loop {
            let reason = match record::at(&bytes, offset) {
                Found::End => return Ok(offset as u64),
                Found::Record(found) => {
                    let location = self.location(offset, found.header);
                    offset = location.end() as usize;
                    visit(found.header.number, location, found.payload)?;
                    continue;
                }
                Found::Wiped(header, payload) if self.kind.wipeable => {
                    let location = self.location(offset, header);
                    offset = location.end() as usize;
                    if payload.iter().skip(1).any(|byte| *byte != 0) {
                        wipe(self.dir, &[location])?;
                    }
                    continue;
                }
                Found::Wiped(..) => "a record has a wrong checksum",
                Found::Damaged(reason) => reason,
            };
            if self.last && is_torn(&bytes, offset) {
                return Ok(offset as u64);
            }
            return Err(corrupt(file, offset, reason).into());
        }
    }

    fn location(&self, offset: usize, header: Header) -> Location {
        Location { segment: self.ordinal, offset: offset as u64, length: header.length }
    }
}

fn corrupt(file: PathBuf, offset: usize, reason: &'static str) -> Error {
    Error::Corrupt { file, offset: offset as u64, reason }
}

/// Whether the damage at `offset` can come from one interrupted append. If a later append stands
/// behind it, the damaged record was acknowledged. Pages of one append reach the disk in any
/// order, so only a sound record that is the first of its append proves that.
pub(super) fn is_torn(bytes: &Bytes, offset: usize) -> bool {
    let mut at = offset + 1;
    while at + HEADER <= bytes.len() {
        match record::at(bytes, at) {
            Found::Record(found) if found.header.position == 0 => return false,
            Found::Wiped(header, _) if header.position == 0 => return false,
            Found::Record(found) => at += HEADER + found.payload.len(),
            _ => at += 1,
        }
    }
    true
}
