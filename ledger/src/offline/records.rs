//! Blocks and private data, read from their files.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use prost::Message;

use crate::private_data::Stored;
use crate::segments::{self, Location, Torn, Walk, Walked};
use crate::{SegmentsError, private_data};

/// One stored block, undecoded.
#[derive(Debug, Clone)]
pub struct StoredBlock {
    /// The number under which it is stored.
    pub number: u64,
    /// The encoded block.
    pub bytes: Bytes,
    /// The file it is in.
    pub file: PathBuf,
    /// Where its record is.
    pub(crate) location: Location,
}

impl StoredBlock {
    /// Where its record begins in the file.
    pub fn offset(&self) -> u64 {
        self.location.offset
    }
}

/// The blocks of a chain in the order of their files.
#[derive(Debug)]
pub struct StoredBlocks {
    dir: PathBuf,
    walk: Walk,
}

impl StoredBlocks {
    pub(super) fn new(dir: &Path) -> Result<Self, SegmentsError> {
        Ok(Self { dir: dir.to_owned(), walk: Walk::new(dir, &segments::BLOCKS)? })
    }

    /// What stands behind the last block, once that has been read: an append that was
    /// interrupted or that is going on.
    pub fn torn(&self) -> Option<&Torn> {
        self.walk.torn()
    }
}

impl Iterator for StoredBlocks {
    type Item = Result<StoredBlock, SegmentsError>;

    fn next(&mut self) -> Option<Self::Item> {
        let found = self.walk.next()?;
        Some(found.map(|Walked { number, location, payload }| StoredBlock {
            number,
            bytes: payload.unwrap_or_default(),
            file: segments::path(&self.dir, location.segment),
            location,
        }))
    }
}

/// What stands in the log of private data about one collection written by one transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrivateRecord {
    /// Number of the block.
    pub block: u64,
    /// Position of the transaction.
    pub tx: u32,
    /// The namespace: a chaincode's name.
    pub namespace: String,
    /// Name of the collection.
    pub collection: String,
    /// The encoded write set; nothing if it is noted as missing.
    pub write_set: Option<Bytes>,
}

/// The log of private data. What was overwritten on purpose is passed over.
#[derive(Debug)]
pub struct PrivateRecords {
    walk: Option<Walk>,
}

impl PrivateRecords {
    pub(super) fn new(dir: &Path) -> Result<Self, SegmentsError> {
        let walk = dir.is_dir().then(|| Walk::new(dir, &segments::PRIVATE)).transpose()?;
        Ok(Self { walk })
    }
}

impl Iterator for PrivateRecords {
    type Item = Result<PrivateRecord, private_data::Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            return match self.walk.as_mut()?.next()? {
                Ok(Walked { payload: None, .. }) => continue,
                Ok(Walked { number, payload: Some(payload), .. }) => Some(record(number, payload)),
                Err(error) => Some(Err(error.into())),
            };
        }
    }
}

fn record(block: u64, payload: Bytes) -> Result<PrivateRecord, private_data::Error> {
    let stored = Stored::decode(payload).map_err(|_| private_data::Error::Decode(block))?;
    Ok(PrivateRecord {
        block,
        tx: stored.tx,
        namespace: stored.namespace,
        collection: stored.collection,
        write_set: (!stored.missing).then_some(stored.rwset),
    })
}
