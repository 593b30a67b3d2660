//! One tree of a database.

use std::ops::RangeBounds;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use parking_lot::Mutex;
use sled::IVec;

use super::batch::Change;
use super::tally::{self, CHECKSUM, Tally};
use super::{Batch, DatabaseError, Entries, Shared, Spec};
use crate::failpoint;

/// Keys that are removed in one batch while a tree is cleared.
const CLEARED_TOGETHER: usize = 1000;

/// An ordered map on disk whose entries are checked when they are read. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Tree {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    tree: sled::Tree,
    spec: &'static Spec,
    /// Position among the trees of the database.
    ordinal: usize,
    shared: Arc<Shared>,
    /// Locked while a batch is applied.
    tally: Mutex<Tally>,
}

impl Tree {
    /// Opens the tree, reads all of it, and compares it with its tally.
    pub(super) fn open(
        db: &sled::Db,
        spec: &'static Spec,
        ordinal: usize,
        shared: &Arc<Shared>,
    ) -> Result<Self, DatabaseError> {
        let tree = shared.call("open", || db.open_tree(spec.name))?;
        let (shared, tally) = (shared.clone(), Mutex::default());
        let this = Self { inner: Arc::new(Inner { tree, spec, ordinal, shared, tally }) };
        if spec.tallied {
            let tally = this.check()?;
            *this.inner.tally.lock() = tally;
        }
        Ok(this)
    }

    fn check(&self) -> Result<Tally, DatabaseError> {
        let tree = &self.inner.tree;
        let trees = self.inner.shared.batches.len();
        let stored = self.call("read", || tree.get(tally::KEY))?;
        let stored =
            stored.map(|it| Tally::from_sealed(&it).filter(|it| it.batches.len() == trees));
        let stored = match stored {
            Some(Some(clearing)) if clearing.is_clearing() => return self.remove_all(clearing),
            Some(Some(stored)) => stored,
            Some(None) => return Err(self.damaged("the tally does not decode")),
            None => Tally::of_none(vec![0; trees]),
        };
        let mut found = Tally::default();
        let mut entries = tree.iter();
        while let Some((key, sealed)) = self.call("read", || entries.next().transpose())? {
            if key != tally::KEY {
                found.add(self.checksum(&key, &sealed)?);
            }
        }
        match stored.is_of_same(&found) {
            true => Ok(stored),
            false => Err(self.damaged("entries are lost")),
        }
    }

    /// Batches that each tree had seen when this one was changed last.
    pub(super) fn batches(&self) -> Vec<u64> {
        self.inner.tally.lock().batches.clone()
    }

    pub(super) fn call<T>(
        &self,
        action: &'static str,
        call: impl FnOnce() -> Result<T, sled::Error>,
    ) -> Result<T, DatabaseError> {
        self.inner.shared.call(action, call)
    }

    /// Takes note that what is stored cannot be right: it is rebuilt at the next start.
    pub(crate) fn damaged(&self, reason: &str) -> DatabaseError {
        self.inner.shared.damaged(format!("tree {}: {reason}", self.inner.spec.name))
    }

    fn checksum(&self, key: &[u8], sealed: &[u8]) -> Result<u32, DatabaseError> {
        let found = tally::verify(key, sealed);
        found.ok_or_else(|| self.damaged("an entry has a wrong checksum"))
    }

    /// The value without its checksum, which is verified.
    pub(super) fn unseal(&self, key: &[u8], sealed: &IVec) -> Result<IVec, DatabaseError> {
        self.checksum(key, sealed)?;
        Ok(sealed.subslice(0, sealed.len() - CHECKSUM))
    }

    /// The value of a key.
    pub(crate) fn get(&self, key: impl AsRef<[u8]>) -> Result<Option<IVec>, DatabaseError> {
        let key = key.as_ref();
        let found = self.call("read", || self.inner.tree.get(key))?;
        found.map(|sealed| self.unseal(key, &sealed)).transpose()
    }

    /// Entries in a range of keys.
    pub(crate) fn range<K: AsRef<[u8]>>(&self, range: impl RangeBounds<K>) -> Entries {
        Entries::new(self.clone(), self.inner.tree.range(range))
    }

    /// Entries whose key begins with `prefix`.
    pub(crate) fn scan_prefix(&self, prefix: impl AsRef<[u8]>) -> Entries {
        Entries::new(self.clone(), self.inner.tree.scan_prefix(prefix))
    }

    /// All entries.
    pub(crate) fn iter(&self) -> Entries {
        Entries::new(self.clone(), self.inner.tree.iter())
    }

    /// Whether there are no entries.
    pub(crate) fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// Sets the value of a key.
    pub(crate) fn insert(
        &self,
        key: impl Into<IVec>,
        value: impl Into<Vec<u8>>,
    ) -> Result<(), DatabaseError> {
        let mut batch = Batch::default();
        batch.insert(key, value);
        self.apply_batch(batch)
    }

    /// Removes a key.
    pub(crate) fn remove(&self, key: impl Into<IVec>) -> Result<(), DatabaseError> {
        let mut batch = Batch::default();
        batch.remove(key);
        self.apply_batch(batch)
    }

    /// Makes all changes or none. They are on disk after a later [`super::Database::flush`].
    pub(crate) fn apply_batch(&self, batch: Batch) -> Result<(), DatabaseError> {
        let Inner { tree, spec, ordinal, shared, .. } = &*self.inner;
        if batch.changes.is_empty() {
            return Ok(());
        }
        self.reach(spec.before_write)?;
        let mut changes = sled::Batch::default();
        if spec.tallied {
            let mut current = self.inner.tally.lock();
            let mut tally = current.clone();
            for (key, change) in batch.changes {
                self.count(&mut tally, &key, &change)?;
                put(&mut changes, key, change);
            }
            tally.batches = shared.batches.iter().map(|it| it.load(Ordering::Acquire)).collect();
            let own = tally.batches.get_mut(*ordinal).map_or(0, |own| {
                *own += 1;
                *own
            });
            changes.insert(&tally::KEY, tally.to_sealed());
            self.call("write", || tree.apply_batch(changes))?;
            *current = tally;
            if let Some(batches) = shared.batches.get(*ordinal) {
                batches.store(own, Ordering::Release);
            }
        } else {
            batch.changes.into_iter().for_each(|(key, change)| put(&mut changes, key, change));
            self.call("write", || tree.apply_batch(changes))?;
        }
        self.reach(spec.after_write)
    }

    /// Takes a change into a tally.
    fn count(&self, tally: &mut Tally, key: &IVec, change: &Change) -> Result<(), DatabaseError> {
        if !change.fresh
            && let Some(old) = self.call("read", || self.inner.tree.get(key))?
        {
            tally.remove(self.checksum(key, &old)?);
        }
        if let Some(sealed) = &change.sealed {
            tally.add(tally::stored(sealed));
        }
        Ok(())
    }

    /// Removes all entries. If that is interrupted, opening the tree goes on with it.
    pub(crate) fn clear(&self) -> Result<(), DatabaseError> {
        let tree = &self.inner.tree;
        let mut tally = self.inner.tally.lock();
        let clearing = tally.clearing();
        let mark = || tree.insert(tally::KEY, clearing.to_sealed()).and_then(|_| tree.flush());
        self.call("clear", mark)?;
        self.reach("ledger::database::clearing")?;
        *tally = self.remove_all(clearing)?;
        Ok(())
    }

    fn remove_all(&self, clearing: Tally) -> Result<Tally, DatabaseError> {
        let tree = &self.inner.tree;
        loop {
            let mut batch = sled::Batch::default();
            let mut keys =
                tree.iter().keys().filter(|it| it.as_ref() != Ok(&IVec::from(&tally::KEY)));
            let mut count = 0;
            while let Some(key) = self.call("clear", || keys.next().transpose())? {
                batch.remove(key);
                count += 1;
                if count == CLEARED_TOGETHER {
                    break;
                }
            }
            if count == 0 {
                break;
            }
            self.call("clear", || tree.apply_batch(batch))?;
        }
        let tally = Tally::of_none(clearing.batches);
        self.call("clear", || tree.insert(tally::KEY, tally.to_sealed()))?;
        Ok(tally)
    }

    /// Writes what was applied to disk.
    pub(crate) fn flush(&self) -> Result<(), DatabaseError> {
        self.reach("ledger::database::before_flush")?;
        self.call("flush", || self.inner.tree.flush())?;
        self.reach("ledger::database::after_flush")
    }

    fn reach(&self, name: &'static str) -> Result<(), DatabaseError> {
        let failed = |source: std::io::Error| DatabaseError::Failed {
            action: "write to",
            dir: self.inner.shared.dir.clone(),
            source: source.into(),
        };
        failpoint::reach(name).map_err(failed)
    }
}

fn put(changes: &mut sled::Batch, key: IVec, change: Change) {
    match change.sealed {
        Some(sealed) => changes.insert(key, sealed),
        None => changes.remove(key),
    }
}
