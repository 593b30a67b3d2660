//! The state in memory: for tests, and for peers that would rather replay than keep a database.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::RwLock;

use super::snapshot::{Changes, Snapshots, Table};
use super::{Error, StateDb, StateKey};
use crate::{Version, Versioned};

/// An empty state in memory. Its views may be `view_lag_blocks_max` blocks behind.
pub fn memory(view_lag_blocks_max: usize) -> Result<Arc<dyn StateDb>, Error> {
    Ok(Arc::new(Snapshots::new(Memory::default(), view_lag_blocks_max)?))
}

#[derive(Debug, Default)]
pub(super) struct Memory(RwLock<Content>);

#[derive(Debug, Default)]
struct Content {
    savepoint: Option<u64>,
    entries: BTreeMap<StateKey, Versioned>,
}

impl Table for Memory {
    fn savepoint(&self) -> Result<Option<u64>, Error> {
        Ok(self.0.read().savepoint)
    }

    fn get(&self, key: &StateKey) -> Result<Option<Versioned>, Error> {
        Ok(self.0.read().entries.get(key).cloned())
    }

    fn version(&self, key: &StateKey) -> Result<Option<Version>, Error> {
        Ok(self.0.read().entries.get(key).map(|entry| entry.version))
    }

    fn scan(
        &self,
        start: &StateKey,
        end: &StateKey,
        limit: usize,
    ) -> Result<Vec<(StateKey, Versioned)>, Error> {
        if start >= end {
            return Ok(Vec::new());
        }
        let content = self.0.read();
        let range = content.entries.range(start..end).take(limit);
        Ok(range.map(|(key, entry)| (key.clone(), entry.clone())).collect())
    }

    fn write(&self, savepoint: Option<u64>, updates: &Changes) -> Result<(), Error> {
        let mut content = self.0.write();
        for (key, entry) in updates {
            match entry {
                Some(entry) => content.entries.insert(key.clone(), entry.clone()),
                None => content.entries.remove(key),
            };
        }
        content.savepoint = savepoint;
        Ok(())
    }

    fn clear(&self) -> Result<(), Error> {
        *self.0.write() = Content::default();
        Ok(())
    }

    fn flush(&self) -> Result<(), Error> {
        Ok(())
    }
}
