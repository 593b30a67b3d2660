//! The note that a channel is not to be started.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::mark;
use crate::Error;

#[derive(Serialize, Deserialize)]
struct Paused {
    height: u64,
}

fn path(dir: &Path) -> PathBuf {
    dir.join("paused.json")
}

/// The height at which the channel was paused, if it is.
pub(crate) fn paused(dir: &Path) -> Result<Option<u64>, Error> {
    Ok(mark::read::<Paused>(&path(dir))?.map(|paused| paused.height))
}

/// Leaves the note.
pub(crate) fn pause(dir: &Path, height: u64) -> Result<(), Error> {
    mark::write(&path(dir), &mark::encode(&Paused { height })?)
}

/// Removes the note.
pub(crate) fn resume(dir: &Path) -> Result<(), Error> {
    mark::remove(&path(dir))
}
