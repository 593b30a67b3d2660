//! How private data ends: by expiring and by being purged.
//!
//! When a block is applied, what it writes to collections with a limited life is scheduled beside
//! the state under the block in which it expires. That block deletes the hash and the clear value,
//! unless they were written again. The bytes in the log of private data are overwritten by jobs
//! that stand in the state until they are done, so a crash between the two is made up for.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::matching::written;
use super::record::{Id, without};
use super::{Missing, PrivateStore};
use crate::mvcc::Updates;
use crate::state::{Scan, StateBatch, StateKey};
use crate::transaction::Parsed;
use crate::{Version, Versioned, View, config_history, state};

/// Kinds of the ledger's own entries in the state: keys to expire, write sets to expire, jobs, and
/// when a key was purged last.
pub(crate) const EXPIRING_KEY: u8 = b'e';
const EXPIRING_SET: u8 = b'x';
const JOB: u8 = b'y';
pub(crate) const PURGED: u8 = b'p';

/// Adds to a block's batch what expires in it, what it purges, and what it schedules.
pub(crate) fn record_ends(
    view: &View,
    transactions: &[Parsed],
    updates: &Updates,
    present: &BTreeMap<Missing, Bytes>,
    store: &PrivateStore,
    batch: &mut StateBatch,
) -> Result<(), crate::Error> {
    schedule(view, transactions, updates, present, batch)?;
    expire_keys(view, updates, store, batch)?;
    expire_sets(view, batch)?;
    for (tx, parsed) in (0..).zip(transactions) {
        purge(tx, parsed, updates, store, batch)?;
    }
    Ok(())
}

/// Schedules the end of a hashed key whose collection keeps data for some blocks.
pub(crate) fn expiring_key(key: &StateKey, version: Version, blocks: u64) -> (StateKey, Versioned) {
    let expires = version.block.saturating_add(blocks).saturating_add(1);
    let key = StateKey::internal(EXPIRING_KEY, &[&expires.to_be_bytes(), key.as_bytes()]);
    (key, note(version))
}

/// Schedules the end of a write set of a block, also if it is missing.
pub(crate) fn expiring_set(block: u64, at: &Missing, blocks: u64) -> (StateKey, Versioned) {
    let expires = block.saturating_add(blocks).saturating_add(1);
    let id = id(block, at).to_bytes();
    let key = StateKey::internal(EXPIRING_SET, &[&expires.to_be_bytes(), &id]);
    (key, note(Version::new(block, u64::from(at.tx))))
}

/// Schedules the end of what the block writes, of write sets also if they are missing: they may
/// come late, or will not be missed any more.
fn schedule(
    view: &View,
    transactions: &[Parsed],
    updates: &Updates,
    present: &BTreeMap<Missing, Bytes>,
    batch: &mut StateBatch,
) -> Result<(), state::Error> {
    let block = batch.block;
    let mut lives: BTreeMap<(String, String), Option<u64>> = BTreeMap::new();
    let mut life = |namespace: &str, collection: &str| {
        let at = (namespace.to_owned(), collection.to_owned());
        let known = lives.get(&at).copied();
        let life = match known {
            Some(life) => life,
            None => config_history::block_to_live(view, namespace, collection)?,
        };
        lives.insert(at, life);
        Ok::<_, state::Error>(life)
    };
    for (key, update) in updates.iter().filter(|(_, update)| update.value.is_some()) {
        if let Some((namespace, collection)) = key.namespace().split_once("$$h")
            && let Some(blocks) = life(namespace, collection)?
        {
            let (entry, value) = expiring_key(key, update.version, blocks);
            batch.updates.insert(entry, Some(value));
        }
    }
    let valid = (0..).zip(transactions).filter_map(|(tx, it)| Some((tx, it.endorsed()?)));
    let written = valid.flat_map(|(tx, set)| written(tx, set)).map(|(at, _)| at);
    for at in &present.keys().cloned().chain(written).collect::<BTreeSet<_>>() {
        if let Some(blocks) = life(&at.namespace, &at.collection)? {
            let (entry, value) = expiring_set(block, at, blocks);
            batch.updates.insert(entry, Some(value));
        }
    }
    Ok(())
}

fn id(block: u64, at: &Missing) -> Id {
    let (namespace, collection) = (at.namespace.clone(), at.collection.clone());
    Id { block, tx: at.tx, namespace, collection }
}

/// An entry whose key says it all.
fn note(version: Version) -> Versioned {
    Versioned { value: Bytes::new(), metadata: Bytes::new(), version }
}

/// The entries of a kind that are due in a block, and the rest of their keys.
fn due(
    view: &View,
    kind: u8,
    block: u64,
) -> impl Iterator<Item = Result<(StateKey, Bytes, Versioned), state::Error>> + use<> {
    let start = StateKey::internal(kind, &[&block.to_be_bytes()]);
    let end = match block.checked_add(1) {
        Some(next) => StateKey::internal(kind, &[&next.to_be_bytes()]),
        None => StateKey::internal(kind + 1, &[]),
    };
    Scan::new(view.state().clone(), start, end).map(|entry| {
        let (key, entry) = entry?;
        let rest = Bytes::copy_from_slice(key.as_bytes().get(10..).unwrap_or_default());
        Ok((key, rest, entry))
    })
}

fn expire_keys(
    view: &View,
    updates: &Updates,
    store: &PrivateStore,
    batch: &mut StateBatch,
) -> Result<(), crate::Error> {
    for entry in due(view, EXPIRING_KEY, batch.block) {
        let (entry, hashed, scheduled) = entry?;
        batch.updates.insert(entry, None);
        let hashed = StateKey::from_bytes(&hashed);
        if updates.contains(&hashed) {
            continue;
        }
        let current = view.state().get(&hashed)?.map(|current| current.version);
        if current == Some(scheduled.version) {
            batch.updates.insert(hashed.clone(), None);
        }
        let Some((namespace, collection)) = hashed.namespace().split_once("$$h") else { continue };
        if let Some(key) = store.clear_key(namespace, collection, &hashed.key())? {
            let clear = view.private(namespace, collection, &key)?;
            if clear.is_some_and(|clear| clear.version <= scheduled.version) {
                let clear = StateKey::private(namespace, collection, &key);
                batch.updates.entry(clear).or_insert(None);
            }
        }
    }
    Ok(())
}

fn expire_sets(view: &View, batch: &mut StateBatch) -> Result<(), state::Error> {
    for entry in due(view, EXPIRING_SET, batch.block) {
        let (entry, id, scheduled) = entry?;
        batch.updates.insert(entry, None);
        batch.updates.insert(job(&[], &id), Some(note(scheduled.version)));
    }
    Ok(())
}

/// Removes the clear values of purged keys, now from the state and by a job from the log.
fn purge(
    tx: u32,
    parsed: &Parsed,
    updates: &Updates,
    store: &PrivateStore,
    batch: &mut StateBatch,
) -> Result<(), crate::Error> {
    for set in parsed.endorsed().into_iter().flat_map(|set| &set.namespaces) {
        for collection in &set.collections {
            let purged = collection.hashed.hashed_writes.iter().filter(|write| write.is_purge);
            for write in purged {
                let (namespace, name) = (set.namespace.as_str(), collection.name.as_str());
                let version = Version::new(batch.block, u64::from(tx));
                let purged = purged_key(namespace, name, &write.key_hash);
                batch.updates.insert(purged, Some(note(version)));
                let hashed = StateKey::hashed(namespace, name, &write.key_hash);
                let is_gone = updates.get(&hashed).is_some_and(|update| update.value.is_none());
                if let Some(key) = store.clear_key(namespace, name, &write.key_hash)?
                    && is_gone
                {
                    batch.updates.insert(StateKey::private(namespace, name, &key), None);
                }
                let older = store.with_key(namespace, name, &write.key_hash)?.into_iter();
                for id in older.filter(|id| (id.block, id.tx) < (batch.block, tx)) {
                    let job = job(&write.key_hash, &id.to_bytes());
                    batch.updates.insert(job, Some(note(version)));
                }
            }
        }
    }
    Ok(())
}

fn purged_key(namespace: &str, collection: &str, key_hash: &[u8]) -> StateKey {
    let parts: [&[u8]; 5] = [namespace.as_bytes(), b"\0", collection.as_bytes(), b"\0", key_hash];
    StateKey::internal(PURGED, &parts)
}

/// What a peer still may keep of private data that comes late.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    /// Write sets without the keys that were purged in the meantime.
    pub(crate) present: BTreeMap<Missing, Bytes>,
    /// Write sets that have expired.
    pub(crate) expired: Vec<Id>,
}

/// Sorts out what has ended before it came. `height` blocks are in the view.
pub(crate) fn kept(
    view: &View,
    block: u64,
    height: u64,
    present: BTreeMap<Missing, Bytes>,
) -> Result<Kept, state::Error> {
    let mut kept = Kept::default();
    for (at, rwset) in present {
        let life = config_history::life_below(view, &at.namespace, &at.collection, block)?;
        let expires = life.map(|life| block.saturating_add(life).saturating_add(1));
        if expires.is_some_and(|expires| expires < height) {
            kept.expired.push(id(block, &at));
            continue;
        }
        let written = Version::new(block, u64::from(at.tx));
        let rwset = without(&rwset, |key_hash| {
            let purged = purged_key(&at.namespace, &at.collection, key_hash);
            let purged = view.state().get(&purged)?;
            Ok::<_, state::Error>(purged.is_some_and(|purged| purged.version > written))
        })?;
        kept.present.insert(at, rwset);
    }
    Ok(kept)
}

/// The entry of a job: what to trim a write set by, or nothing to erase it, and the write set.
fn job(key_hash: &[u8], id: &[u8]) -> StateKey {
    let length = u8::try_from(key_hash.len()).unwrap_or_default();
    StateKey::internal(JOB, &[&[length], key_hash, id])
}

/// Overwrites on disk what has ended, and returns the entries that can go. The state must be on
/// disk before, because without it the overwritten data could not be found there any more.
pub(crate) fn run_jobs(
    view: &View,
    store: &PrivateStore,
    flush: impl FnOnce() -> Result<(), state::Error>,
) -> Result<Vec<StateKey>, crate::Error> {
    let (start, end) = (StateKey::internal(JOB, &[]), StateKey::internal(JOB + 1, &[]));
    let jobs = Scan::new(view.state().clone(), start, end).map(|entry| Ok(entry?.0));
    let jobs = jobs.collect::<Result<Vec<_>, state::Error>>()?;
    if jobs.is_empty() {
        return Ok(jobs);
    }
    flush()?;
    let mut erased = Vec::new();
    for job in &jobs {
        let (key_hash, id) = parse_job(job).ok_or(state::Error::Damaged("job"))?;
        match key_hash {
            [] => erased.push(id),
            key_hash => store.trim(&id, key_hash)?,
        }
    }
    store.erase(&erased)?;
    Ok(jobs)
}

fn parse_job(job: &StateKey) -> Option<(&[u8], Id)> {
    let (length, rest) = job.as_bytes().get(2..)?.split_first()?;
    let (key_hash, id) = rest.split_at_checked(usize::from(*length))?;
    Some((key_hash, Id::from_bytes(id)?))
}
