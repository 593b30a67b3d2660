//! Writing to a log, and reading single records back.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::record::{self, FILE_HEADER, Found, HEADER, Header, WIPED};
use super::scan::{self, Segment, Visit};
use super::{Error, Kind, Location, path};
use crate::failpoint;

/// The writing end of a log. There is one per folder.
#[derive(Debug)]
pub(crate) struct Log {
    dir: PathBuf,
    kind: &'static Kind,
    bytes_max: u64,
    segment: u64,
    file: File,
    length: u64,
    failed: bool,
    cut: bool,
}

impl Log {
    /// Opens or creates the log in `dir`. Visits all records from segment `from` on; the last
    /// segment is always visited. Cuts off a torn tail. A segment is full at `bytes_max`.
    pub(crate) fn open<E: From<Error>>(
        dir: &Path,
        bytes_max: u64,
        from: u64,
        kind: &'static Kind,
        visit: &mut Visit<'_, E>,
    ) -> Result<Self, E> {
        fs::create_dir_all(dir).map_err(Error::io("create", dir))?;
        let segments = scan::segments(dir)?;
        let Some(&last) = segments.last() else {
            return Ok(Self::create(dir, kind, bytes_max, 0)?);
        };
        for ordinal in from.min(last)..last {
            Segment { dir, ordinal, last: false, kind }.scan(visit)?;
        }
        let sound = Segment { dir, ordinal: last, last: true, kind }.scan(visit)?;
        if sound == 0 {
            return Ok(Self::create(dir, kind, bytes_max, last)?);
        }
        Ok(Self::resume(dir, kind, bytes_max, last, sound)?)
    }

    fn create(
        dir: &Path,
        kind: &'static Kind,
        bytes_max: u64,
        segment: u64,
    ) -> Result<Self, Error> {
        let at = path(dir, segment);
        failpoint::reach(kind.before_roll).map_err(Error::io("create", &at))?;
        let mut file = File::create(&at).map_err(Error::io("create", &at))?;
        failpoint::reach(kind.rolling).map_err(Error::io("write", &at))?;
        file.write_all(&FILE_HEADER).map_err(Error::io("write", &at))?;
        file.sync_all().map_err(Error::io("sync", &at))?;
        let folder = File::open(dir).map_err(Error::io("open", dir))?;
        folder.sync_all().map_err(Error::io("sync", dir))?;
        failpoint::reach(kind.after_roll).map_err(Error::io("sync", dir))?;
        let (dir, length) = (dir.to_owned(), FILE_HEADER.len() as u64);
        Ok(Self { dir, kind, bytes_max, segment, file, length, failed: false, cut: false })
    }

    fn resume(
        dir: &Path,
        kind: &'static Kind,
        bytes_max: u64,
        segment: u64,
        length: u64,
    ) -> Result<Self, Error> {
        let at = path(dir, segment);
        let file = OpenOptions::new().write(true).open(&at).map_err(Error::io("open", &at))?;
        let found = file.metadata().map_err(Error::io("inspect", &at))?.len();
        let cut = found > length;
        if cut {
            tracing::warn!(file = %at.display(), offset = length, bytes = found - length,
                "cut off the rest of an append that was interrupted");
            failpoint::reach(kind.before_cut).map_err(Error::io("truncate", &at))?;
            file.set_len(length).map_err(Error::io("truncate", &at))?;
        }
        file.sync_all().map_err(Error::io("sync", &at))?;
        if cut {
            failpoint::reach(kind.after_cut).map_err(Error::io("sync", &at))?;
        }
        let dir = dir.to_owned();
        Ok(Self { dir, kind, bytes_max, segment, file, length, failed: false, cut })
    }

    /// Whether opening cut off a tail.
    pub(crate) fn was_cut(&self) -> bool {
        self.cut
    }

    /// Segment and offset of the end: what was once behind it is gone.
    pub(crate) fn end(&self) -> (u64, u64) {
        (self.segment, self.length)
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
                *log = Self::create(&log.dir, log.kind, log.bytes_max, log.segment + 1)?;
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
        failpoint::reach(self.kind.before_write).map_err(Error::io("write", &at))?;
        self.file.write_all_at(buffer, self.length).map_err(Error::io("write", &at))?;
        failpoint::reach(self.kind.before_sync).map_err(Error::io("sync", &at))?;
        self.file.sync_data().map_err(Error::io("sync", &at))?;
        failpoint::reach(self.kind.after_sync).map_err(Error::io("sync", &at))?;
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
    match handle.read_exact_at(&mut buffer, location.offset) {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
            return Err(corrupt(dir, location, "the file ends before the record does"));
        }
        read => read.map_err(Error::io("read", &file))?,
    }
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
        let reach = |name| failpoint::reach(name).map_err(Error::io("write", &file));
        reach("ledger::private_wipe::before_mark")?;
        write(&[WIPED], begin)?;
        reach("ledger::private_wipe::after_mark")?;
        write(&vec![0; location.length as usize - 1], begin + 1)?;
        reach("ledger::private_wipe::after_wipe")?;
    }
    Ok(())
}
