//! Which of the private data that came with a block belongs to it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;
use prost::Message;
use proto::kvrwset::{HashedRwSet, KvrwSet};

use super::{Missing, PrivateWriteSets};
use crate::rwset::{self, TxRwSet, private_collection};
use crate::transaction::Parsed;

/// The private data of a block.
#[derive(Debug, Default)]
pub(crate) struct Matched {
    /// Write sets with the hash that the block names.
    pub(crate) present: BTreeMap<Missing, Bytes>,
    /// What valid transactions wrote, this peer may have, and did not come.
    pub(crate) missing: Vec<Missing>,
    /// What did not come, either, but is here since the block was committed before.
    pub(crate) kept: BTreeMap<Missing, Bytes>,
}

impl Matched {
    /// Finds what is missing among the private data that is `known` of a block of this number.
    pub(crate) fn recall(&mut self, transactions: &[Parsed], mut known: BTreeMap<Missing, Bytes>) {
        known.retain(|at, set| {
            let written = transactions.get(at.tx as usize).and_then(Parsed::collections);
            let written = written.and_then(|set| set.collection(&at.namespace, &at.collection));
            self.missing.contains(at) && written.is_some_and(|it| agrees(set, &it.hashed))
        });
        self.missing.retain(|at| !known.contains_key(at));
        self.kept = known;
    }

    /// All private data of the block.
    pub(crate) fn all(&self) -> Cow<'_, BTreeMap<Missing, Bytes>> {
        if self.kept.is_empty() {
            return Cow::Borrowed(&self.present);
        }
        let mut all = self.kept.clone();
        all.extend(self.present.iter().map(|(at, set)| (at.clone(), set.clone())));
        Cow::Owned(all)
    }
}

/// Whether all that is left of a write set is what the transaction wrote: keys may have been
/// purged from it since.
fn agrees(set: &Bytes, written: &HashedRwSet) -> bool {
    let Ok(set) = KvrwSet::decode(set.clone()) else { return false };
    set.writes.iter().all(|write| {
        let key = proto::sha256(write.key.as_bytes());
        let mut hashes = written.hashed_writes.iter().filter(|hash| hash.key_hash == key[..]);
        hashes.next().is_some_and(|hash| match rwset::is_delete(write) {
            true => rwset::is_hash_delete(hash),
            false => hash.value_hash == proto::sha256(&write.value)[..],
        })
    })
}

/// Compares private data with the hashes in the transactions. Data of invalid transactions is
/// kept, too, but never missed.
pub(crate) fn matching(transactions: &[Parsed], private: &PrivateWriteSets) -> Matched {
    let mut matched = Matched::default();
    for (tx, parsed) in (0..).zip(transactions) {
        for (at, hash) in parsed.collections().into_iter().flat_map(|set| written(tx, set)) {
            let given = private
                .write_sets
                .get(&tx)
                .and_then(|given| private_collection(given, &at.namespace, &at.collection));
            match given.filter(|given| proto::sha256(&given.rwset)[..] == *hash) {
                Some(given) => drop(matched.present.insert(at, given.rwset.clone())),
                None if parsed.endorsed().is_some() && !private.not_member.contains(&at) => {
                    matched.missing.push(at);
                }
                None => {}
            }
        }
    }
    matched
}

/// The collections a transaction writes, with the hashes of their write sets.
pub(super) fn written(tx: u32, set: &TxRwSet) -> impl Iterator<Item = (Missing, &Bytes)> {
    set.namespaces.iter().flat_map(move |namespace| {
        let written = namespace.collections.iter().filter(|it| !it.private_hash.is_empty());
        written.map(move |collection| {
            let namespace = namespace.namespace.clone();
            let at = Missing { tx, namespace, collection: collection.name.clone() };
            (at, &collection.private_hash)
        })
    })
}
