//! The private data of a block, from the transient store.

use std::collections::BTreeMap;

use bytes::Bytes;
use ledger::{Ledger, Missing, PrivateWriteSets};
use proto::rwset::{CollectionPvtReadWriteSet, NsPvtReadWriteSet, TxPvtReadWriteSet};

use super::Member;
use crate::validator::{Before, Prepared, PrivateWrite};

/// Why private data cannot be gathered.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The transient store cannot be read.
    #[error("read the transient store")]
    Ledger(#[from] ledger::Error),
    /// A collection's definition cannot be read.
    #[error("read collections")]
    Definition(#[from] crate::lifecycle::Error),
}

/// Finds the private data that goes with a block; also that of transactions found invalid, which
/// is kept but not applied.
pub fn gather(
    prepared: &Prepared,
    before: &Before<'_>,
    ledger: &Ledger,
    member: &Member,
) -> Result<PrivateWriteSets, Error> {
    let mut found = PrivateWriteSets::default();
    let mut held = BTreeMap::<(&str, &str), bool>::new();
    for (index, tx_id, writes) in prepared.private_writes() {
        let index = u32::try_from(index).unwrap_or(u32::MAX);
        let mut wanted = Vec::new();
        for write in writes {
            let key = (write.namespace.as_str(), write.collection.as_str());
            let holds = match held.get(&key) {
                Some(known) => *known,
                None => member.holds(prepared.bundle(), before.view(), key.0, key.1)?,
            };
            held.insert(key, holds);
            if holds {
                wanted.push(write);
            } else {
                let (namespace, collection) = (write.namespace.clone(), write.collection.clone());
                found.not_member.insert(Missing { tx: index, namespace, collection });
            }
        }
        if !wanted.is_empty() {
            let set = pick(ledger, tx_id, &wanted)?;
            if !set.ns_pvt_rwset.is_empty() {
                found.write_sets.insert(index, set);
            }
        }
    }
    Ok(found)
}

/// The write sets of a transaction that match their hashes. Endorsements of one transaction may
/// have left several.
fn pick(
    ledger: &Ledger,
    tx_id: &str,
    wanted: &[&PrivateWrite],
) -> Result<TxPvtReadWriteSet, Error> {
    let entries = ledger.transient_store().get(tx_id)?;
    let mut namespaces = BTreeMap::<&str, Vec<CollectionPvtReadWriteSet>>::new();
    for write in wanted {
        let candidates = entries.iter().filter_map(|entry| entry.write_set());
        let bytes = candidates
            .filter_map(|set| find(set, write))
            .find(|bytes| proto::sha256(bytes) == *write.hash);
        if let Some(rwset) = bytes {
            let collection_name = write.collection.clone();
            let set = CollectionPvtReadWriteSet { collection_name, rwset };
            namespaces.entry(&write.namespace).or_default().push(set);
        }
    }
    let ns_pvt_rwset = namespaces
        .into_iter()
        .map(|(namespace, collection_pvt_rwset)| NsPvtReadWriteSet {
            namespace: namespace.to_owned(),
            collection_pvt_rwset,
        })
        .collect();
    Ok(TxPvtReadWriteSet { ns_pvt_rwset, ..Default::default() })
}

fn find(set: &TxPvtReadWriteSet, write: &PrivateWrite) -> Option<Bytes> {
    let namespace = set.ns_pvt_rwset.iter().find(|set| set.namespace == write.namespace)?;
    let collections = &namespace.collection_pvt_rwset;
    let collection = collections.iter().find(|set| set.collection_name == write.collection)?;
    Some(collection.rwset.clone())
}
