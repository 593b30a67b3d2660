//! Private write sets between endorsement and commit.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use prost::Message;
use proto::rwset::TxPvtReadWriteSet;
use proto::transientstore::TxPvtReadWriteSetWithConfigInfo;

use crate::database::{self, Batch, Database, Tree};
use crate::{DatabaseError, Error};

/// What an endorsement left for the commit of its transaction.
#[derive(Debug, Clone, PartialEq)]
pub struct TransientEntry {
    /// Height of the ledger when it was received.
    pub received_at: u64,
    /// The write set with the collection configurations it was endorsed under.
    pub private: TxPvtReadWriteSetWithConfigInfo,
}

impl TransientEntry {
    /// The private write set alone.
    pub fn write_set(&self) -> Option<&TxPvtReadWriteSet> {
        self.private.pvt_rwset.as_ref()
    }
}

/// Keeps private write sets by transaction id until they are committed or too old. Losing it
/// costs fetching the data from other peers, so it is not flushed for each entry.
#[derive(Debug)]
pub struct TransientStore {
    /// Entry by transaction id, NUL, height, ordinal.
    tree: Tree,
    /// Begins at the time of opening, so that it was not used before.
    ordinal: AtomicU64,
}

impl TransientStore {
    pub(crate) fn open(db: &Database) -> Result<Self, DatabaseError> {
        let tree = db.tree(&database::TRANSIENT)?;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let ordinal = u64::try_from(now.as_micros()).unwrap_or_default();
        Ok(Self { tree, ordinal: AtomicU64::new(ordinal) })
    }

    /// Keeps `entry` for the transaction. Several endorsements of one transaction may differ.
    pub fn persist(&self, tx_id: &str, entry: &TransientEntry) -> Result<(), Error> {
        let mut key = prefix(tx_id);
        key.extend_from_slice(&entry.received_at.to_be_bytes());
        key.extend_from_slice(&self.ordinal.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        self.tree.insert(key, entry.private.encode_to_vec()).map_err(failed)?;
        Ok(())
    }

    /// All entries of a transaction.
    pub fn get(&self, tx_id: &str) -> Result<Vec<TransientEntry>, Error> {
        let prefix = prefix(tx_id);
        let entries = self.tree.scan_prefix(&prefix).map(|entry| {
            let (key, value) = entry.map_err(failed)?;
            let received_at = received_at(&key).ok_or(Error::DamagedIndex("transient"))?;
            let private = TxPvtReadWriteSetWithConfigInfo::decode(value.as_ref())
                .map_err(|_| Error::DamagedIndex("transient"))?;
            Ok(TransientEntry { received_at, private })
        });
        entries.collect()
    }

    /// Forgets the transactions, because they are committed.
    pub fn purge_by_tx_ids<'a>(
        &self,
        tx_ids: impl IntoIterator<Item = &'a str>,
    ) -> Result<(), Error> {
        if self.tree.is_empty() {
            return Ok(());
        }
        let mut batch = Batch::default();
        for tx_id in tx_ids {
            for key in self.tree.scan_prefix(prefix(tx_id)).keys() {
                batch.remove(key.map_err(failed)?);
            }
        }
        self.tree.apply_batch(batch).map_err(failed)
    }

    /// Forgets everything received below `height`.
    pub fn purge_below_height(&self, height: u64) -> Result<(), Error> {
        for key in self.tree.iter().keys() {
            let key = key.map_err(failed)?;
            if received_at(&key).is_none_or(|received| received < height) {
                self.tree.remove(key).map_err(failed)?;
            }
        }
        Ok(())
    }
}

fn failed(source: DatabaseError) -> Error {
    Error::Database { name: "transient", source }
}

fn prefix(tx_id: &str) -> Vec<u8> {
    [tx_id.as_bytes(), b"\0"].concat()
}

/// The height in a key, which ends with height and ordinal.
fn received_at(key: &[u8]) -> Option<u64> {
    let tail = key.get(key.len().checked_sub(16)?..)?;
    Some(u64::from_be_bytes(*tail.first_chunk::<8>()?))
}
