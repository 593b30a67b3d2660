//! Where blocks are: by number, by hash, by transaction id.
//!
//! One sled tree with keys that begin with their kind, so that all entries of a block are one
//! atomic batch. The height says which blocks are in it.

use std::path::{Path, PathBuf};

use sled::IVec;

use super::Error;
use crate::database::{self, Batch, Database, Tree};
use crate::segments::Location;
use crate::{DatabaseError, Snapshot};

const NUMBER: u8 = b'n';
const HASH: u8 = b'h';
const TRANSACTION: u8 = b't';
const HEIGHT: &[u8] = b"s";

/// What is indexed of one block.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) number: u64,
    pub(crate) hash: [u8; 32],
    pub(crate) location: Location,
    /// Ids in the order of the transactions; empty if transactions are not indexed.
    pub(crate) tx_ids: Vec<Option<String>>,
}

/// Where the first transaction with an id is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Block and position.
    At(u64, u32),
    /// In a block before the snapshot the chain began from.
    Before,
}

/// Transaction ids of a snapshot that enter the index in one batch.
const BATCH_IDS_MAX: usize = 4096;

#[derive(Debug, Clone)]
pub(crate) struct Index {
    db: Tree,
    dir: PathBuf,
}

impl Index {
    /// Opens or creates the index; a damaged one is replaced by an empty one.
    pub(crate) fn open(dir: &Path, cache_bytes: u64) -> Result<Self, Error> {
        let db = Database::open(dir, cache_bytes, &[database::BLOCKS])?;
        Ok(Self { db: db.tree(&database::BLOCKS)?, dir: dir.to_owned() })
    }

    /// Opens an index as it is, damaged or not.
    pub(crate) fn examine(dir: &Path, cache_bytes: u64) -> Result<Self, DatabaseError> {
        let db = Database::examine(dir, cache_bytes, &[database::BLOCKS])?;
        Ok(Self { db: db.tree(&database::BLOCKS)?, dir: dir.to_owned() })
    }

    fn damaged(&self) -> Error {
        Error::DamagedIndex { dir: self.dir.clone() }
    }

    fn get(&self, kind: u8, key: &[u8]) -> Result<Option<IVec>, Error> {
        Ok(self.db.get(prefixed(kind, key))?)
    }

    /// How many blocks are indexed.
    pub(crate) fn height(&self) -> Result<u64, Error> {
        let height = self.db.get(HEIGHT)?;
        height.map_or(Ok(0), |bytes| number(&bytes).ok_or_else(|| self.damaged()))
    }

    pub(crate) fn location(&self, number: u64) -> Result<Option<Location>, Error> {
        let found = self.get(NUMBER, &number.to_be_bytes())?;
        found.map(|bytes| Location::from_bytes(&bytes).ok_or_else(|| self.damaged())).transpose()
    }

    pub(crate) fn by_hash(&self, hash: &[u8]) -> Result<Option<u64>, Error> {
        let found = self.get(HASH, hash)?;
        found.map(|bytes| number(&bytes).ok_or_else(|| self.damaged())).transpose()
    }

    /// Where the first transaction with this id is.
    pub(crate) fn by_tx_id(&self, tx_id: &str) -> Result<Option<Place>, Error> {
        let found = self.get(TRANSACTION, tx_id.as_bytes())?;
        found.map(|bytes| place(&bytes).ok_or_else(|| self.damaged())).transpose()
    }

    pub(crate) fn has_tx_id(&self, tx_id: &str) -> Result<bool, Error> {
        Ok(self.get(TRANSACTION, tx_id.as_bytes())?.is_some())
    }

    /// The ids of all transactions up to block `last`, ascending.
    pub(crate) fn tx_ids_through(
        &self,
        last: u64,
    ) -> impl Iterator<Item = Result<String, Error>> + '_ {
        self.db.scan_prefix([TRANSACTION]).filter_map(move |entry| {
            let id = entry.map_err(Error::from).and_then(|(key, value)| {
                match place(&value).ok_or_else(|| self.damaged())? {
                    Place::At(number, _) if number > last => Ok(None),
                    _ => {
                        let id = key.get(1..).and_then(|id| std::str::from_utf8(id).ok());
                        id.map(|id| Some(id.to_owned())).ok_or_else(|| self.damaged())
                    }
                }
            });
            id.transpose()
        })
    }

    /// All transaction ids and where they are, ascending by id.
    pub(crate) fn transactions(&self) -> impl Iterator<Item = Result<(String, Place), Error>> + '_ {
        self.db.scan_prefix([TRANSACTION]).map(|entry| {
            let (key, value) = entry?;
            let id = key.get(1..).and_then(|id| std::str::from_utf8(id).ok());
            let place = place(&value).ok_or_else(|| self.damaged())?;
            Ok((id.ok_or_else(|| self.damaged())?.to_owned(), place))
        })
    }

    /// Begins an empty index behind a snapshot, with the ids of its transactions. The height comes
    /// last: without it what is there is not used.
    pub(crate) fn begin(&self, base: &Snapshot) -> Result<(), Error> {
        let mut pending = Batch::default();
        let mut count = 0;
        base.tx_ids::<Error>(&mut |id| {
            pending.insert_new(prefixed(TRANSACTION, id.as_bytes()), []);
            count += 1;
            if count % BATCH_IDS_MAX == 0 {
                self.db.apply_batch(std::mem::take(&mut pending))?;
            }
            Ok(())
        })?;
        pending.insert(HEIGHT, base.next_block().to_be_bytes());
        self.db.apply_batch(pending)?;
        self.flush()
    }

    /// Adds blocks that follow those already there.
    pub(crate) fn add(&self, entries: &[Entry]) -> Result<(), Error> {
        let mut batch = Batch::default();
        let mut fresh = std::collections::BTreeSet::new();
        for entry in entries {
            let number = entry.number.to_be_bytes();
            batch.insert_new(prefixed(NUMBER, &number), entry.location.to_bytes());
            batch.insert_new(prefixed(HASH, &entry.hash), number);
            for (index, tx_id) in (0u32..).zip(&entry.tx_ids) {
                // What has no id has the empty one, which Fabric's snapshots list like any other.
                let tx_id = tx_id.as_deref().unwrap_or_default();
                if fresh.insert(tx_id) && !self.has_tx_id(tx_id)? {
                    let mut value = [0; 12];
                    value[..8].copy_from_slice(&number);
                    value[8..].copy_from_slice(&index.to_be_bytes());
                    batch.insert_new(prefixed(TRANSACTION, tx_id.as_bytes()), value);
                }
            }
            batch.insert(HEIGHT, (entry.number + 1).to_be_bytes());
        }
        Ok(self.db.apply_batch(batch)?)
    }

    pub(crate) fn clear(&self) -> Result<(), Error> {
        Ok(self.db.clear()?)
    }

    pub(crate) fn flush(&self) -> Result<(), Error> {
        Ok(self.db.flush()?)
    }
}

fn prefixed(kind: u8, key: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(key.len() + 1);
    out.push(kind);
    out.extend_from_slice(key);
    out
}

fn number(bytes: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(bytes.try_into().ok()?))
}

fn place(bytes: &[u8]) -> Option<Place> {
    if bytes.is_empty() {
        return Some(Place::Before);
    }
    let (block, index) = bytes.split_first_chunk::<8>()?;
    Some(Place::At(u64::from_be_bytes(*block), u32::from_be_bytes(index.try_into().ok()?)))
}
