//! What the valid transactions of a block change, the last change of a key only.

use std::collections::BTreeMap;
use std::collections::btree_map::{Iter, Range};

use bytes::Bytes;

use super::Committed;
use crate::state::StateKey;
use crate::{Version, Versioned};

/// The change of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Update {
    /// Nothing if the key is deleted.
    pub(crate) value: Option<Bytes>,
    pub(crate) metadata: Bytes,
    pub(crate) version: Version,
}

impl Update {
    /// What the state holds after it.
    pub(crate) fn entry(&self) -> Option<Versioned> {
        let metadata = self.metadata.clone();
        self.value.clone().map(|value| Versioned { value, metadata, version: self.version })
    }
}

/// Changes by key: public keys and hashes of private keys.
#[derive(Debug, Clone, Default)]
pub(crate) struct Updates(BTreeMap<StateKey, Update>);

impl Updates {
    pub(crate) fn insert(&mut self, key: StateKey, update: Update) {
        self.0.insert(key, update);
    }

    pub(crate) fn contains(&self, key: &StateKey) -> bool {
        self.0.contains_key(key)
    }

    pub(crate) fn get(&self, key: &StateKey) -> Option<&Update> {
        self.0.get(key)
    }

    pub(crate) fn iter(&self) -> Iter<'_, StateKey, Update> {
        self.0.iter()
    }

    pub(crate) fn range(
        &self,
        start: &StateKey,
        end: &StateKey,
    ) -> Option<Range<'_, StateKey, Update>> {
        (start < end).then(|| self.0.range(start.clone()..end.clone()))
    }

    /// Value and metadata of a key after the transactions so far.
    pub(super) fn latest(&self, key: &StateKey, committed: &Committed) -> Option<(Bytes, Bytes)> {
        match self.0.get(key) {
            Some(update) => update.value.clone().map(|value| (value, update.metadata.clone())),
            None => committed.entry(key).map(|it| (it.value.clone(), it.metadata.clone())),
        }
    }
}
