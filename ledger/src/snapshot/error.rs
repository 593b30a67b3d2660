//! Why a snapshot cannot be used.

use std::path::{Path, PathBuf};

/// Why a snapshot cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder.
    #[error("{action} {}", path.display())]
    Io {
        /// What was attempted.
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
    /// A metadata file does not say what it must.
    #[error("{} is not the metadata of a snapshot: {reason}", path.display())]
    Metadata {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A file is not the one whose hash the metadata names.
    #[error("{} has the hash {found}, the metadata says {expected}", path.display())]
    Hash {
        /// The file.
        path: PathBuf,
        /// Hex of the hash named.
        expected: String,
        /// Hex of its hash.
        found: String,
    },
    /// A file does not have the format of its kind.
    #[error("{} is wrong at offset {offset}: {reason}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// Where.
        offset: u64,
        /// What is wrong.
        reason: &'static str,
    },
}

impl Error {
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }

    pub(super) fn metadata(path: &Path, reason: impl Into<String>) -> Self {
        Self::Metadata { path: path.to_owned(), reason: reason.into() }
    }
}
