//! The height a chain had before it was cut back.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use super::mark;
use crate::Error;

/// The height to be reached again before the state is as new as it once was.
#[derive(Debug)]
pub(crate) struct Regain {
    file: PathBuf,
    /// 0 if there is nothing to regain.
    height: AtomicU64,
}

#[derive(Serialize, Deserialize)]
struct Noted {
    height: u64,
}

impl Regain {
    /// Notes the height of a chain that is about to be cut; the highest counts.
    pub(super) fn note(dir: &Path, height: u64) -> Result<(), Error> {
        let file = path(dir);
        let before = mark::read::<Noted>(&file)?.map_or(0, |noted| noted.height);
        mark::write(&file, &mark::encode(&Noted { height: height.max(before) })?)
    }

    /// What is noted of the ledger in `dir`, which has `height`.
    pub(crate) fn load(dir: &Path, height: u64) -> Result<Self, Error> {
        let file = path(dir);
        let noted = mark::read::<Noted>(&file)?.map_or(0, |noted| noted.height);
        let regain = Self { file, height: AtomicU64::new(noted) };
        regain.reached(height);
        Ok(regain)
    }

    /// The height to be regained.
    pub(crate) fn height(&self) -> Option<u64> {
        Some(self.height.load(Ordering::Acquire)).filter(|height| *height > 0)
    }

    /// Takes note that the chain has `height` now.
    pub(crate) fn reached(&self, height: u64) {
        if self.height().is_some_and(|wanted| wanted <= height) {
            self.height.store(0, Ordering::Release);
            if let Err(error) = mark::remove(&self.file) {
                // The next opening removes it.
                tracing::warn!(%error, "the note of a former height stays");
            }
        }
    }
}

fn path(dir: &Path) -> PathBuf {
    dir.join("regain.json")
}
