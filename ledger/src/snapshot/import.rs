//! Filling a state from a snapshot, when a ledger begins from it and whenever it is rebuilt.

use std::collections::{BTreeMap, BTreeSet};

use super::Snapshot;
use super::read::Part;
use crate::private_data::{self, PrivateStore};
use crate::state::{StateBatch, StateDb, StateKey};
use crate::{Error, Missing, Version, Versioned, View, config_history};

/// Entries written to the database at a time.
const BATCH_ENTRIES_MAX: usize = 1024;
const BATCH_BYTES_MAX: usize = 4 << 20;
/// Missing write sets noted at a time.
const MISSING_MAX: usize = 4096;

/// Writes to the state in batches.
struct Batches<'a> {
    state: &'a dyn StateDb,
    entries: BTreeMap<StateKey, Option<Versioned>>,
    bytes: usize,
}

impl Batches<'_> {
    fn put(&mut self, key: StateKey, entry: Option<Versioned>) -> Result<(), Error> {
        let value = entry.as_ref().map_or(0, |entry| entry.value.len() + entry.metadata.len());
        self.bytes += key.as_bytes().len() + value;
        self.entries.insert(key, entry);
        if self.entries.len() >= BATCH_ENTRIES_MAX || self.bytes >= BATCH_BYTES_MAX {
            self.write()?;
        }
        Ok(())
    }

    fn write(&mut self) -> Result<(), Error> {
        self.bytes = 0;
        Ok(self.state.amend(&std::mem::take(&mut self.entries))?)
    }
}

/// Fills an empty state with what the snapshot holds. The savepoint comes last and only if every
/// file was what its hash says, so a state that is filled in part is never taken for one.
pub(crate) fn import_state(
    base: &Snapshot,
    state: &dyn StateDb,
    private: &PrivateStore,
) -> Result<(), Error> {
    tracing::info!(dir = %base.dir().display(), block = base.last_block(), "import the snapshot");
    let mut batches = Batches { state, entries: BTreeMap::new(), bytes: 0 };
    base.entries::<Error>(Part::Public, &mut |key, entry| batches.put(key, Some(entry)))?;
    base.collections::<Error>(&mut |chaincode, block, package| {
        let (key, entry) = config_history::entry(&chaincode, block, package);
        batches.put(key, Some(entry))
    })?;
    batches.write()?;
    import_hashes(base, &mut batches)?;
    // What is here of private data from before: it came after this ledger had begun.
    for block in private.blocks_through(base.last_block())? {
        let view = View::new(state.view()?);
        state.amend(&private_data::late(&view, block, &private.block(block)?)?)?;
    }
    let updates = BTreeMap::new();
    state.apply(&StateBatch { block: base.last_block(), previous: None, updates })?;
    Ok(state.flush()?)
}

/// Hashes of private keys, with the blocks in which they expire.
fn import_hashes(base: &Snapshot, batches: &mut Batches<'_>) -> Result<(), Error> {
    let mut life: Option<(String, Option<u64>)> = None;
    base.entries::<Error>(Part::Hashes, &mut |key, entry| {
        let known = life.as_ref().filter(|(namespace, _)| namespace == key.namespace());
        let blocks = match known {
            Some((_, blocks)) => *blocks,
            None => {
                let view = View::new(batches.state.view()?);
                let (namespace, collection) = split(&key);
                let blocks = config_history::block_to_live(&view, namespace, collection)?;
                life = Some((key.namespace().to_owned(), blocks));
                blocks
            }
        };
        if let Some(blocks) = blocks {
            let (block, at) = write_set(&key, entry.version);
            let (end, note) = private_data::expiring_set(block, &at, blocks);
            batches.put(end, Some(note))?;
            let (end, note) = private_data::expiring_key(&key, entry.version, blocks);
            batches.put(end, Some(note))?;
        }
        batches.put(key, Some(entry))
    })?;
    batches.write()
}

/// Notes all private data behind the hashes of a snapshot as missing, as far as `is_member` says
/// that this peer should have it.
pub(crate) fn record_missing(
    base: &Snapshot,
    private: &PrivateStore,
    is_member: &mut dyn FnMut(&str, &str) -> Result<bool, Error>,
) -> Result<(), Error> {
    let mut pending = BTreeSet::new();
    let mut member: Option<(String, bool)> = None;
    base.entries::<Error>(Part::Hashes, &mut |key, entry| {
        let (namespace, collection) = split(&key);
        let known = member.as_ref().filter(|(namespace, _)| namespace == key.namespace());
        let wanted = match known {
            Some((_, wanted)) => *wanted,
            None => is_member(namespace, collection)?,
        };
        if wanted {
            pending.insert(write_set(&key, entry.version));
        }
        member = Some((key.namespace().to_owned(), wanted));
        if pending.len() >= MISSING_MAX {
            private.add_missing(&std::mem::take(&mut pending))?;
        }
        Ok(())
    })?;
    Ok(private.add_missing(&pending)?)
}

/// The write set that a hashed key of this version is from.
fn write_set(key: &StateKey, version: Version) -> (u64, Missing) {
    let (namespace, collection) = split(key);
    let (namespace, collection) = (namespace.to_owned(), collection.to_owned());
    let tx = u32::try_from(version.tx).unwrap_or(u32::MAX);
    (version.block, Missing { tx, namespace, collection })
}

/// Namespace and collection of a hashed key.
fn split(key: &StateKey) -> (&str, &str) {
    key.namespace().split_once("$$h").unwrap_or_default()
}
