//! Beginning a ledger from a snapshot instead of block 0.
//!
//! The ledger is made in a folder whose name is no channel id, and gets its own name when all of
//! it is on disk. What a crash leaves of it is removed when the ledgers are opened again.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use super::format::{ADDITIONAL, SIGNABLE};
use super::{Error as SnapshotError, Snapshot, record_missing};
use crate::failpoint::reach;
use crate::{BlockStore, Config, Error, Ledger, Ledgers, View};

/// Folder of the snapshot in a ledger that began from one.
pub(crate) const BASE: &str = "snapshot";
/// File beside the copy with the hash of its additional metadata.
const SEAL: &str = "seal";
/// End of the name of a ledger in the making.
const UNFINISHED: &str = "_joining";

/// What only the caller can decide about a ledger that begins from a snapshot.
pub struct Joining<'a> {
    /// Refuses a state that this node cannot go on with, with the reason.
    pub accept: &'a dyn Fn(&View) -> Result<(), String>,
    /// Whether this node should have the private data of a collection, named by namespace and
    /// collection. What it should have counts as missing.
    pub is_member: &'a dyn Fn(&View, &str, &str) -> Result<bool, String>,
}

impl std::fmt::Debug for Joining<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Joining").finish_non_exhaustive()
    }
}

impl Ledgers {
    /// Creates the ledger of the channel in a snapshot, which is trusted as far as its hashes go.
    /// The snapshot is copied: the ledger can always be rebuilt from the copy and its own blocks.
    /// A failure leaves nothing behind.
    pub fn create_from_snapshot(
        &self,
        dir: impl AsRef<Path>,
        with: &Joining<'_>,
    ) -> Result<Arc<Ledger>, Error> {
        let snapshot = Snapshot::open(dir, &self.config().snapshots)?;
        let id = snapshot.metadata().channel_name.clone();
        let _making = self.begin(&id)?;
        let (place, target) = (self.dir().join(format!("{id}{UNFINISHED}")), self.dir().join(&id));
        make_room(&target, &id, self.config())?;
        remove(&place)?;
        let made = make(&snapshot, &place, &id, self.config(), with)
            .and_then(|()| finish(&place, &target));
        if let Err(error) = made {
            if let Err(left) = remove(&place) {
                tracing::warn!(channel = id, error = %left, "remove an unfinished ledger");
            }
            return Err(error);
        }
        let ledger = Arc::new(Ledger::open(target, &id, self.config().clone())?);
        self.insert(&id, &ledger);
        Ok(ledger)
    }
}

/// Makes the ledger in `place` and closes it.
fn make(
    snapshot: &Snapshot,
    place: &Path,
    id: &str,
    config: &Config,
    with: &Joining<'_>,
) -> Result<(), Error> {
    copy(snapshot, &place.join(BASE))?;
    // Opening it imports the copy, which compares every file with its hash.
    let ledger = Ledger::open(place, id, config.clone()).map_err(|error| match error {
        // The copy is as good as what was copied.
        Error::Base { source, .. } => Error::Snapshot(source),
        error => error,
    })?;
    let view = ledger.view()?;
    (with.accept)(&view).map_err(Error::Refused)?;
    let mut is_member = |namespace: &str, collection: &str| {
        (with.is_member)(&view, namespace, collection).map_err(Error::Refused)
    };
    if let Some(base) = &ledger.base {
        record_missing(base, &ledger.private, &mut is_member)?;
    }
    ledger.blocks.flush()?;
    Ok(ledger.state.flush()?)
}

/// Copies the files of a snapshot.
fn copy(snapshot: &Snapshot, to: &Path) -> Result<(), SnapshotError> {
    fs::create_dir_all(to).map_err(SnapshotError::io("create", to))?;
    let data = snapshot.metadata().snapshot_files_raw_hashes.keys().map(String::as_str);
    for name in data.chain([SIGNABLE, ADDITIONAL]) {
        let (from, to) = (snapshot.dir().join(name), to.join(name));
        reach("ledger::join::before_copy").map_err(SnapshotError::io("copy", &from))?;
        fs::copy(&from, &to).map_err(SnapshotError::io("copy", &from))?;
        let file = File::open(&to).map_err(SnapshotError::io("open", &to))?;
        file.sync_all().map_err(SnapshotError::io("sync", &to))?;
    }
    seal(to)?;
    sync(to)
}

/// Writes down the hash of the one file whose hash no other file names.
fn seal(dir: &Path) -> Result<(), SnapshotError> {
    let (file, seal) = (dir.join(ADDITIONAL), dir.join(SEAL));
    let bytes = fs::read(&file).map_err(SnapshotError::io("read", &file))?;
    let hash = hex::encode(proto::sha256(&bytes));
    fs::write(&seal, hash).map_err(SnapshotError::io("write", &seal))?;
    let file = File::open(&seal).map_err(SnapshotError::io("open", &seal))?;
    file.sync_all().map_err(SnapshotError::io("sync", &seal))
}

/// Gives a complete ledger its name.
fn finish(place: &Path, target: &Path) -> Result<(), Error> {
    sync(place)?;
    reach("ledger::join::before_rename").map_err(SnapshotError::io("rename", place))?;
    fs::rename(place, target).map_err(SnapshotError::io("rename", place))?;
    reach("ledger::join::after_rename").map_err(SnapshotError::io("rename", place))?;
    Ok(sync(target.parent().unwrap_or(target))?)
}

fn sync(dir: &Path) -> Result<(), SnapshotError> {
    let folder = File::open(dir).map_err(SnapshotError::io("open", dir))?;
    folder.sync_all().map_err(SnapshotError::io("sync", dir))
}

/// Removes what an interrupted creation left under the channel's name: a ledger without blocks.
fn make_room(target: &Path, id: &str, config: &Config) -> Result<(), Error> {
    if !target.exists() {
        return Ok(());
    }
    let holds = target.join(BASE).exists()
        || BlockStore::open(target.join("blocks"), config.blocks.clone())?.height() > 0;
    if holds {
        return Err(Error::Exists(id.to_owned()));
    }
    Ok(remove(target)?)
}

fn remove(dir: &Path) -> Result<(), SnapshotError> {
    if !dir.exists() {
        return Ok(());
    }
    fs::remove_dir_all(dir).map_err(SnapshotError::io("remove", dir))
}

/// The snapshot that the ledger in `dir` began from, if it did. The data files are compared with
/// their hashes when they are read.
pub(crate) fn base(dir: &Path, config: &Config) -> Result<Option<Arc<Snapshot>>, Error> {
    let dir = dir.join(BASE);
    if !dir.exists() {
        return Ok(None);
    }
    let (path, seal) = (dir.join(ADDITIONAL), dir.join(SEAL));
    let expected = fs::read(&seal).map_err(SnapshotError::io("read", &seal))?;
    let bytes = fs::read(&path).map_err(SnapshotError::io("read", &path))?;
    let found = hex::encode(proto::sha256(&bytes));
    if expected != found.as_bytes() {
        let expected = String::from_utf8_lossy(&expected).into_owned();
        return Err(SnapshotError::Hash { path, expected, found }.into());
    }
    Ok(Some(Arc::new(Snapshot::open(dir, &config.snapshots)?)))
}

/// Removes `entry` of the folder of all ledgers if it is a ledger whose creation was interrupted.
pub(crate) fn remove_unfinished(entry: &Path) -> Result<bool, Error> {
    let name = entry.file_name().and_then(|name| name.to_str());
    if !name.is_some_and(|name| name.ends_with(UNFINISHED)) {
        return Ok(false);
    }
    tracing::warn!(dir = %entry.display(), "remove a ledger whose creation was interrupted");
    remove(entry)?;
    Ok(true)
}
