//! All ledgers of a node.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::RwLock;
use proto::block;
use proto::common::Block;
use proto::transaction::TxValidationCode;

use crate::{Config, Error, Ledger, PrivateWriteSets, block_store, channel_id};

/// The ledgers of a node, one folder for each channel.
#[derive(Debug)]
pub struct Ledgers {
    dir: PathBuf,
    config: Config,
    open: RwLock<BTreeMap<String, Arc<Ledger>>>,
}

impl Ledgers {
    /// Opens the ledgers in `dir`, each brought to the height of its chain.
    pub fn open(dir: impl AsRef<Path>, config: Config) -> Result<Self, Error> {
        let dir = dir.as_ref();
        fs::create_dir_all(dir).map_err(failed("create", dir))?;
        let mut open = BTreeMap::new();
        for entry in fs::read_dir(dir).map_err(failed("list", dir))? {
            let name = entry.map_err(failed("list", dir))?.file_name();
            let Some(id) = name.to_str().filter(|id| channel_id::is_valid(id)) else { continue };
            let ledger = Ledger::open(dir.join(id), id, config.clone())?;
            // Creating it was interrupted before its first block was there.
            if ledger.height() > 0 {
                open.insert(id.to_owned(), Arc::new(ledger));
            }
        }
        Ok(Self { dir: dir.to_owned(), config, open: RwLock::new(open) })
    }

    /// Creates the ledger of a channel from its first block, which is trusted.
    pub fn create(&self, channel_id: &str, genesis: &Block) -> Result<Arc<Ledger>, Error> {
        if !channel_id::is_valid(channel_id) {
            return Err(Error::ChannelId(channel_id.to_owned()));
        }
        if block::number(genesis) != 0 {
            let found = block::number(genesis);
            return Err(block_store::Error::Number { height: 0, found }.into());
        }
        let mut open = self.open.write();
        if open.contains_key(channel_id) {
            return Err(Error::Exists(channel_id.to_owned()));
        }
        let dir = self.dir.join(channel_id);
        let ledger = Ledger::open(dir, channel_id, self.config.clone())?;
        let codes = vec![TxValidationCode::Valid; block::envelopes(genesis).len()];
        ledger.commit(genesis.clone(), codes, PrivateWriteSets::default())?;
        let ledger = Arc::new(ledger);
        open.insert(channel_id.to_owned(), ledger.clone());
        Ok(ledger)
    }

    /// The ledger of a channel.
    pub fn get(&self, channel_id: &str) -> Option<Arc<Ledger>> {
        self.open.read().get(channel_id).cloned()
    }

    /// Channels with a ledger, ascending.
    pub fn list(&self) -> Vec<String> {
        self.open.read().keys().cloned().collect()
    }
}

fn failed<'a>(action: &'static str, path: &'a Path) -> impl Fn(std::io::Error) -> Error + 'a {
    move |source| Error::Io { action, path: path.to_owned(), source }
}
