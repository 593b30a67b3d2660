//! Changes of one tree that are made together.

use std::collections::BTreeMap;

use sled::IVec;

use super::tally;

/// What happens to a key.
#[derive(Debug)]
pub(super) struct Change {
    /// The new value with its checksum; nothing if the key goes.
    pub(super) sealed: Option<Vec<u8>>,
    /// Whether the key was not there before.
    pub(super) fresh: bool,
}

/// Changes of one tree, made all or not at all. A later change of a key replaces an earlier one.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(super) changes: BTreeMap<IVec, Change>,
}

impl Batch {
    /// Sets the value of a key.
    pub(crate) fn insert(&mut self, key: impl Into<IVec>, value: impl Into<Vec<u8>>) {
        self.put(key.into(), value.into(), false);
    }

    /// Sets the value of a key that is known not to be in the tree, which saves looking it up.
    pub(crate) fn insert_new(&mut self, key: impl Into<IVec>, value: impl Into<Vec<u8>>) {
        self.put(key.into(), value.into(), true);
    }

    /// Removes a key.
    pub(crate) fn remove(&mut self, key: impl Into<IVec>) {
        self.changes.insert(key.into(), Change { sealed: None, fresh: false });
    }

    fn put(&mut self, key: IVec, mut value: Vec<u8>, fresh: bool) {
        tally::seal(&key, &mut value);
        self.changes.insert(key, Change { sealed: Some(value), fresh });
    }
}
