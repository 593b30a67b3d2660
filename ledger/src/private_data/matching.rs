//! Which of the private data that came with a block belongs to it.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::{Missing, PrivateWriteSets};
use crate::rwset::{TxRwSet, private_collection};
use crate::transaction::Parsed;

/// The private data of a block.
#[derive(Debug, Default)]
pub(crate) struct Matched {
    /// Write sets with the hash that the block names.
    pub(crate) present: BTreeMap<Missing, Bytes>,
    /// What valid transactions wrote, this peer may have, and did not come.
    pub(crate) missing: Vec<Missing>,
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
