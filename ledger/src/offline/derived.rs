//! Everything in a ledger that follows from its blocks, in an order in which two can be compared.

use std::sync::Arc;

use crate::block_store::{Index, Place};
use crate::history::History;
use crate::state::{Scan, StateDb, StateKey};
use crate::{Error, Position, View, config_history, private_data};

use super::StoredBlock;

/// A transaction id and where it first occurs.
pub type TransactionEntry = (String, Option<Position>);

/// State, history and indexes of a ledger.
#[derive(Debug)]
pub struct Derived {
    state: Arc<dyn StateDb>,
    history: Option<History>,
    index: Index,
}

/// One entry of the history: a transaction that wrote a public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryEntry {
    /// The key.
    pub key: StateKey,
    /// The transaction.
    pub position: Position,
    /// The bytes by which entries are ordered.
    order: Vec<u8>,
}

impl HistoryEntry {
    /// The bytes by which entries are ordered.
    pub fn order(&self) -> &[u8] {
        &self.order
    }
}

impl Derived {
    pub(crate) fn new(state: Arc<dyn StateDb>, history: Option<History>, index: Index) -> Self {
        Self { state, history, index }
    }

    /// The newest block in the state; nothing if the state is empty.
    pub fn state_savepoint(&self) -> Result<Option<u64>, Error> {
        Ok(self.state.savepoint()?)
    }

    /// The state.
    pub fn view(&self) -> Result<View, Error> {
        Ok(View::new(self.state.view()?))
    }

    /// What the ledger notes beside the state and what follows from blocks alone: collections by
    /// the block that defined them, which private keys expire in which block, and which were purged.
    pub fn notes(&self) -> Result<impl Iterator<Item = <Scan as Iterator>::Item> + use<>, Error> {
        let kind = |kind: u8| (StateKey::internal(kind, &[]), StateKey::internal(kind + 1, &[]));
        let mut scans = Vec::new();
        for it in [config_history::KIND, private_data::EXPIRING_KEY, private_data::PURGED] {
            let (start, end) = kind(it);
            scans.push(Scan::new(self.state.view()?, start, end));
        }
        Ok(scans.into_iter().flatten())
    }

    /// The newest block in the history; nothing if no history is kept.
    pub fn history_savepoint(&self) -> Result<Option<u64>, Error> {
        let savepoint = self.history.as_ref().map(History::savepoint).transpose();
        Ok(savepoint.map_err(|source| Error::Database { name: "history", source })?.flatten())
    }

    /// The history, in an order of its own.
    pub fn history(&self) -> impl Iterator<Item = Result<HistoryEntry, Error>> + use<> {
        let entries = self.history.as_ref().map(History::entries).into_iter().flatten();
        entries.map(|entry| {
            let (order, key, position) = entry?;
            Ok(HistoryEntry { key, position, order })
        })
    }

    /// How many blocks are in the index of blocks.
    pub fn indexed_height(&self) -> Result<u64, Error> {
        Ok(self.index.height()?)
    }

    /// Where each transaction id first occurs, by id; nothing if it is in a block before the
    /// snapshot the ledger began from.
    pub fn transactions(&self) -> impl Iterator<Item = Result<TransactionEntry, Error>> + '_ {
        self.index.transactions().map(|entry| match entry? {
            (id, Place::At(block, tx)) => Ok((id, Some(Position { block, tx }))),
            (id, Place::Before) => Ok((id, None)),
        })
    }

    /// The block whose header has this hash, as the index says.
    pub fn number_of(&self, hash: &[u8]) -> Result<Option<u64>, Error> {
        Ok(self.index.by_hash(hash)?)
    }

    /// Whether the index finds a block where it is.
    pub fn finds(&self, block: &StoredBlock) -> Result<bool, Error> {
        Ok(self.index.location(block.number)? == Some(block.location))
    }
}
