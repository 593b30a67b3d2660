//! Where blocks are: by number, by hash, by transaction id.
//!
//! One sled tree with keys that begin with their kind, so that all entries of a block are one
//! atomic batch. The height says which blocks are in it.

use std::path::{Path, PathBuf};

use sled::IVec;

use super::Error;
use crate::database::{self, Batch, Database, Tree};
use crate::segments::Location;

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

#[derive(Debug)]
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

    /// Block and position of the first transaction with this id.
    pub(crate) fn by_tx_id(&self, tx_id: &str) -> Result<Option<(u64, u32)>, Error> {
        let found = self.get(TRANSACTION, tx_id.as_bytes())?;
        found.map(|bytes| position(&bytes).ok_or_else(|| self.damaged())).transpose()
    }

    pub(crate) fn has_tx_id(&self, tx_id: &str) -> Result<bool, Error> {
        Ok(self.get(TRANSACTION, tx_id.as_bytes())?.is_some())
    }

    /// All transaction ids, ascending.
    pub(crate) fn tx_ids(&self) -> impl Iterator<Item = Result<String, Error>> + '_ {
        self.db.scan_prefix([TRANSACTION]).keys().map(|key| {
            let key = key?;
            let id = key.get(1..).and_then(|id| std::str::from_utf8(id).ok());
            id.map(str::to_owned).ok_or_else(|| self.damaged())
        })
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
                let Some(tx_id) = tx_id.as_deref() else { continue };
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

fn position(bytes: &[u8]) -> Option<(u64, u32)> {
    let (block, index) = bytes.split_first_chunk::<8>()?;
    Some((u64::from_be_bytes(*block), u32::from_be_bytes(index.try_into().ok()?)))
}
