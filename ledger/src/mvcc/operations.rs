//! From the operations of a valid transaction to the changes of its block.
//!
//! Fabric's peers add the operations on one key up as numbers before they look at them. Honest
//! sets have at most one value write and one metadata write for a key, and each sum means what it
//! should. Forged sets can repeat a key: two value writes then have the sum of a metadata write.
//! The same sums are formed here, because every peer must come to the same state.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::{Committed, Update, Updates};
use crate::Version;
use crate::state::StateKey;

/// One operation on a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Operation {
    Put(Bytes),
    Delete,
    PutMetadata(Bytes),
    DeleteMetadata,
}

const PUT: u8 = 1;
const PUT_METADATA: u8 = 2;
const DELETE_METADATA: u8 = 4;
const DELETE: u8 = 8;

/// All operations of a transaction on one key.
#[derive(Debug, Default)]
struct Sum {
    flags: u8,
    value: Option<Bytes>,
    metadata: Bytes,
}

impl Sum {
    fn add(&mut self, operation: Operation) {
        let flag = match operation {
            Operation::Put(value) => {
                self.value = Some(value);
                PUT
            }
            Operation::Delete => DELETE,
            Operation::PutMetadata(metadata) => {
                self.metadata = metadata;
                PUT_METADATA
            }
            Operation::DeleteMetadata => DELETE_METADATA,
        };
        self.flags = self.flags.wrapping_add(flag);
    }

    fn is_delete(&self) -> bool {
        self.flags & DELETE != 0
    }

    fn is_value_and_metadata(&self) -> bool {
        self.flags & PUT != 0 && self.flags & (PUT_METADATA | DELETE_METADATA) != 0
    }

    fn is_value_only(&self) -> bool {
        self.flags & !PUT == 0
    }
}

/// Adds what a valid transaction changes.
pub(crate) fn apply(
    operations: Vec<(StateKey, Operation)>,
    version: Version,
    committed: &Committed,
    updates: &mut Updates,
) {
    let mut sums: BTreeMap<StateKey, Sum> = BTreeMap::new();
    for (key, operation) in operations {
        sums.entry(key).or_default().add(operation);
    }
    for (key, sum) in sums {
        if let Some((value, metadata)) = outcome(&key, sum, committed, updates) {
            updates.insert(key, Update { value, metadata, version });
        }
    }
}

/// The new value, if the key is not deleted, and metadata; nothing if the key stays as it is.
fn outcome(
    key: &StateKey,
    sum: Sum,
    committed: &Committed,
    updates: &Updates,
) -> Option<(Option<Bytes>, Bytes)> {
    if sum.is_delete() {
        return Some((None, Bytes::new()));
    }
    if sum.is_value_and_metadata() {
        return Some((sum.value, sum.metadata));
    }
    let latest = updates.latest(key, committed);
    if sum.is_value_only() {
        let kept = latest.map(|(_, metadata)| metadata).unwrap_or_default();
        return Some((sum.value, kept));
    }
    // Everything else counts as a change of metadata, two deletes as well: the value stays, and a
    // key that does not exist has no metadata either.
    latest.map(|(value, _)| (Some(value), sum.metadata))
}
