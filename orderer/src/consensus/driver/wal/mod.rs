//! The write-ahead log: one file of checksummed frames, replaced as a whole by a compaction.
//!
//! A frame holds what was written together and made durable by one `fdatasync`. Only the last frame
//! can be torn by a crash, and what it held was never promised to anybody: it is cut off at start.
//! Damage anywhere else, or damage that no crash explains, is reported and never repaired silently.
//!
//! ```text
//! frame   = length u32 · checksum u32 · records      (little endian; CRC-32 of the records)
//! records = { length u32 · bytes }
//! ```

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use bytes::{Buf, Bytes};
use ledger::failpoint::reach;

const HEADER: usize = 8;
/// What disks write all or nothing.
const SECTOR: usize = 512;

/// Why the log cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The operating system failed us; the log is unusable from here on.
    #[error("{action} write-ahead log {}", path.display())]
    Io {
        /// What was attempted.
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// The file is damaged in a way no crash explains.
    #[error(
        "write-ahead log {} is damaged at byte {offset}: restore it, or remove the channel from \
         this node and join it again",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where the damaged frame begins.
        offset: usize,
    },
}

/// An open write-ahead log.
#[derive(Debug)]
pub(crate) struct Wal {
    directory: PathBuf,
    path: PathBuf,
    file: File,
    number: u64,
}

impl Wal {
    /// Opens the log in `directory`, creating both, and returns its records.
    pub(crate) fn open(directory: &Path) -> Result<(Self, Vec<Bytes>), Error> {
        let fail = |action| failed(action, directory);
        fs::create_dir_all(directory).map_err(fail("create"))?;
        let number = newest(directory).map_err(fail("list"))?;
        let path = name(directory, number);
        let bytes = match fs::read(&path) {
            Ok(bytes) => Bytes::from(bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Bytes::new(),
            Err(error) => return Err(failed("read", &path)(error)),
        };
        let scan = scan(&bytes);
        if scan.damaged {
            return Err(Error::Damaged { path, offset: scan.valid });
        }
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .map_err(failed("open", &path))?;
        if scan.valid < bytes.len() {
            tracing::warn!(path = %path.display(), offset = scan.valid, "cutting off a torn write");
            file.set_len(scan.valid as u64).map_err(failed("repair", &path))?;
        }
        file.sync_all().map_err(failed("sync", &path))?;
        sync_directory(directory).map_err(fail("sync"))?;
        Ok((Self { directory: directory.to_owned(), path, file, number }, scan.records))
    }

    /// Appends records; they are durable when this returns. After an error the log must not be
    /// used any more: what is on disk is unknown.
    pub(crate) fn append(&mut self, records: &[Bytes]) -> Result<(), Error> {
        let mut bytes = Vec::new();
        frame(records, &mut bytes);
        reach("orderer::wal::before_write").map_err(failed("append to", &self.path))?;
        self.file.write_all(&bytes).map_err(failed("append to", &self.path))?;
        reach("orderer::wal::before_sync").map_err(failed("sync", &self.path))?;
        self.file.sync_data().map_err(failed("sync", &self.path))
    }

    /// Replaces all records by one, at once or not at all.
    pub(crate) fn replace(&mut self, record: Bytes) -> Result<(), Error> {
        let path = name(&self.directory, self.number + 1);
        let draft = path.with_extension("draft");
        let mut bytes = Vec::new();
        frame(&[record], &mut bytes);
        let write = || -> io::Result<File> {
            let mut file =
                OpenOptions::new().create(true).write(true).truncate(true).open(&draft)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            reach("orderer::wal::before_rename")?;
            fs::rename(&draft, &path)?;
            sync_directory(&self.directory)?;
            OpenOptions::new().append(true).open(&path)
        };
        self.file = write().map_err(failed("replace", &path))?;
        let old = std::mem::replace(&mut self.path, path);
        self.number += 1;
        // A file left behind is removed at the next start.
        if let Err(error) = fs::remove_file(&old) {
            tracing::warn!(path = %old.display(), %error, "old write-ahead log stays behind");
        }
        Ok(())
    }
}

/// Appends one frame with `records` to `out`.
pub(crate) fn frame(records: &[Bytes], out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&[0; HEADER]);
    for record in records {
        out.extend_from_slice(&(record.len() as u32).to_le_bytes());
        out.extend_from_slice(record);
    }
    let body = out.get(start + HEADER..).unwrap_or_default();
    let (length, checksum) = (body.len() as u32, crc32fast::hash(body));
    if let Some(header) = out.get_mut(start..start + HEADER) {
        header[..4].copy_from_slice(&length.to_le_bytes());
        header[4..].copy_from_slice(&checksum.to_le_bytes());
    }
}

/// What a file holds.
#[derive(Debug)]
pub(crate) struct Scan {
    pub(crate) records: Vec<Bytes>,
    /// Where the intact frames end.
    pub(crate) valid: usize,
    /// What follows is not a torn write.
    pub(crate) damaged: bool,
}

/// Reads all intact frames.
pub(crate) fn scan(bytes: &Bytes) -> Scan {
    let mut records = Vec::new();
    let mut valid = 0;
    while valid < bytes.len() {
        let rest = bytes.slice(valid..);
        match read_frame(&rest) {
            Some((body, used)) if split(body.clone(), &mut records) => {
                debug_assert_eq!(body.len() + HEADER, used);
                valid += used;
            }
            _ => return Scan { records, valid, damaged: !is_torn(bytes, valid) },
        }
    }
    Scan { records, valid, damaged: false }
}

/// The first frame's body and the bytes it takes, if it is intact.
fn read_frame(bytes: &Bytes) -> Option<(Bytes, usize)> {
    let (length, checksum) = read_header(bytes)?;
    let end = HEADER.checked_add(length)?;
    if length == 0 || bytes.len() < end {
        return None;
    }
    let body = bytes.slice(HEADER..end);
    (crc32fast::hash(&body) == checksum).then_some((body, end))
}

fn read_header(bytes: &[u8]) -> Option<(usize, u32)> {
    let mut header = bytes.get(..HEADER)?;
    Some((header.get_u32_le() as usize, header.get_u32_le()))
}

/// Appends the records of a frame; false, and nothing appended, if they do not fill it exactly.
fn split(mut body: Bytes, records: &mut Vec<Bytes>) -> bool {
    let before = records.len();
    while body.remaining() >= 4 {
        let length = body.get_u32_le() as usize;
        if body.len() < length {
            break;
        }
        records.push(body.split_to(length));
        if body.is_empty() {
            return true;
        }
    }
    records.truncate(before);
    false
}

/// Whether a crash explains the broken frame at `start`: the file ends inside it, or a sector of it
/// was never written.
fn is_torn(bytes: &[u8], start: usize) -> bool {
    let rest = bytes.get(start..).unwrap_or_default();
    let Some((length, _)) = read_header(rest) else { return true };
    let end = start.saturating_add(HEADER).saturating_add(length);
    if end > bytes.len() || rest.iter().all(|byte| *byte == 0) {
        return true;
    }
    if end < bytes.len() {
        return false;
    }
    let mut from = start;
    while from < end {
        let until = ((from / SECTOR + 1) * SECTOR).min(end);
        if bytes.get(from..until).is_some_and(|sector| sector.iter().all(|byte| *byte == 0)) {
            return true;
        }
        from = until;
    }
    false
}

fn name(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("wal-{number:020}"))
}

/// The number of the newest log; removes older ones and drafts.
fn newest(directory: &Path) -> io::Result<u64> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let file = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        match file.strip_prefix("wal-").map(str::parse::<u64>) {
            Some(Ok(number)) => numbers.push(number),
            Some(Err(_)) if file.ends_with(".draft") => fs::remove_file(&path)?,
            _ => {}
        }
    }
    let newest = numbers.iter().copied().max().unwrap_or(0);
    for old in numbers.into_iter().filter(|number| *number < newest) {
        fs::remove_file(name(directory, old))?;
    }
    Ok(newest)
}

fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

fn failed(action: &'static str, path: &Path) -> impl Fn(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Io { action, path: path.clone(), source }
}

#[cfg(test)]
mod tests;
