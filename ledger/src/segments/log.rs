//! Writing to a log, and reading single records back.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::record::{self, FILE_HEADER, Found, HEADER, Header, WIPED};
use super::scan::{self, Segment, Visit};
use super::{Error, Location, path};

/// The writing end of a log. There is one per folder.
#[derive(Debug)]
pub(crate) struct Log {
    dir: PathBuf,
    bytes_max: u64,
    segment: u64,
    file: File,
    length: u64,
    failed: bool,
}

impl Log {
    /// Opens or creates the log in `dir`. Visits all records from segment `from` on; the last
    /// segment is always visited. Cuts off a torn tail. A segment is full at `bytes_max`. Only if
    /// the log is `wipeable` may payloads have been overwritten.
    pub(crate) fn open<E: From<Error>>(
        dir: &Path,
        bytes_max: u64,
        from: u64,
        wipeable: bool,
        visit: &mut Visit<'_, E>,
    ) -> Result<Self, E> {
        fs::create_dir_all(dir).map_err(Error::io("create", dir))?;
        let segments = scan::segments(dir)?;
        let Some(&last) = segments.last() else {
            return Ok(Self::create(dir, bytes_max, 0)?);
        };
        for ordinal in from.min(last)..last {
            Segment { dir, ordinal, last: false, wipeable }.scan(visit)?;
        }
        let sound = Segment { dir, ordinal: last, last: true, wipeable }.scan(visit)?;
        if sound == 0 {
            return Ok(Self::create(dir, bytes_max, last)?);
        }
        Ok(Self::resume(dir, bytes_max, last, sound)?)
    }

    fn create(dir: &Path, bytes_max: u64, segment: u64) -> Result<Self, Error> {
        let at = path(dir, segment);
        let mut file = File::create(&at).map_err(Error::io("create", &at))?;
        file.write_all(&FILE_HEADER).map_err(Error::io("write", &at))?;
        file.sync_all().map_err(Error::io("sync", &at))?;
        let folder = File::open(dir).map_err(Error::io("open", dir))?;
        folder.sync_all().map_err(Error::io("sync", dir))?;
        let length = FILE_HEADER.len() as u64;
        Ok(Self { dir: dir.to_owned(), bytes_max, segment, file, length, failed: false })
    }

    fn resume(dir: &Path, bytes_max: u64, segment: u64, length: u64) -> Result<Self, Error> {
        let at = path(dir, segment);
        let file = OpenOptions::new().write(true).open(&at).map_err(Error::io("open", &at))?;
        let found = file.metadata().map_err(Error::io("inspect", &at))?.len();
        if found > length {
            tracing::warn!(file = %at.display(), offset = length, bytes = found - length,
                "cut off the rest of an append that was interrupted");
            file.set_len(length).map_err(Error::io("truncate", &at))?;
        }
        file.sync_all().map_err(Error::io("sync", &at))?;
        Ok(Self { dir: dir.to_owned(), bytes_max, segment, file, length, failed: false })
    }

    /// Appends all records, or after a crash none that is followed by another append, and returns
    /// when they are on disk.
    pub(crate) fn append(&mut self, records: &[(u64, Bytes)]) -> Result<Vec<Location>, Error> {
        if self.failed {
            return Err(Error::Failed { dir: self.dir.clone() });
        }
        if records.is_empty() {
            return Ok(Vec::new());
        }
        let size: usize = records.iter().map(|(_, payload)| HEADER + payload.len()).sum();
        let fresh = self.length == FILE_HEADER.len() as u64;
        if !fresh && self.length + size as u64 > self.bytes_max {
            self.guard(|log| {
                *log = Self::create(&log.dir, log.bytes_max, log.segment + 1)?;
                Ok(())
            })?;
        }
        let mut buffer = Vec::with_capacity(size);
        let mut locations = Vec::with_capacity(records.len());
        for (position, (number, payload)) in (0..).zip(records) {
            let length = u32::try_from(payload.len()).map_err(|_| Error::TooLong(payload.len()))?;
            let offset = self.length + buffer.len() as u64;
            locations.push(Location { segment: self.segment, offset, length });
            let header = Header::of(payload, length, position, *number);
            buffer.extend_from_slice(&header.to_bytes());
            buffer.extend_from_slice(payload);
        }
        self.guard(|log| log.write(&buffer))?;
        Ok(locations)
    }

    /// Runs `change`; if it fails, nothing may be written any more: what a failed write or fsync
    /// left on disk is unknown until the log is opened again.
    fn guard(&mut self, change: impl FnOnce(&mut Self) -> Result<(), Error>) -> Result<(), Error> {
        let result = change(self);
        self.failed |= result.is_err();
        result
    }

    /// Refuses all further appends: their caller could not take note of one.
    pub(crate) fn fail(&mut self) {
        self.failed = true;
    }

    /// Where the next record goes in its segment.
    #[cfg(test)]
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    fn write(&mut self, buffer: &[u8]) -> Result<(), Error> {
        let at = path(&self.dir, self.segment);
        self.file.write_all_at(buffer, self.length).map_err(Error::io("write", &at))?;
        self.file.sync_data().map_err(Error::io("sync", &at))?;
        self.length += buffer.len() as u64;
        Ok(())
    }
}

/// Reads the payload of a record and checks it.
pub(crate) fn read(dir: &Path, number: u64, location: Location) -> Result<Bytes, Error> {
    match find(dir, number, location)? {
        Found::Record(found) => Ok(found.payload),
        Found::Damaged(reason) => Err(corrupt(dir, location, reason)),
        Found::Wiped(..) | Found::End => {
            Err(corrupt(dir, location, "a record has a wrong checksum"))
        }
    }
}

/// Like [`read`], but nothing if the payload was overwritten on purpose.
pub(crate) fn read_wipeable(
    dir: &Path,
    number: u64,
    location: Location,
) -> Result<Option<Bytes>, Error> {
    match find(dir, number, location)? {
        Found::Wiped(..) => Ok(None),
        _ => read(dir, number, location).map(Some),
    }
}

fn find(dir: &Path, number: u64, location: Location) -> Result<Found, Error> {
    let file = path(dir, location.segment);
    let handle = File::open(&file).map_err(Error::io("open", &file))?;
    let mut buffer = vec![0; HEADER + location.length as usize];
    handle.read_exact_at(&mut buffer, location.offset).map_err(Error::io("read", &file))?;
    let bytes = Bytes::from(buffer);
    let is_expected = |header: Header| header.number == number && header.length == location.length;
    if !Header::parse(&bytes).is_some_and(is_expected) {
        return Err(corrupt(dir, location, "the record is not the expected one"));
    }
    Ok(record::at(&bytes, 0))
}

fn corrupt(dir: &Path, location: Location, reason: &'static str) -> Error {
    Error::Corrupt { file: path(dir, location.segment), offset: location.offset, reason }
}

/// Overwrites the payloads of records, for good. The mark is on disk before the rest, so what an
/// interruption leaves is known for what it is.
pub(crate) fn wipe(dir: &Path, locations: &[Location]) -> Result<(), Error> {
    for location in locations.iter().filter(|location| location.length > 0) {
        let file = path(dir, location.segment);
        let handle = OpenOptions::new().write(true).open(&file);
        let handle = handle.map_err(Error::io("open", &file))?;
        let begin = location.offset + HEADER as u64;
        let write = |bytes: &[u8], at: u64| {
            handle.write_all_at(bytes, at).map_err(Error::io("write", &file))?;
            handle.sync_data().map_err(Error::io("sync", &file))
        };
        write(&[WIPED], begin)?;
        write(&vec![0; location.length as usize - 1], begin + 1)?;
    }
    Ok(())
}
