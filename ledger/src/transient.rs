//! Private write sets between endorsement and commit.

use std::path::Path;

use proto::rwset::TxPvtReadWriteSet;
use proto::transientstore::TxPvtReadWriteSetWithConfigInfo;

use crate::Error;

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

/// Keeps private write sets by transaction id until they are committed or too old.
#[derive(Debug)]
pub struct TransientStore {}

impl TransientStore {
    pub(crate) fn open(_dir: &Path, _db: &sled::Db) -> Result<Self, Error> {
        todo!()
    }
    /// Keeps `entry` for the transaction. Several endorsements of one transaction may differ.
    pub fn persist(&self, _tx_id: &str, _entry: &TransientEntry) -> Result<(), Error> {
        todo!()
    }
    /// All entries of a transaction.
    pub fn get(&self, _tx_id: &str) -> Result<Vec<TransientEntry>, Error> {
        todo!()
    }
    /// Forgets the transactions, because they are committed.
    pub fn purge_by_tx_ids<'a>(
        &self,
        _tx_ids: impl IntoIterator<Item = &'a str>,
    ) -> Result<(), Error> {
        todo!()
    }
    /// Forgets everything received below `height`.
    pub fn purge_below_height(&self, _height: u64) -> Result<(), Error> {
        todo!()
    }
}
