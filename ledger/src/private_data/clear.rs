//! The clear values of a block's valid transactions.

use std::collections::BTreeMap;

use bytes::Bytes;
use prost::Message;
use proto::kvrwset::KvrwSet;

use super::Missing;
use crate::mvcc::Updates;
use crate::rwset;
use crate::state::{StateBatch, StateKey};
use crate::transaction::Parsed;
use crate::{Version, Versioned, View, state};

/// Adds the clear values that valid transactions of the block wrote, as far as they are here.
pub(crate) fn record_clear(
    view: &View,
    transactions: &[Parsed],
    updates: &Updates,
    present: &BTreeMap<Missing, Bytes>,
    batch: &mut StateBatch,
) -> Result<(), state::Error> {
    let valid: Vec<_> = present
        .iter()
        .filter(|(at, _)| {
            transactions.get(at.tx as usize).is_some_and(|tx| tx.endorsed().is_some())
        })
        .map(|(at, set)| (at, KvrwSet::decode(set.clone()).unwrap_or_default()))
        .collect();
    for (at, set) in &valid {
        let version = Version::new(batch.block, u64::from(at.tx));
        for write in &set.writes {
            let key = StateKey::private(&at.namespace, &at.collection, &write.key);
            let entry = (!rwset::is_delete(write)).then(|| versioned(&write.value, version));
            batch.updates.insert(key, entry);
        }
    }
    for (at, set) in &valid {
        for write in &set.metadata_writes {
            follow_metadata(view, at, &write.key, updates, batch)?;
        }
    }
    Ok(())
}

fn versioned(value: &Bytes, version: Version) -> Versioned {
    Versioned { value: value.clone(), metadata: Bytes::new(), version }
}

/// Metadata stands with the hash only, but a change of it gives the hash a new version. The clear
/// value follows, or it would count as outdated.
fn follow_metadata(
    view: &View,
    at: &Missing,
    key: &str,
    updates: &Updates,
    batch: &mut StateBatch,
) -> Result<(), state::Error> {
    let clear = StateKey::private(&at.namespace, &at.collection, key);
    if batch.updates.contains_key(&clear) {
        return Ok(());
    }
    let key_hash = proto::sha256(key.as_bytes());
    let hashed = updates.get(&StateKey::hashed(&at.namespace, &at.collection, &key_hash));
    let Some((Some(hash), version)) = hashed.map(|update| (&update.value, update.version)) else {
        return Ok(());
    };
    let stored = view.private(&at.namespace, &at.collection, key)?;
    if let Some(stored) = stored.filter(|stored| proto::sha256(&stored.value) == **hash) {
        batch.updates.insert(clear, Some(versioned(&stored.value, version)));
    }
    Ok(())
}

/// What private data that arrived after its block still changes: the keys whose hash is the one
/// that its transaction wrote.
pub(crate) fn late(
    view: &View,
    block: u64,
    present: &BTreeMap<Missing, Bytes>,
) -> Result<BTreeMap<StateKey, Option<Versioned>>, state::Error> {
    let mut updates = BTreeMap::new();
    for (at, set) in present {
        let version = Version::new(block, u64::from(at.tx));
        for write in KvrwSet::decode(set.clone()).unwrap_or_default().writes {
            let key_hash = proto::sha256(write.key.as_bytes());
            let hashed = view.hash(&at.namespace, &at.collection, &key_hash)?;
            if hashed.is_some_and(|hashed| hashed.value == proto::sha256(&write.value)[..]) {
                let key = StateKey::private(&at.namespace, &at.collection, &write.key);
                let current = view.hash_version(&at.namespace, &at.collection, &key_hash)?;
                let entry = versioned(&write.value, current.unwrap_or(version));
                updates.insert(key, Some(entry));
            }
        }
    }
    Ok(updates)
}
