//! Small files beside a ledger that are there as a whole or not at all.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::step;
use crate::Error;

/// What was begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Operation {
    /// Everything derived goes.
    Rebuild,
    /// The blocks behind `to` go, and everything derived.
    Rollback {
        /// The newest block that stays.
        to: u64,
    },
}

/// The mark of an operation that was begun.
#[derive(Debug)]
pub(super) struct Mark {
    file: PathBuf,
    operation: Operation,
}

impl Mark {
    /// Leaves the mark; from here on the operation is carried out, whatever happens.
    pub(super) fn begin(dir: &Path, operation: Operation) -> Result<(), Error> {
        step("admin::begin")?;
        write(&path(dir), &encode(&operation)?)?;
        step("admin::begun")
    }

    /// The mark that is there.
    pub(super) fn load(dir: &Path) -> Result<Option<Self>, Error> {
        let file = path(dir);
        let Some(operation) = read(&file)? else { return Ok(None) };
        Ok(Some(Self { file, operation }))
    }

    pub(super) fn operation(&self) -> Operation {
        self.operation
    }

    /// The operation is finished.
    pub(super) fn end(self) -> Result<(), Error> {
        remove(&self.file)
    }
}

fn path(dir: &Path) -> PathBuf {
    dir.join("operation.json")
}

pub(super) fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(value).map_err(|_| Error::DamagedIndex("mark"))
}

/// Reads a file, if it is there.
pub(super) fn read<T: for<'a> Deserialize<'a>>(file: &Path) -> Result<Option<T>, Error> {
    let bytes = match fs::read(file) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(failed("read", file)(source)),
    };
    let found = serde_json::from_slice(&bytes);
    found.map(Some).map_err(|error| failed("understand", file)(error.into()))
}

/// Writes a file and returns when it is on disk under its name.
pub(super) fn write(file: &Path, bytes: &[u8]) -> Result<(), Error> {
    let fresh = file.with_extension("new");
    let mut handle = File::create(&fresh).map_err(failed("create", &fresh))?;
    handle.write_all(bytes).map_err(failed("write", &fresh))?;
    handle.sync_all().map_err(failed("sync", &fresh))?;
    rename(&fresh, file)
}

/// Removes a file, if it is there, and returns when that is on disk.
pub(super) fn remove(file: &Path) -> Result<(), Error> {
    match fs::remove_file(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(source) => Err(failed("remove", file)(source)),
        Ok(()) => sync_parent(file),
    }
}

/// Gives a file or folder another name in the same folder, for good.
pub(super) fn rename(from: &Path, to: &Path) -> Result<(), Error> {
    fs::rename(from, to).map_err(failed("rename", from))?;
    sync_parent(to)
}

/// Makes what changed in the folder of `path` durable.
pub(super) fn sync_parent(path: &Path) -> Result<(), Error> {
    let Some(dir) = path.parent() else { return Ok(()) };
    let handle = File::open(dir).map_err(failed("open", dir))?;
    handle.sync_all().map_err(failed("sync", dir))
}

/// Removes a folder with all that is in it, if it is there.
pub(super) fn remove_folder(dir: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(source) => Err(failed("remove", dir)(source)),
        Ok(()) => sync_parent(dir),
    }
}

pub(super) fn failed<'a>(
    action: &'static str,
    path: &'a Path,
) -> impl Fn(std::io::Error) -> Error + 'a {
    move |source| Error::Io { action, path: path.to_owned(), source }
}
