//! Reading a log that stays as it is: for those who examine the files of a node, stopped or not.

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::record::{self, FILE_HEADER, Found, Header};
use super::scan;
use super::{Error, Kind, Location, path};

/// The rest of an append that was interrupted, or that is going on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Torn {
    /// The file.
    pub file: PathBuf,
    /// Where the rest begins.
    pub offset: u64,
    /// How long it is.
    pub bytes: u64,
}

/// One record. The payload is missing if it was overwritten on purpose.
#[derive(Debug, Clone)]
pub(crate) struct Walked {
    pub(crate) number: u64,
    pub(crate) location: Location,
    pub(crate) payload: Option<Bytes>,
}

/// The records of a log in their order. Ends at the first error.
#[derive(Debug)]
pub(crate) struct Walk {
    dir: PathBuf,
    kind: &'static Kind,
    ordinals: VecDeque<u64>,
    current: Option<Current>,
    torn: Option<Torn>,
}

/// The segment that is read.
#[derive(Debug)]
struct Current {
    ordinal: u64,
    bytes: Bytes,
    offset: usize,
}

impl Walk {
    /// The records of the log in `dir`.
    pub(crate) fn new(dir: &Path, kind: &'static Kind) -> Result<Self, Error> {
        let ordinals = scan::segments(dir)?.into();
        Ok(Self { dir: dir.to_owned(), kind, ordinals, current: None, torn: None })
    }

    /// What was found behind the last record, once that has been read.
    pub(crate) fn torn(&self) -> Option<&Torn> {
        self.torn.as_ref()
    }

    fn step(&mut self) -> Result<Option<Walked>, Error> {
        loop {
            let Some(current) = &mut self.current else {
                let Some(ordinal) = self.ordinals.pop_front() else { return Ok(None) };
                self.current = self.open(ordinal)?;
                continue;
            };
            let at = |header: Header| Location {
                segment: current.ordinal,
                offset: current.offset as u64,
                length: header.length,
            };
            let (header, payload) = match record::at(&current.bytes, current.offset) {
                Found::Record(found) => (found.header, Some(found.payload)),
                Found::Wiped(header, _) if self.kind.wipeable => (header, None),
                Found::End => {
                    self.current = None;
                    continue;
                }
                Found::Wiped(..) => return self.damaged("a record has a wrong checksum"),
                Found::Damaged(reason) => return self.damaged(reason),
            };
            let location = at(header);
            current.offset = usize::try_from(location.end()).unwrap_or(usize::MAX);
            return Ok(Some(Walked { number: header.number, location, payload }));
        }
    }

    fn open(&mut self, ordinal: u64) -> Result<Option<Current>, Error> {
        let file = path(&self.dir, ordinal);
        let bytes = Bytes::from(fs::read(&file).map_err(Error::io("read", &file))?);
        if bytes.get(..FILE_HEADER.len()) == Some(&FILE_HEADER) {
            return Ok(Some(Current { ordinal, bytes, offset: FILE_HEADER.len() }));
        }
        if self.ordinals.is_empty() && bytes.len() <= FILE_HEADER.len() {
            self.torn = Some(Torn { file, offset: 0, bytes: bytes.len() as u64 });
            return Ok(None);
        }
        Err(Error::Corrupt { file, offset: 0, reason: "not a segment" })
    }

    /// A damaged record is the end of the log if it can come from one interrupted append.
    fn damaged(&mut self, reason: &'static str) -> Result<Option<Walked>, Error> {
        let Some(Current { ordinal, bytes, offset }) = self.current.take() else {
            return Ok(None);
        };
        let (file, at) = (path(&self.dir, ordinal), offset as u64);
        if self.ordinals.is_empty() && scan::is_torn(&bytes, offset) {
            let length = bytes.len().saturating_sub(offset) as u64;
            self.torn = Some(Torn { file, offset: at, bytes: length });
            return Ok(None);
        }
        Err(Error::Corrupt { file, offset: at, reason })
    }
}

impl Iterator for Walk {
    type Item = Result<Walked, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let step = self.step();
        if step.is_err() {
            self.current = None;
            self.ordinals.clear();
        }
        step.transpose()
    }
}
