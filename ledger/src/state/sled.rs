//! The state in sled: the embedded default.
//!
//! An entry's value is the version (two varints), the length of the metadata (varint), the
//! metadata, and the value. Changes are collected in memory ([`Buffered`]) and nothing is flushed
//! per block: what a crash takes is replayed from the blocks.

use std::sync::Arc;

use bytes::{Buf, Bytes};
use prost::encoding::{decode_varint, encode_varint};
use sled::IVec;

use super::buffer::Buffered;
use super::snapshot::{Changes, Snapshots, Table};
use super::{Config, Error, StateDb, StateKey};
use crate::database::{self, Batch, Database, Tree};
use crate::{Version, Versioned};

/// The state in a database that is shared with other indexes of the channel.
pub(crate) fn on_sled(db: &Database, config: &Config) -> Result<Arc<dyn StateDb>, Error> {
    let table = Buffered::new(Sled { tree: db.tree(&database::STATE)? }, config)?;
    Ok(Arc::new(Snapshots::new(table, config.view_lag_blocks_max)?))
}

/// Key of the savepoint, behind all others.
const SAVEPOINT: [u8; 2] = [0xff; 2];

#[derive(Debug)]
struct Sled {
    tree: Tree,
}

impl Table for Sled {
    fn savepoint(&self) -> Result<Option<u64>, Error> {
        let Some(bytes) = self.tree.get(SAVEPOINT)? else { return Ok(None) };
        let bytes = bytes.as_ref().try_into().map_err(|_| Error::Damaged("savepoint"))?;
        Ok(Some(u64::from_be_bytes(bytes)))
    }

    fn get(&self, key: &StateKey) -> Result<Option<Versioned>, Error> {
        self.tree.get(key.as_bytes())?.map(|bytes| decode(&bytes)).transpose()
    }

    fn version(&self, key: &StateKey) -> Result<Option<Version>, Error> {
        let found = self.tree.get(key.as_bytes())?;
        found.map(|bytes| decode_version(&mut bytes.as_ref())).transpose()
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
        let mut found = Vec::new();
        for entry in self.tree.range(start.as_bytes()..end.as_bytes()).take(limit) {
            let (key, value) = entry?;
            found.push((StateKey::from_bytes(&key), decode(&value)?));
        }
        Ok(found)
    }

    fn write(&self, savepoint: Option<u64>, updates: &Changes) -> Result<(), Error> {
        let mut changes = Batch::default();
        for (key, entry) in updates {
            match entry {
                Some(entry) => changes.insert(key.as_bytes(), encode(entry)),
                None => changes.remove(key.as_bytes()),
            }
        }
        if let Some(block) = savepoint {
            changes.insert(&SAVEPOINT, block.to_be_bytes());
        }
        Ok(self.tree.apply_batch(changes)?)
    }

    fn clear(&self) -> Result<(), Error> {
        Ok(self.tree.clear()?)
    }

    fn flush(&self) -> Result<(), Error> {
        self.tree.flush()?;
        Ok(())
    }
}

fn encode(entry: &Versioned) -> Vec<u8> {
    let mut out = Vec::with_capacity(entry.value.len() + entry.metadata.len() + 12);
    encode_varint(entry.version.block, &mut out);
    encode_varint(entry.version.tx, &mut out);
    encode_varint(entry.metadata.len() as u64, &mut out);
    out.extend_from_slice(&entry.metadata);
    out.extend_from_slice(&entry.value);
    out
}

fn decode_version(bytes: &mut &[u8]) -> Result<Version, Error> {
    let mut number = || decode_varint(bytes).map_err(|_| Error::Damaged("version"));
    Ok(Version::new(number()?, number()?))
}

fn decode(bytes: &IVec) -> Result<Versioned, Error> {
    let mut rest = bytes.as_ref();
    let version = decode_version(&mut rest)?;
    let length = decode_varint(&mut rest).map_err(|_| Error::Damaged("metadata"))?;
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if length > rest.remaining() {
        return Err(Error::Damaged("metadata"));
    }
    let (metadata, value) = rest.split_at(length);
    Ok(Versioned {
        value: Bytes::copy_from_slice(value),
        metadata: Bytes::copy_from_slice(metadata),
        version,
    })
}
