//! Taking blocks away from a chain that is closed.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use super::{Config, Error, recovery};
use crate::{Snapshot, segments};

/// The height of the chain in `dir`.
pub(crate) fn height(dir: &Path, base: Option<&Snapshot>, config: &Config) -> Result<u64, Error> {
    Ok(recovery::open(dir, base, config)?.height)
}

/// Removes the blocks from `keep` on, for good. Can be done again after an interruption.
pub(crate) fn cut(
    dir: &Path,
    base: Option<&Snapshot>,
    config: &Config,
    keep: u64,
) -> Result<(), Error> {
    let opened = recovery::open(dir, base, config)?;
    if opened.height <= keep {
        return Ok(());
    }
    let from = opened.index.location(keep)?;
    let from = from.ok_or_else(|| Error::DamagedIndex { dir: dir.join("index") })?;
    // Whatever happens now, the index is made anew.
    opened.index.clear()?;
    opened.index.flush()?;
    drop(opened);
    Ok(segments::cut(&dir.join("segments"), from)?)
}

/// Removes the index of the chain in `dir`; opening the chain makes it anew.
pub(crate) fn drop_index(dir: &Path) -> Result<(), Error> {
    let index = dir.join("index");
    match fs::remove_dir_all(&index) {
        Err(source) if source.kind() != ErrorKind::NotFound => {
            Err(segments::Error::io("remove", &index)(source).into())
        }
        _ => Ok(()),
    }
}
