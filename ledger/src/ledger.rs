//! One channel's ledger.

use std::sync::Arc;

use bytes::Bytes;
use proto::common::{Block, BlockchainInfo};
use proto::rwset::TxPvtReadWriteSet;
use proto::transaction::TxValidationCode;
use tokio::sync::watch;

use crate::{
    CollectionConfigAt, Error, Missing, Modification, Position, PrivateWriteSets, Simulator,
    TransactionRecord, TransientStore, View,
};

/// A block after its commit.
#[derive(Debug, Clone)]
pub struct Committed {
    /// The block with its final validation codes and commit hash filled in.
    pub block: Block,
    /// The final validation codes.
    pub codes: Vec<TxValidationCode>,
    /// The commit hash; nothing for block 0.
    pub commit_hash: Option<Bytes>,
    /// Private data that was expected and not given.
    pub missing: Vec<Missing>,
}

/// Blocks, state, history and private data of one channel.
#[derive(Debug)]
pub struct Ledger {}

impl Ledger {
    /// The channel.
    pub fn channel_id(&self) -> &str {
        todo!()
    }
    /// How many blocks are committed.
    pub fn height(&self) -> u64 {
        todo!()
    }
    /// Follows the height. The value changes after a block is fully committed.
    pub fn watch(&self) -> watch::Receiver<u64> {
        todo!()
    }
    /// Height and the newest two hashes.
    pub fn info(&self) -> Result<BlockchainInfo, Error> {
        todo!()
    }
    /// The block with this number, if there is one yet.
    pub fn block(&self, _number: u64) -> Result<Option<Block>, Error> {
        todo!()
    }
    /// The block whose header has this hash.
    pub fn block_by_hash(&self, _hash: &[u8]) -> Result<Option<Block>, Error> {
        todo!()
    }
    /// The block with the first transaction of this id.
    pub fn block_by_tx_id(&self, _tx_id: &str) -> Result<Option<Block>, Error> {
        todo!()
    }
    /// The first transaction with this id, valid or not.
    pub fn transaction(&self, _tx_id: &str) -> Result<Option<TransactionRecord>, Error> {
        todo!()
    }
    /// Whether a transaction with this id is in the chain, valid or not.
    pub fn tx_exists(&self, _tx_id: &str) -> Result<bool, Error> {
        todo!()
    }
    /// A consistent view of the newest state.
    pub fn view(&self) -> Result<View, Error> {
        todo!()
    }
    /// Starts to record what a transaction reads and writes.
    pub fn simulator(&self, _tx_id: &str) -> Result<Simulator, Error> {
        todo!()
    }
    /// Writes of a public key, newest first: at most `limit`, older than `before`.
    pub fn history(
        &self,
        _namespace: &str,
        _key: &str,
        _before: Option<Position>,
        _limit: usize,
    ) -> Result<Vec<Modification>, Error> {
        todo!()
    }
    /// Validates the reads of the transactions whose code is `VALID` so far, then commits the
    /// block.
    pub fn commit(
        &self,
        _block: Block,
        _codes: Vec<TxValidationCode>,
        _private: PrivateWriteSets,
    ) -> Result<Committed, Error> {
        todo!()
    }
    /// Private data of a block by position of the transaction, as far as this peer has it.
    pub fn private_data(
        &self,
        _block: u64,
    ) -> Result<std::collections::BTreeMap<u32, TxPvtReadWriteSet>, Error> {
        todo!()
    }
    /// Private data this peer should have and does not: at most `limit` blocks, newest first.
    pub fn missing_private_data(
        &self,
        _limit: usize,
    ) -> Result<std::collections::BTreeMap<u64, Vec<Missing>>, Error> {
        todo!()
    }
    /// Adds private data of a committed block that arrived late.
    pub fn add_private_data(&self, _block: u64, _private: PrivateWriteSets) -> Result<(), Error> {
        todo!()
    }
    /// The collections of a chaincode, as committed by the newest block below `height`.
    pub fn collections_below(
        &self,
        _chaincode: &str,
        _height: u64,
    ) -> Result<Option<CollectionConfigAt>, Error> {
        todo!()
    }
    /// Private write sets of endorsed transactions.
    pub fn transient_store(&self) -> &Arc<TransientStore> {
        todo!()
    }
}
