//! The durable log of private data and its index.
//!
//! A record is never changed, but it can be wiped. The index may still know a wiped record after a
//! crash; reading it then finds nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use parking_lot::Mutex;
use prost::Message;
use proto::kvrwset::KvrwSet;

use super::record::{Id, Stored, key_hashes, without};
use super::{Config, Error, Missing};
use crate::database::{self, Batch, Database, Tree};
use crate::segments::{self, Location, Log};

/// Kinds of index keys: location of an id, missing id, id by key hash, end of what is indexed.
const DATA: u8 = b'd';
const MISSING: u8 = b'm';
const KEY: u8 = b'k';
const END: &[u8] = b"s";

#[derive(Debug)]
pub(crate) struct PrivateStore {
    dir: PathBuf,
    data: Mutex<Log>,
    index: Tree,
    kept_until: u64,
    /// The newest block before a tail that opening cut off.
    cut_behind: Option<u64>,
}

impl PrivateStore {
    pub(crate) fn open(dir: &Path, db: &Database, config: &Config) -> Result<Self, Error> {
        let index = db.tree(&database::PRIVATE)?;
        let end = index.get(END)?.and_then(|it| Location::from_bytes(&it));
        let from = end.map_or(0, |end| end.segment);
        let bytes_max = config.segment_bytes_max;
        let mut replaced = Vec::new();
        let mut newest = None;
        let kind = &segments::PRIVATE;
        let data = Log::open::<Error>(dir, bytes_max, from, kind, &mut |block, at, payload| {
            let mut batch = Batch::default();
            newest = newest.max(Some(block));
            let stored = Stored::decode(payload).map_err(|_| Error::Decode(block))?;
            let id = stored.id(block);
            let before = location(&index, &id)?.filter(|it| *it < at && !stored.missing);
            if let Some(before) = before {
                // A crash came before the record that this one replaces was overwritten.
                let old = segments::read_wipeable(dir, block, before)?;
                let old = old.and_then(|old| Stored::decode(old).ok()).unwrap_or_default();
                key_hashes(&old.rwset).iter().for_each(|it| batch.remove(key_entry(&id, it)));
                replaced.push(before);
            }
            add(&mut batch, block, &stored, at);
            Ok(index.apply_batch(batch)?)
        })?;
        segments::wipe(dir, &replaced)?;
        let (cut_behind, dir) = (newest.filter(|_| data.was_cut()), dir.to_owned());
        let data = Mutex::new(data);
        let mut this = Self { dir, data, index, kept_until: 0, cut_behind };
        if end.is_some_and(|end| (end.segment, end.end()) > this.data.lock().end()) {
            this.miss_what_is_gone()?;
        }
        let newest = this.index.scan_prefix([DATA]).keys().next_back().transpose()?;
        let newest = newest.and_then(|key| Some(Id::from_bytes(key.get(1..)?)?.block));
        this.kept_until = newest.map_or(0, |block| block.saturating_add(1));
        Ok(this)
    }

    /// An append that was interrupted is not in the index. What the index knows of a place behind
    /// the end of the log was on disk once and is missing now.
    fn miss_what_is_gone(&self) -> Result<(), Error> {
        let end = self.data.lock().end();
        let mut lost: BTreeMap<u64, Vec<Stored>> = BTreeMap::new();
        for entry in self.index.scan_prefix([DATA]) {
            let (key, value) = entry?;
            let id = key.get(1..).and_then(Id::from_bytes).ok_or(Error::DamagedIndex)?;
            let at = Location::from_bytes(&value).ok_or(Error::DamagedIndex)?;
            if (at.segment, at.offset) >= end {
                lost.entry(id.block).or_default().push(Stored::of(&id, None));
            }
        }
        for (block, records) in lost {
            tracing::warn!(dir = %self.dir.display(), block, records = records.len(),
                "private data that was on disk is damaged and counts as missing");
            let ids = records.iter().map(|it| prefixed(DATA, &it.id(block).to_bytes()));
            let mut batch = Batch::default();
            ids.for_each(|id| batch.remove(id));
            let records: Vec<_> = records.into_iter().map(|it| (block, it)).collect();
            self.append_records(&records)?;
            self.index.apply_batch(batch)?;
        }
        Ok(())
    }

    /// Keeps the private data of a block, and which of it is missing; returns when on disk.
    pub(crate) fn append(
        &self,
        block: u64,
        present: &BTreeMap<Missing, Bytes>,
        missing: &[Missing],
    ) -> Result<(), Error> {
        let id = |it: &Missing| Id {
            block,
            tx: it.tx,
            namespace: it.namespace.clone(),
            collection: it.collection.clone(),
        };
        let mut records: Vec<_> = present
            .iter()
            .map(|(it, set)| (block, Stored::of(&id(it), Some(set.clone()))))
            .collect();
        records.extend(missing.iter().map(|it| (block, Stored::of(&id(it), None))));
        self.append_records(&records)
    }

    /// Notes what is missing of several blocks, as far as nothing is known of it.
    pub(crate) fn add_missing(&self, missing: &BTreeSet<(u64, Missing)>) -> Result<(), Error> {
        let mut records = Vec::new();
        for (block, it) in missing {
            let (namespace, collection) = (it.namespace.clone(), it.collection.clone());
            let id = Id { block: *block, tx: it.tx, namespace, collection };
            let bytes = id.to_bytes();
            let known = self.index.get(prefixed(DATA, &bytes))?.is_some()
                || self.index.get(prefixed(MISSING, &bytes))?.is_some();
            if !known {
                records.push((*block, Stored::of(&id, None)));
            }
        }
        self.append_records(&records)
    }

    fn append_records(&self, records: &[(u64, Stored)]) -> Result<(), Error> {
        let payloads: Vec<_> =
            records.iter().map(|(block, it)| (*block, Bytes::from(it.encode_to_vec()))).collect();
        let mut data = self.data.lock();
        let locations = data.append(&payloads)?;
        let mut batch = Batch::default();
        let mut replaced = Vec::new();
        for ((block, stored), at) in records.iter().zip(locations) {
            let before = location(&self.index, &stored.id(*block))?;
            replaced.extend(before.filter(|_| !stored.missing));
            add(&mut batch, *block, stored, at);
        }
        // Before the index: as long as it knows the old record, opening can do this again.
        segments::wipe(&self.dir, &replaced).inspect_err(|_| data.fail())?;
        self.index.apply_batch(batch).inspect_err(|_| data.fail())?;
        Ok(())
    }

    /// The newest block before a tail that opening cut off: of it and of later ones something may
    /// be gone that was on disk.
    pub(crate) fn cut_behind(&self) -> Option<u64> {
        self.cut_behind
    }

    /// The write set of one collection, if it is here.
    pub(crate) fn get(&self, id: &Id) -> Result<Option<Bytes>, Error> {
        let Some(location) = location(&self.index, id)? else { return Ok(None) };
        let payload = segments::read_wipeable(&self.dir, id.block, location)?;
        let Some(payload) = payload else { return Ok(None) };
        let stored = Stored::decode(payload).map_err(|_| Error::Decode(id.block))?;
        Ok(Some(stored.rwset))
    }

    /// All write sets of a block that are here.
    pub(crate) fn block(&self, number: u64) -> Result<BTreeMap<Missing, Bytes>, Error> {
        let mut found = BTreeMap::new();
        for key in self.index.scan_prefix(prefixed(DATA, &number.to_be_bytes())).keys() {
            let id = key?.get(1..).and_then(Id::from_bytes).ok_or(Error::DamagedIndex)?;
            if let Some(rwset) = self.get(&id)? {
                found.insert(missing(id), rwset);
            }
        }
        Ok(found)
    }

    /// The blocks up to `last` of which something is here, ascending.
    pub(crate) fn blocks_through(&self, last: u64) -> Result<BTreeSet<u64>, Error> {
        let mut found = BTreeSet::new();
        for key in self.index.scan_prefix([DATA]).keys() {
            let id = key?.get(1..).and_then(Id::from_bytes).ok_or(Error::DamagedIndex)?;
            if id.block > last {
                break;
            }
            found.insert(id.block);
        }
        Ok(found)
    }

    /// The number after the newest block of which something was here when the log was opened.
    /// That is above the chain if the chain was cut back, or a commit was interrupted.
    pub(crate) fn kept_until(&self) -> u64 {
        self.kept_until
    }

    /// What is missing, of the newest `limit` blocks below `height` in which something is.
    pub(crate) fn missing(
        &self,
        height: u64,
        limit: usize,
    ) -> Result<BTreeMap<u64, Vec<Missing>>, Error> {
        let mut found: BTreeMap<u64, Vec<Missing>> = BTreeMap::new();
        for key in self.index.scan_prefix([MISSING]).keys().rev() {
            let id = key?.get(1..).and_then(Id::from_bytes).ok_or(Error::DamagedIndex)?;
            if id.block >= height {
                continue;
            }
            if found.len() == limit && !found.contains_key(&id.block) {
                break;
            }
            found.entry(id.block).or_default().push(missing(id));
        }
        Ok(found)
    }

    /// The write sets in which a key occurs, oldest first.
    pub(crate) fn with_key(
        &self,
        namespace: &str,
        collection: &str,
        key_hash: &[u8],
    ) -> Result<Vec<Id>, Error> {
        let prefix = key_prefix(namespace, collection, key_hash);
        let mut found = Vec::new();
        for key in self.index.scan_prefix(&prefix).keys() {
            let key = key?;
            let position = key.get(prefix.len()..).and_then(|it| it.split_first_chunk::<8>());
            let (block, tx) = position.ok_or(Error::DamagedIndex)?;
            found.push(Id {
                block: u64::from_be_bytes(*block),
                tx: u32::from_be_bytes(tx.try_into().map_err(|_| Error::DamagedIndex)?),
                namespace: namespace.to_owned(),
                collection: collection.to_owned(),
            });
        }
        Ok(found)
    }

    /// The clear form of a hashed key, if some write set here has it.
    pub(crate) fn clear_key(
        &self,
        namespace: &str,
        collection: &str,
        key_hash: &[u8],
    ) -> Result<Option<String>, Error> {
        for id in self.with_key(namespace, collection, key_hash)? {
            if location(&self.index, &id)?.is_none() {
                continue;
            }
            let set = self.get(&id)?.unwrap_or_default();
            let set = KvrwSet::decode(set).map_err(|_| Error::Decode(id.block))?;
            let mut keys = set.writes.into_iter().map(|write| write.key);
            // Before anything is overwritten, index and state are flushed. So if the key is gone
            // already, they have lost what was on disk.
            return match keys.find(|key| proto::sha256(key.as_bytes()) == key_hash) {
                Some(key) => Ok(Some(key)),
                None => Err(self.index.damaged("it is older than the private data").into()),
            };
        }
        Ok(None)
    }

    /// Removes write sets, and overwrites their bytes. What is gone already stays gone.
    pub(crate) fn erase(&self, ids: &[Id]) -> Result<(), Error> {
        let mut batch = Batch::default();
        let mut locations = Vec::new();
        for id in ids {
            batch.remove(prefixed(MISSING, &id.to_bytes()));
            let Some(location) = location(&self.index, id)? else { continue };
            for hash in self.get(id)?.iter().flat_map(key_hashes) {
                batch.remove(key_entry(id, &hash));
            }
            batch.remove(prefixed(DATA, &id.to_bytes()));
            locations.push(location);
        }
        segments::wipe(&self.dir, &locations)?;
        Ok(self.index.apply_batch(batch)?)
    }

    /// Removes one key from a write set: a new one takes its place, and the old bytes are overwritten.
    pub(crate) fn trim(&self, id: &Id, key_hash: &[u8]) -> Result<(), Error> {
        if let Some(rwset) = self.get(id)? {
            let trimmed = without(&rwset, |hash| Ok::<_, Error>(hash == key_hash))?;
            // After a crash the new one may be there already.
            if trimmed != rwset {
                self.append_records(&[(id.block, Stored::of(id, Some(trimmed)))])?;
            }
        }
        self.index.remove(key_entry(id, key_hash))?;
        Ok(())
    }
}

fn location(index: &Tree, id: &Id) -> Result<Option<Location>, Error> {
    let found = index.get(prefixed(DATA, &id.to_bytes()))?;
    found.map(|bytes| Location::from_bytes(&bytes).ok_or(Error::DamagedIndex)).transpose()
}

fn missing(id: Id) -> Missing {
    Missing { tx: id.tx, namespace: id.namespace, collection: id.collection }
}

fn add(batch: &mut Batch, block: u64, stored: &Stored, location: Location) {
    let id = stored.id(block);
    let bytes = id.to_bytes();
    if stored.missing {
        batch.insert(prefixed(MISSING, &bytes), []);
    } else {
        batch.insert(prefixed(DATA, &bytes), location.to_bytes());
        batch.remove(prefixed(MISSING, &bytes));
        for hash in key_hashes(&stored.rwset) {
            batch.insert(key_entry(&id, &hash), []);
        }
    }
    batch.insert(END, location.to_bytes());
}

fn prefixed(kind: u8, bytes: &[u8]) -> Vec<u8> {
    [&[kind], bytes].concat()
}

fn key_prefix(namespace: &str, collection: &str, key_hash: &[u8]) -> Vec<u8> {
    let parts: [&[u8]; 6] =
        [&[KEY], namespace.as_bytes(), b"\0", collection.as_bytes(), b"\0", key_hash];
    parts.concat()
}

fn key_entry(id: &Id, key_hash: &[u8]) -> Vec<u8> {
    let mut out = key_prefix(&id.namespace, &id.collection, key_hash);
    out.extend_from_slice(&id.block.to_be_bytes());
    out.extend_from_slice(&id.tx.to_be_bytes());
    out
}
