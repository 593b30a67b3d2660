//! The state before a block, as far as validation asks for it.

use bytes::Bytes;
use ledger::{Ledger, View};

use super::Halt;
use super::definitions::usable;
use super::endorsement::Key;
use crate::lifecycle::{Definition, definitions};

/// A ledger whose newest block is the one before the block to be judged.
#[derive(Debug)]
pub struct Before<'a> {
    ledger: &'a Ledger,
    view: View,
}

impl<'a> Before<'a> {
    /// The state of `ledger` as it is now.
    pub fn new(ledger: &'a Ledger) -> Result<Self, Halt> {
        Ok(Self { ledger, view: ledger.staged_view()? })
    }

    /// The state itself.
    pub fn view(&self) -> &View {
        &self.view
    }

    /// Whether the id stands in an earlier block, whatever became of that transaction.
    pub(super) fn tx_exists(&self, tx_id: &str) -> Result<bool, Halt> {
        Ok(self.ledger.tx_exists(tx_id)?)
    }

    /// The definition of a chaincode, if it is there and complete.
    pub(super) fn definition(&self, chaincode: &str) -> Result<Option<Definition>, Halt> {
        usable(definitions::get(&self.view, chaincode), chaincode)
    }

    /// The policy a key has of its own; an empty one counts as none.
    pub(super) fn key_policy(&self, key: &Key<'_>) -> Result<Option<Bytes>, Halt> {
        let found = match key.collection {
            Some(collection) => {
                self.view.hash_validation_parameter(key.namespace, collection, key.key)
            }
            None => {
                let name = std::str::from_utf8(key.key).unwrap_or_default();
                self.view.validation_parameter(key.namespace, name)
            }
        };
        Ok(found.map_err(ledger::Error::from)?.filter(|policy| !policy.is_empty()))
    }
}
