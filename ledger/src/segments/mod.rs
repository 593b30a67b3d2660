//! Append-only files of checked records: where blocks and private data are held.
//!
//! A log is a folder of segments of bounded size. A record carries its length, a number, a
//! checksum of its payload and one of its header. An append writes all its records with one
//! write and one fsync, so an interrupted append is a damaged tail and nothing else. On open a
//! damaged tail is cut off; damage anywhere before it is refused, because what follows it was
//! acknowledged. What the payload means is the caller's business.

mod cut;
mod kind;
mod log;
mod record;
mod scan;
mod walk;

use std::path::{Path, PathBuf};

pub(crate) use cut::cut;
pub(crate) use kind::{BLOCKS, Kind, PRIVATE};
pub(crate) use log::{Log, read, read_wipeable, wipe};
pub use walk::Torn;
pub(crate) use walk::{Walk, Walked};

/// Why a log cannot be opened, read or extended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused.
    #[error("{action} {}", path.display())]
    Io {
        /// What was attempted.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Its answer.
        #[source]
        source: std::io::Error,
    },
    /// Bytes on disk are not those that were written.
    #[error(
        "{} is damaged at offset {offset}: {reason}; stop the node and restore this file from a \
         backup, or remove the channel's folder and join the channel again",
        file.display()
    )]
    Corrupt {
        /// The segment.
        file: PathBuf,
        /// Where the damaged record begins.
        offset: u64,
        /// What is wrong.
        reason: &'static str,
    },
    /// An earlier write failed; what is on disk is not known any more.
    #[error("{} refuses writes after an earlier failure; restart the node", dir.display())]
    Failed {
        /// The log.
        dir: PathBuf,
    },
    /// A record is longer than the format allows.
    #[error("a record of {0} bytes is too long")]
    TooLong(usize),
}

impl Error {
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}

/// Where a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Location {
    /// Ordinal of the segment.
    pub(crate) segment: u64,
    /// Where its header begins.
    pub(crate) offset: u64,
    /// Length of its payload.
    pub(crate) length: u32,
}

impl Location {
    /// Bytes of the encoded form.
    pub(crate) const BYTES: usize = 20;

    pub(crate) fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut out = [0; Self::BYTES];
        out[..8].copy_from_slice(&self.segment.to_be_bytes());
        out[8..16].copy_from_slice(&self.offset.to_be_bytes());
        out[16..].copy_from_slice(&self.length.to_be_bytes());
        out
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (segment, rest) = bytes.split_first_chunk::<8>()?;
        let (offset, rest) = rest.split_first_chunk::<8>()?;
        let length: &[u8; 4] = rest.try_into().ok()?;
        Some(Self {
            segment: u64::from_be_bytes(*segment),
            offset: u64::from_be_bytes(*offset),
            length: u32::from_be_bytes(*length),
        })
    }

    /// Where the next record begins.
    pub(crate) fn end(self) -> u64 {
        self.offset + record::HEADER as u64 + u64::from(self.length)
    }
}

/// The file of a segment.
pub(crate) fn path(dir: &Path, segment: u64) -> PathBuf {
    dir.join(format!("{segment:010}.segment"))
}

#[cfg(test)]
mod tests;
