//! All ledgers of a node.

use std::path::Path;
use std::sync::Arc;

use proto::common::Block;

use crate::{Config, Error, Ledger};

/// The ledgers of a node, one folder for each channel.
#[derive(Debug)]
pub struct Ledgers {}

impl Ledgers {
    /// Opens the ledgers in `dir`, each brought to the height of its chain.
    pub fn open(_dir: impl AsRef<Path>, _config: Config) -> Result<Self, Error> {
        todo!()
    }

    /// Creates the ledger of a channel from its first block.
    pub fn create(&self, _channel_id: &str, _genesis: &Block) -> Result<Arc<Ledger>, Error> {
        todo!()
    }

    /// The ledger of a channel.
    pub fn get(&self, _channel_id: &str) -> Option<Arc<Ledger>> {
        todo!()
    }

    /// Channels with a ledger, ascending.
    pub fn list(&self) -> Vec<String> {
        todo!()
    }
}
