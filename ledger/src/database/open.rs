//! Opening a database.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::{DAMAGED, DatabaseError, Shared, Spec, Tree};
use crate::failpoint;

/// How long to wait for the lock of a database. A handle dropped in this process gives it back
/// from a thread of sled, a little later; and a process that is being started by another thread
/// holds a copy of all open files until it runs its program.
const LOCK_WAIT: Duration = Duration::from_secs(5);

/// A database with its trees.
#[derive(Debug)]
pub(crate) struct Database {
    trees: Vec<(&'static str, Tree)>,
}

impl Database {
    /// Opens or creates a database. One that is damaged is removed and created empty: its owner
    /// rebuilds the content. Other failures, such as a lock held by another process or a full
    /// disk, are errors.
    pub(crate) fn open(
        dir: &Path,
        cache_bytes: u64,
        specs: &'static [Spec],
    ) -> Result<Self, DatabaseError> {
        let failed = |source: std::io::Error| DatabaseError::Failed {
            action: "remove",
            dir: dir.to_owned(),
            source: source.into(),
        };
        remove_if_there(&removed(dir)).map_err(failed)?;
        if Self::is_damaged(dir) {
            tracing::warn!(dir = %dir.display(), "the database was found damaged and is rebuilt");
            discard(dir).map_err(failed)?;
        }
        match Self::try_open(dir, cache_bytes, specs) {
            Err(DatabaseError::Damaged { reason, .. }) => {
                tracing::warn!(dir = %dir.display(), reason, "the database is damaged and is rebuilt");
                discard(dir).map_err(failed)?;
                Self::try_open(dir, cache_bytes, specs)
            }
            opened => opened,
        }
    }

    /// Whether the database in `dir` was found damaged and is begun again by opening it.
    pub(crate) fn is_damaged(dir: &Path) -> bool {
        dir.join(DAMAGED).exists()
    }

    /// Opens a database as it is, for one who wants to know: damage is an error, also damage that
    /// was noticed before.
    pub(crate) fn examine(
        dir: &Path,
        cache_bytes: u64,
        specs: &'static [Spec],
    ) -> Result<Self, DatabaseError> {
        if Self::is_damaged(dir) {
            let reason = "it was found damaged before".to_owned();
            return Err(DatabaseError::Damaged { dir: dir.to_owned(), reason });
        }
        Self::try_open(dir, cache_bytes, specs)
    }

    fn try_open(
        dir: &Path,
        cache_bytes: u64,
        specs: &'static [Spec],
    ) -> Result<Self, DatabaseError> {
        let shared = Arc::new(Shared {
            dir: dir.to_owned(),
            damaged: false.into(),
            batches: specs.iter().map(|_| AtomicU64::new(0)).collect(),
        });
        let config = sled::Config::new().path(dir).cache_capacity(cache_bytes);
        let begun = Instant::now();
        let mut opened = shared.call("open", || config.open());
        while opened.as_ref().is_err_and(is_locked) && begun.elapsed() < LOCK_WAIT {
            std::thread::sleep(Duration::from_millis(20));
            opened = shared.call("open", || config.open());
        }
        let db = opened?;
        let mut trees = Vec::with_capacity(specs.len());
        for (ordinal, spec) in specs.iter().enumerate() {
            trees.push((spec.name, Tree::open(&db, spec, ordinal, &shared)?));
        }
        compare(&trees, &shared)?;
        let millis = begun.elapsed().as_millis();
        tracing::debug!(dir = %dir.display(), millis, "database opened and checked");
        Ok(Self { trees })
    }

    /// A tree that was named when the database was opened.
    pub(crate) fn tree(&self, spec: &Spec) -> Result<Tree, DatabaseError> {
        let found = self.trees.iter().find(|(name, _)| *name == spec.name);
        let unknown = || DatabaseError::Failed {
            action: "find a tree in",
            dir: PathBuf::from(spec.name),
            source: sled::Error::CollectionNotFound(spec.name.into()),
        };
        found.map(|(_, tree)| tree.clone()).ok_or_else(unknown)
    }
}

/// Checks that no tree is older than another one says, and lets all go on counting.
fn compare(trees: &[(&'static str, Tree)], shared: &Shared) -> Result<(), DatabaseError> {
    let known: Vec<Vec<u64>> = trees.iter().map(|(_, tree)| tree.batches()).collect();
    for (ordinal, (name, _)) in trees.iter().enumerate() {
        let of = |batches: &Vec<u64>| batches.get(ordinal).copied().unwrap_or_default();
        let own = known.get(ordinal).map(of).unwrap_or_default();
        if known.iter().map(of).any(|seen| seen > own) {
            return Err(shared.damaged(format!("tree {name} is older than the others")));
        }
        if let Some(batches) = shared.batches.get(ordinal) {
            batches.store(own, Ordering::Release);
        }
    }
    Ok(())
}

/// Where a database goes to be removed.
fn removed(dir: &Path) -> PathBuf {
    let mut name = dir.file_name().unwrap_or_default().to_owned();
    name.push(".removed");
    dir.with_file_name(name)
}

/// Removes a database so that an interruption leaves all of it or nothing under its name.
fn discard(dir: &Path) -> std::io::Result<()> {
    let aside = removed(dir);
    failpoint::reach("ledger::repair::before_discard")?;
    fs::rename(dir, &aside)?;
    failpoint::reach("ledger::repair::after_discard")?;
    remove_if_there(&aside)
}

fn remove_if_there(dir: &Path) -> std::io::Result<()> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// sled has no error of its own for this.
fn is_locked(error: &DatabaseError) -> bool {
    let text = "could not acquire lock";
    matches!(error, DatabaseError::Failed { source: sled::Error::Io(error), .. }
        if error.to_string().contains(text))
}
