//! All ledgers of a node.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use proto::block;
use proto::common::Block;
use proto::transaction::TxValidationCode;

use crate::{Config, Error, Ledger, PrivateWriteSets, block_store, channel_id, snapshot};

/// The ledgers of a node, one folder for each channel.
#[derive(Debug)]
pub struct Ledgers {
    dir: PathBuf,
    config: Config,
    open: RwLock<BTreeMap<String, Arc<Ledger>>>,
    /// Channels whose ledger is being created.
    making: Mutex<BTreeSet<String>>,
}

impl Ledgers {
    /// Opens the ledgers in `dir`, each brought to the height of its chain.
    pub fn open(dir: impl AsRef<Path>, config: Config) -> Result<Self, Error> {
        let dir = dir.as_ref();
        fs::create_dir_all(dir).map_err(failed("create", dir))?;
        let mut open = BTreeMap::new();
        for entry in fs::read_dir(dir).map_err(failed("list", dir))? {
            let entry = entry.map_err(failed("list", dir))?;
            if snapshot::remove_unfinished(&entry.path())? {
                continue;
            }
            let name = entry.file_name();
            let Some(id) = name.to_str().filter(|id| channel_id::is_valid(id)) else { continue };
            let ledger = Ledger::open(dir.join(id), id, config.clone())?;
            // Creating it was interrupted before its first block was there.
            if ledger.height() > 0 {
                open.insert(id.to_owned(), Arc::new(ledger));
            }
        }
        let (open, making) = (RwLock::new(open), Mutex::default());
        Ok(Self { dir: dir.to_owned(), config, open, making })
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
        let _making = self.begin(channel_id)?;
        let dir = self.dir.join(channel_id);
        let ledger = Ledger::open(dir, channel_id, self.config.clone())?;
        let codes = vec![TxValidationCode::Valid; block::envelopes(genesis).len()];
        ledger.commit(genesis.clone(), codes, PrivateWriteSets::default())?;
        let ledger = Arc::new(ledger);
        self.insert(channel_id, &ledger);
        Ok(ledger)
    }

    /// How ledgers are held.
    pub fn config(&self) -> &Config {
        &self.config
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Announces the creation of a ledger that does not exist, for as long as the result lives.
    pub(crate) fn begin(&self, channel_id: &str) -> Result<Making<'_>, Error> {
        let mut making = self.making.lock();
        if self.open.read().contains_key(channel_id) || !making.insert(channel_id.to_owned()) {
            return Err(Error::Exists(channel_id.to_owned()));
        }
        Ok(Making { ledgers: self, channel_id: channel_id.to_owned() })
    }

    pub(crate) fn insert(&self, channel_id: &str, ledger: &Arc<Ledger>) {
        self.open.write().insert(channel_id.to_owned(), ledger.clone());
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

/// A ledger being created; ends when dropped.
#[derive(Debug)]
pub(crate) struct Making<'a> {
    ledgers: &'a Ledgers,
    channel_id: String,
}

impl Drop for Making<'_> {
    fn drop(&mut self) {
        self.ledgers.making.lock().remove(&self.channel_id);
    }
}

fn failed<'a>(action: &'static str, path: &'a Path) -> impl Fn(std::io::Error) -> Error + 'a {
    move |source| Error::Io { action, path: path.to_owned(), source }
}
