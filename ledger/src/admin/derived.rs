//! Dropping what is derived from the blocks, but not what waits for blocks to come.
//!
//! State, history and the index of private data share a database with the private data of
//! endorsed transactions, which is nowhere else. That part is copied to a new database, which then
//! takes the place of the old one. A damaged database gives what it can.

use std::path::Path;

use super::mark::{remove_folder, rename};
use super::step;
use crate::database::{self, Database, DatabaseError, Spec};
use crate::{Config, Error};

/// The tree that stays.
const KEPT: &[Spec] = &[database::TRANSIENT];

/// Replaces the database of the ledger in `dir`. Can be done again after an interruption.
pub(super) fn drop_all(dir: &Path, config: &Config) -> Result<(), Error> {
    let [index, fresh, old] = ["index", "index.new", "index.old"].map(|name| dir.join(name));
    if !index.exists() && fresh.exists() {
        // Interrupted between the two names: the new one is complete.
        rename(&fresh, &index)?;
    }
    remove_folder(&old)?;
    remove_folder(&fresh)?;
    if !index.exists() {
        return Ok(());
    }
    match keep(&index, &fresh, config) {
        Err(DatabaseError::Damaged { .. }) => {
            tracing::warn!(dir = %dir.display(), "private data of endorsed transactions is lost");
            remove_folder(&fresh)?;
        }
        kept => kept.map_err(|source| Error::Database { name: "transient", source })?,
    }
    step("admin::copied")?;
    rename(&index, &old)?;
    step("admin::renamed")?;
    if fresh.exists() {
        rename(&fresh, &index)?;
    }
    remove_folder(&old)
}

/// Copies what stays. Opening a damaged database begins it again: then nothing does.
fn keep(from: &Path, to: &Path, config: &Config) -> Result<(), DatabaseError> {
    let open = |dir: &Path| Database::open(dir, config.state.cache_bytes, KEPT);
    let from = open(from)?.tree(&database::TRANSIENT)?;
    if from.is_empty() {
        return Ok(());
    }
    let to = open(to)?.tree(&database::TRANSIENT)?;
    for entry in from.iter() {
        let (key, value) = entry?;
        to.insert(key, value.to_vec())?;
    }
    to.flush()
}
