//! The durable log of private data and its index.
//!
//! A record is never changed, but it can be wiped. The index may still know a wiped record after a
//! crash; reading it then finds nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use parking_lot::Mutex;
use prost::Message;
use proto::kvrwset::KvrwSet;
use sled::{Batch, Db, Tree};

use super::record::{Id, Stored, key_hashes};
use super::{Config, Error, Missing};
use crate::segments::{self, Location, Log};

/// Kinds of index keys: location of an id, missing id, id by key hash, newest indexed segment.
const DATA: u8 = b'd';
const MISSING: u8 = b'm';
const KEY: u8 = b'k';
const SEGMENT: &[u8] = b"s";

#[derive(Debug)]
pub(crate) struct PrivateStore {
    dir: PathBuf,
    data: Mutex<Log>,
    index: Tree,
}

impl PrivateStore {
    pub(crate) fn open(dir: &Path, db: &Db, config: &Config) -> Result<Self, Error> {
        let index = db.open_tree("private")?;
        let from = index.get(SEGMENT)?.and_then(|it| it.as_ref().try_into().ok());
        let from = from.map_or(0, u64::from_be_bytes);
        let bytes_max = config.segment_bytes_max;
        let mut replaced = Vec::new();
        let data = Log::open::<Error>(dir, bytes_max, from, true, &mut |block, at, payload| {
            let mut batch = Batch::default();
            let stored = Stored::decode(payload).map_err(|_| Error::Decode(block))?;
            let before = location(&index, &stored.id(block))?;
            replaced.extend(before.filter(|before| *before < at && !stored.missing));
            add(&mut batch, block, &stored, at);
            Ok(index.apply_batch(batch)?)
        })?;
        segments::wipe(dir, &replaced)?;
        Ok(Self { dir: dir.to_owned(), data: Mutex::new(data), index })
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
        let mut records: Vec<_> =
            present.iter().map(|(it, set)| Stored::of(&id(it), Some(set.clone()))).collect();
        records.extend(missing.iter().map(|it| Stored::of(&id(it), None)));
        self.append_records(block, &records)
    }

    fn append_records(&self, block: u64, records: &[Stored]) -> Result<(), Error> {
        let payloads: Vec<_> =
            records.iter().map(|it| (block, Bytes::from(it.encode_to_vec()))).collect();
        let mut data = self.data.lock();
        let locations = data.append(&payloads)?;
        let mut batch = Batch::default();
        let mut replaced = Vec::new();
        for (stored, at) in records.iter().zip(locations) {
            let before = location(&self.index, &stored.id(block))?;
            replaced.extend(before.filter(|_| !stored.missing));
            add(&mut batch, block, stored, at);
        }
        // Before the index: as long as it knows the old record, opening can do this again.
        segments::wipe(&self.dir, &replaced).inspect_err(|_| data.fail())?;
        self.index.apply_batch(batch).inspect_err(|_| data.fail())?;
        Ok(())
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

    /// What is missing, of the newest `limit` blocks in which something is.
    pub(crate) fn missing(&self, limit: usize) -> Result<BTreeMap<u64, Vec<Missing>>, Error> {
        let mut found: BTreeMap<u64, Vec<Missing>> = BTreeMap::new();
        for key in self.index.scan_prefix([MISSING]).keys().rev() {
            let id = key?.get(1..).and_then(Id::from_bytes).ok_or(Error::DamagedIndex)?;
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
        let Some(rwset) = self.get(id)? else { return Ok(()) };
        let mut set = KvrwSet::decode(rwset).map_err(|_| Error::Decode(id.block))?;
        let other = |key: &str| proto::sha256(key.as_bytes()) != key_hash;
        let before = set.encoded_len();
        set.writes.retain(|write| other(&write.key));
        set.metadata_writes.retain(|write| other(&write.key));
        // After a crash the new one may be there already.
        if set.encoded_len() != before {
            self.append_records(id.block, &[Stored::of(id, Some(set.encode_to_vec().into()))])?;
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
        batch.insert(prefixed(MISSING, &bytes), &[]);
    } else {
        batch.insert(prefixed(DATA, &bytes), &location.to_bytes());
        batch.remove(prefixed(MISSING, &bytes));
        for hash in key_hashes(&stored.rwset) {
            batch.insert(key_entry(&id, &hash), &[]);
        }
    }
    batch.insert(SEGMENT, &location.segment.to_be_bytes());
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
