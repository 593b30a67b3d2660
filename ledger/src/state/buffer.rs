//! Recent entries in memory, in front of a database.
//!
//! A database pays for each entry it reads and writes, far more than a look into memory costs. So
//! the changes of several blocks are collected here and written together, in one batch in which
//! every key stands once, and what was read or written lately is remembered. The database may
//! therefore be some blocks behind; what a crash takes is replayed from the chain.

use std::fmt::Debug;

use lru::LruCache;
use parking_lot::Mutex;

use super::snapshot::{Changes, Table};
use super::{Config, Error, StateKey};
use crate::{Version, Versioned};

/// Entries that are written together. More in one batch gain nothing and make a commit wait.
const BATCH_ENTRIES: usize = 4096;

/// What an entry takes in memory besides its bytes.
const OVERHEAD: usize = 160;

/// A table with recent entries in memory.
#[derive(Debug)]
pub(crate) struct Buffered<T: Table> {
    table: T,
    memory: Mutex<Memory>,
    lag_blocks_max: u64,
}

#[derive(Debug)]
struct Memory {
    savepoint: Option<u64>,
    /// The savepoint of the database.
    written: Option<u64>,
    /// Changes that are not in the database yet.
    dirty: Changes,
    /// What the database holds of keys read or written lately.
    clean: Recent,
    /// Counts the batches written, so that a slow reader does not remember an outdated entry.
    batches: u64,
}

impl<T: Table> Buffered<T> {
    pub(crate) fn new(table: T, config: &Config) -> Result<Self, Error> {
        let savepoint = table.savepoint()?;
        let memory = Memory {
            savepoint,
            written: savepoint,
            dirty: Changes::new(),
            clean: Recent::new(config.recent_bytes_max),
            batches: 0,
        };
        let lag_blocks_max = config.lag_blocks_max;
        Ok(Self { table, memory: Mutex::new(memory), lag_blocks_max })
    }

    /// Writes the collected changes to the database.
    fn write_all(&self) -> Result<(), Error> {
        // Only a commit writes, and commits take turns: nothing is added meanwhile.
        let (savepoint, dirty) = {
            let memory = self.memory.lock();
            if memory.dirty.is_empty() && memory.written == memory.savepoint {
                return Ok(());
            }
            (memory.savepoint, memory.dirty.clone())
        };
        self.table.write(savepoint, &dirty)?;
        let mut memory = self.memory.lock();
        let Memory { clean, dirty: collected, .. } = &mut *memory;
        for (key, entry) in std::mem::take(collected) {
            clean.put(key, entry);
        }
        memory.written = savepoint;
        memory.batches += 1;
        Ok(())
    }
}

impl<T: Table> Table for Buffered<T> {
    fn savepoint(&self) -> Result<Option<u64>, Error> {
        Ok(self.memory.lock().savepoint)
    }

    fn get(&self, key: &StateKey) -> Result<Option<Versioned>, Error> {
        let batches = {
            let mut memory = self.memory.lock();
            if let Some(entry) = memory.dirty.get(key) {
                return Ok(entry.clone());
            }
            if let Some(entry) = memory.clean.get(key) {
                return Ok(entry);
            }
            memory.batches
        };
        let found = self.table.get(key)?;
        let mut memory = self.memory.lock();
        if memory.batches == batches {
            memory.clean.put(key.clone(), found.clone());
        }
        Ok(found)
    }

    fn version(&self, key: &StateKey) -> Result<Option<Version>, Error> {
        Ok(self.get(key)?.map(|entry| entry.version))
    }

    fn scan(
        &self,
        start: &StateKey,
        end: &StateKey,
        limit: usize,
    ) -> Result<Vec<(StateKey, Versioned)>, Error> {
        let mut found = Vec::new();
        let mut from = start.clone();
        while found.len() < limit && from < *end {
            let limit = limit - found.len();
            // Memory first: what is written in between is then met twice rather than not at all.
            let (changes, until) = self.memory.lock().changes(&from, end, limit);
            let stored = self.table.scan(&from, &until, limit)?;
            let until = match stored.last() {
                Some((last, _)) if stored.len() == limit => last.successor(),
                _ => until,
            };
            let mut merged: Changes =
                stored.into_iter().map(|(key, entry)| (key, Some(entry))).collect();
            merged.extend(changes.into_iter().filter(|(key, _)| *key < until));
            found.extend(merged.into_iter().filter_map(|(key, entry)| Some((key, entry?))));
            from = until;
        }
        found.truncate(limit);
        Ok(found)
    }

    fn write(&self, savepoint: Option<u64>, updates: &Changes) -> Result<(), Error> {
        let mut memory = self.memory.lock();
        for (key, entry) in updates {
            memory.dirty.insert(key.clone(), entry.clone());
        }
        memory.savepoint = savepoint;
        Ok(())
    }

    fn settle(&self) -> Result<(), Error> {
        let due = {
            let memory = self.memory.lock();
            let behind = match (memory.savepoint, memory.written) {
                (Some(savepoint), Some(written)) => savepoint.saturating_sub(written),
                (Some(savepoint), None) => savepoint.saturating_add(1),
                (None, _) => 0,
            };
            behind >= self.lag_blocks_max || memory.dirty.len() >= BATCH_ENTRIES
        };
        if due { self.write_all() } else { Ok(()) }
    }

    fn clear(&self) -> Result<(), Error> {
        let mut memory = self.memory.lock();
        memory.dirty.clear();
        memory.clean.clear();
        memory.batches += 1;
        (memory.savepoint, memory.written) = (None, None);
        self.table.clear()
    }

    fn flush(&self) -> Result<(), Error> {
        self.write_all()?;
        self.table.flush()
    }
}

impl<T: Table> Drop for Buffered<T> {
    fn drop(&mut self) {
        // Saves the next start a replay; without it nothing is lost.
        if let Err(error) = self.write_all() {
            tracing::warn!(%error, "write the newest state");
        }
    }
}

impl Memory {
    /// Changes from `from` on, deleted keys included, and the key up to which they are complete:
    /// there are at most `limit` new values among them.
    fn changes(
        &self,
        from: &StateKey,
        end: &StateKey,
        limit: usize,
    ) -> (Vec<(StateKey, Option<Versioned>)>, StateKey) {
        let mut values = 0;
        let mut found = Vec::new();
        for (key, entry) in self.dirty.range(from.clone()..end.clone()) {
            found.push((key.clone(), entry.clone()));
            values += usize::from(entry.is_some());
            if values == limit {
                return (found, key.successor());
            }
        }
        (found, end.clone())
    }
}

/// Entries in memory up to a number of bytes; those used longest ago go first.
#[derive(Debug)]
struct Recent {
    entries: LruCache<StateKey, Option<Versioned>>,
    bytes: usize,
    bytes_max: usize,
}

impl Recent {
    fn new(bytes_max: u64) -> Self {
        let bytes_max = usize::try_from(bytes_max).unwrap_or(usize::MAX);
        Self { entries: LruCache::unbounded(), bytes: 0, bytes_max }
    }

    fn get(&mut self, key: &StateKey) -> Option<Option<Versioned>> {
        self.entries.get(key).cloned()
    }

    fn put(&mut self, key: StateKey, entry: Option<Versioned>) {
        self.bytes += size(&key, entry.as_ref());
        if let Some((key, replaced)) = self.entries.push(key, entry) {
            self.bytes -= size(&key, replaced.as_ref());
        }
        while self.bytes > self.bytes_max
            && let Some((key, entry)) = self.entries.pop_lru()
        {
            self.bytes -= size(&key, entry.as_ref());
        }
    }

    fn clear(&mut self) {
        self.entries.clear();
        self.bytes = 0;
    }
}

fn size(key: &StateKey, entry: Option<&Versioned>) -> usize {
    let held = entry.map_or(0, |entry| entry.value.len() + entry.metadata.len());
    OVERHEAD + key.as_bytes().len() + held
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::super::memory::Memory as Plain;
    use super::*;

    fn entry(text: &str) -> Versioned {
        let value = Bytes::copy_from_slice(text.as_bytes());
        Versioned { value, metadata: Bytes::new(), version: Version::new(1, 0) }
    }

    fn changes(updates: &[(&str, Option<&str>)]) -> Changes {
        let key = |key: &str| StateKey::public("cc", key);
        updates.iter().map(|(name, text)| (key(name), text.map(entry))).collect()
    }

    fn buffered(lag_blocks_max: u64) -> Buffered<Plain> {
        let config = Config { lag_blocks_max, recent_bytes_max: 1000, ..Config::default() };
        Buffered::new(Plain::default(), &config).unwrap()
    }

    fn scan(table: &impl Table, limit: usize) -> Vec<String> {
        let (start, end) = (StateKey::public("cc", ""), StateKey::end_of("cc"));
        let found = table.scan(&start, &end, limit).unwrap();
        found.iter().map(|(key, _)| String::from_utf8(key.key().to_vec()).unwrap()).collect()
    }

    #[test]
    fn the_database_follows_at_its_distance() {
        let table = buffered(3);
        for block in 0..3 {
            table.write(Some(block), &changes(&[("a", Some("1"))])).unwrap();
            assert_eq!(table.table.savepoint().unwrap(), None);
            assert_eq!(table.savepoint().unwrap(), Some(block));
            table.settle().unwrap();
        }
        assert_eq!(table.table.savepoint().unwrap(), Some(2));
        table.write(Some(3), &changes(&[("a", None)])).unwrap();
        table.settle().unwrap();
        assert_eq!(table.table.savepoint().unwrap(), Some(2));
        assert_eq!(table.get(&StateKey::public("cc", "a")).unwrap(), None);
        table.flush().unwrap();
        assert_eq!(table.table.savepoint().unwrap(), Some(3));
        assert_eq!(table.table.get(&StateKey::public("cc", "a")).unwrap(), None);
    }

    #[test]
    fn a_scan_sees_what_is_written_and_what_is_not_yet() {
        let table = buffered(100);
        let stored = [("a", Some("1")), ("c", Some("1")), ("e", Some("1")), ("g", Some("1"))];
        table.write(Some(0), &changes(&stored)).unwrap();
        table.flush().unwrap();
        let later =
            [("b", Some("2")), ("c", None), ("e", Some("2")), ("f", Some("2")), ("h", None)];
        table.write(Some(1), &changes(&later)).unwrap();
        let all = ["a", "b", "e", "f", "g"];
        for limit in 0..8 {
            assert_eq!(scan(&table, limit), all[..limit.min(all.len())], "limit {limit}");
        }
    }

    /// Entries that do not fit are read from the database again.
    #[test]
    fn memory_is_bounded() {
        let table = buffered(1);
        let names: Vec<String> = (0..50).map(|at| format!("key {at}")).collect();
        let updates: Vec<_> = names.iter().map(|name| (name.as_str(), Some("x"))).collect();
        table.write(Some(0), &changes(&updates)).unwrap();
        table.settle().unwrap();
        for name in &names {
            let found = table.get(&StateKey::public("cc", name)).unwrap();
            assert_eq!(found, Some(entry("x")));
        }
        let memory = table.memory.lock();
        assert!(memory.clean.bytes <= 1000 && memory.clean.entries.len() < 10);
        assert!(memory.dirty.is_empty());
    }
}
