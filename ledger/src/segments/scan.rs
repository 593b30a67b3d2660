//! Reading a log from some segment to its end, and telling a torn tail from damage.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::record::{self, FILE_HEADER, Found, HEADER};
use super::{Error, Location, path};

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

/// Where payloads may have been wiped on purpose: segments and offsets of records.
pub(crate) type Wiped = BTreeSet<(u64, u64)>;

/// Visits the records of one segment and returns the length of its sound part, which is less than
/// the file's only if this is the `last` segment and its tail is torn.
pub(crate) fn segment<E: From<Error>>(
    dir: &Path,
    ordinal: u64,
    last: bool,
    wiped: &Wiped,
    visit: &mut Visit<'_, E>,
) -> Result<u64, E> {
    let file = path(dir, ordinal);
    let bytes = Bytes::from(fs::read(&file).map_err(Error::io("read", &file))?);
    if bytes.get(..FILE_HEADER.len()) != Some(&FILE_HEADER) {
        if last && bytes.len() <= FILE_HEADER.len() {
            return Ok(0);
        }
        return Err(Error::Corrupt { file, offset: 0, reason: "not a segment" }.into());
    }
    let mut offset = FILE_HEADER.len();
    loop {
        match record::at(&bytes, offset) {
            Found::End => return Ok(offset as u64),
            Found::Record(found) => {
                let begin = offset as u64;
                let location =
                    Location { segment: ordinal, offset: begin, length: found.header.length };
                offset = location.end() as usize;
                visit(found.header.number, location, found.payload)?;
            }
            Found::Spoiled(header) if wiped.contains(&(ordinal, offset as u64)) => {
                offset += HEADER + header.length as usize;
            }
            Found::Spoiled(_) | Found::Damaged(_) if last && is_torn(&bytes, offset) => {
                return Ok(offset as u64);
            }
            Found::Damaged(reason) => return Err(corrupt(file, offset, reason).into()),
            Found::Spoiled(_) => {
                return Err(corrupt(file, offset, "a record has a wrong checksum").into());
            }
        }
    }
}

fn corrupt(file: PathBuf, offset: usize, reason: &'static str) -> Error {
    Error::Corrupt { file, offset: offset as u64, reason }
}

/// Whether the damage at `offset` can come from one interrupted append. If a later append stands
/// behind it, the damaged record was acknowledged. Pages of one append reach the disk in any
/// order, so only a sound record that is the first of its append proves that.
fn is_torn(bytes: &Bytes, offset: usize) -> bool {
    let mut at = offset + 1;
    while at + HEADER <= bytes.len() {
        match record::at(bytes, at) {
            Found::Record(found) if found.header.position == 0 => return false,
            Found::Record(found) => at += HEADER + found.payload.len(),
            _ => at += 1,
        }
    }
    true
}
