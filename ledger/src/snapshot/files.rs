//! Writing and reading data files: numbers are varints, and texts, bytes and messages stand behind
//! their length. Both ends hash the file as it passes.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use prost::encoding::encode_varint;
use sha2::{Digest, Sha256};

use super::Error;
use super::format::FORMAT;
use crate::failpoint;

/// A data file being written.
pub(super) struct Writer<'a> {
    path: PathBuf,
    name: String,
    file: BufWriter<File>,
    hash: Sha256,
    hashes: &'a mut BTreeMap<String, String>,
}

impl<'a> Writer<'a> {
    /// Creates the file; its hash goes to `hashes` once it is complete.
    pub(super) fn create(
        dir: &Path,
        name: &str,
        hashes: &'a mut BTreeMap<String, String>,
    ) -> Result<Self, Error> {
        let path = dir.join(name);
        let created = failpoint::reach("ledger::snapshot::before_create");
        let file =
            created.and_then(|()| File::create(&path)).map_err(Error::io("create", &path))?;
        let (name, file) = (name.to_owned(), BufWriter::new(file));
        let mut this = Self { path, name, file, hash: Sha256::new(), hashes };
        this.write(&[FORMAT])?;
        Ok(this)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.hash.update(bytes);
        self.file.write_all(bytes).map_err(Error::io("write", &self.path))
    }

    pub(super) fn number(&mut self, number: u64) -> Result<(), Error> {
        let mut out = Vec::with_capacity(10);
        encode_varint(number, &mut out);
        self.write(&out)
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.number(bytes.len() as u64)?;
        self.write(bytes)
    }

    /// Completes the file; it is on disk then.
    pub(super) fn finish(mut self) -> Result<(), Error> {
        let reached = failpoint::reach("ledger::snapshot::before_sync");
        reached.and_then(|()| self.file.flush()).map_err(Error::io("write", &self.path))?;
        self.file.get_ref().sync_all().map_err(Error::io("sync", &self.path))?;
        self.hashes.insert(self.name, hex::encode(self.hash.finalize()));
        Ok(())
    }
}

/// A data file being read. Nothing it says is believed: lengths are bounded by what is left of the
/// file, and at the end the hash must be the one expected.
pub(super) struct Reader {
    path: PathBuf,
    file: BufReader<File>,
    hash: Sha256,
    expected: String,
    length: u64,
    offset: u64,
    record_bytes_max: u64,
}

impl Reader {
    pub(super) fn open(
        dir: &Path,
        name: &str,
        expected: &str,
        record_bytes_max: u64,
    ) -> Result<Self, Error> {
        let path = dir.join(name);
        let file = File::open(&path).map_err(Error::io("open", &path))?;
        let length = file.metadata().map_err(Error::io("inspect", &path))?.len();
        let (file, expected) = (BufReader::with_capacity(1 << 16, file), expected.to_owned());
        let (hash, offset) = (Sha256::new(), 0);
        let mut this = Self { path, file, hash, expected, length, offset, record_bytes_max };
        match this.byte()? {
            FORMAT => Ok(this),
            _ => Err(this.wrong(0, "this version of the format is not known")),
        }
    }

    /// How far the file has been read.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// An error at `offset`.
    pub(super) fn wrong(&self, offset: u64, reason: &'static str) -> Error {
        Error::Content { path: self.path.clone(), offset, reason }
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        match self.file.read_exact(bytes) {
            Ok(()) => {
                self.hash.update(&*bytes);
                self.offset += bytes.len() as u64;
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Err(self.wrong(self.offset, "the file ends too early"))
            }
            Err(error) => Err(Error::io("read", &self.path)(error)),
        }
    }

    fn byte(&mut self) -> Result<u8, Error> {
        let mut byte = [0];
        self.fill(&mut byte)?;
        Ok(byte[0])
    }

    pub(super) fn number(&mut self) -> Result<u64, Error> {
        let begin = self.offset;
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let digit = u64::from(byte & 0x7f);
            if shift == 63 && digit > 1 {
                break;
            }
            number |= digit << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(self.wrong(begin, "a number is too long"))
    }

    pub(super) fn bytes(&mut self) -> Result<Bytes, Error> {
        let begin = self.offset;
        let length = self.number()?;
        if length > self.length.saturating_sub(self.offset) {
            return Err(self.wrong(begin, "a record is longer than the file"));
        }
        if length > self.record_bytes_max {
            return Err(self.wrong(begin, "a record is longer than the configuration allows"));
        }
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
        self.fill(&mut bytes)?;
        Ok(bytes.into())
    }

    pub(super) fn text(&mut self) -> Result<String, Error> {
        let begin = self.offset;
        let bytes = self.bytes()?;
        String::from_utf8(bytes.into()).map_err(|_| self.wrong(begin, "a name is not text"))
    }

    /// Checks that the file ends here and was the expected one.
    pub(super) fn finish(mut self) -> Result<(), Error> {
        let left = self.file.read(&mut [0]).map_err(Error::io("read", &self.path))?;
        if left > 0 {
            return Err(self.wrong(self.offset, "something follows the last record"));
        }
        let found = hex::encode(self.hash.finalize());
        if found != self.expected {
            return Err(Error::Hash { path: self.path, expected: self.expected, found });
        }
        Ok(())
    }
}
