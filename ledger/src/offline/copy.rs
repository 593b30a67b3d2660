//! Copies of databases that must not be touched.

use std::fs::{self, File, TryLockError};
use std::path::Path;

use super::{Derived, Opened};
use crate::block_store::Index;
use crate::database::{self, Database};
use crate::history::History;
use crate::{Error, state};

/// Memory for pages of each copy, in bytes.
const CACHE_BYTES: u64 = 64 << 20;
/// The file by whose lock a process claims a database.
const LOCKED: &str = "db";

/// Copies state and indexes of the ledger in `dir`, and opens the copy.
pub(super) fn derived(dir: &Path, scratch: &Path) -> Result<Opened, Error> {
    let (state, blocks) = (dir.join("index"), dir.join("blocks").join("index"));
    // Both are locked before either is copied, so that they belong together.
    let mut locks = Vec::new();
    for database in [&state, &blocks] {
        match lock(&database.join(LOCKED))? {
            Lock::Held(file) => locks.push(file),
            Lock::Refused => return Ok(Opened::InUse),
            Lock::NoDatabase => return Ok(Opened::Absent),
        }
    }
    let (state_copy, blocks_copy) = (scratch.join("state"), scratch.join("blocks"));
    copy(&state, &state_copy)?;
    copy(&blocks, &blocks_copy)?;
    drop(locks);
    let failed = |name| move |source| Error::Database { name, source };
    let db = Database::examine(&state_copy, CACHE_BYTES, database::LEDGER);
    let db = db.map_err(failed("state"))?;
    let derived = Derived::new(
        state::on_sled(&db, &state::Config { view_lag_blocks_max: 1, ..Default::default() })?,
        Some(History::open(&db).map_err(failed("history"))?),
        Index::examine(&blocks_copy, CACHE_BYTES).map_err(failed("block"))?,
    );
    Ok(Opened::Copy(Box::new(derived)))
}

enum Lock {
    /// As long as the file is open.
    Held(File),
    Refused,
    NoDatabase,
}

fn lock(path: &Path) -> Result<Lock, Error> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Lock::NoDatabase),
        Err(source) => return Err(failed("open", path)(source)),
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(Lock::Held(file)),
        Err(TryLockError::WouldBlock) => Ok(Lock::Refused),
        Err(TryLockError::Error(source)) => Err(failed("lock", path)(source)),
    }
}

/// Copies a folder with everything below it.
fn copy(from: &Path, to: &Path) -> Result<(), Error> {
    fs::create_dir_all(to).map_err(failed("create", to))?;
    for entry in fs::read_dir(from).map_err(failed("list", from))? {
        let entry = entry.map_err(failed("list", from))?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type().map_err(failed("inspect", &source))?.is_dir() {
            copy(&source, &target)?;
        } else {
            fs::copy(&source, &target).map_err(failed("copy", &source))?;
        }
    }
    Ok(())
}

fn failed<'a>(action: &'static str, path: &'a Path) -> impl Fn(std::io::Error) -> Error + 'a {
    move |source| Error::Io { action, path: path.to_owned(), source }
}
