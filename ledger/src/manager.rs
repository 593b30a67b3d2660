//! All ledgers of a node.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use proto::block;
use proto::common::Block;
use proto::transaction::TxValidationCode;

use crate::{
    Config, Error, Ledger, OnProgress, PrivateWriteSets, admin, block_store, channel_id, snapshot,
};

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
        let ledgers = Self::at(dir, config)?;
        for id in ledgers.found()? {
            ledgers.load(&id, &mut |_, _| {})?;
        }
        Ok(ledgers)
    }

    /// The ledgers in `dir`, all closed. Finishes removals that were interrupted.
    pub fn at(dir: impl AsRef<Path>, config: Config) -> Result<Self, Error> {
        let dir = dir.as_ref();
        fs::create_dir_all(dir).map_err(failed("create", dir))?;
        for entry in fs::read_dir(dir).map_err(failed("list", dir))? {
            snapshot::remove_unfinished(&entry.map_err(failed("list", dir))?.path())?;
        }
        admin::finish_removals(dir)?;
        let (open, making) = (RwLock::default(), Mutex::default());
        Ok(Self { dir: dir.to_owned(), config, open, making })
    }

    /// Channels with a folder here, open or not, ascending.
    pub fn found(&self) -> Result<Vec<String>, Error> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.dir).map_err(failed("list", &self.dir))? {
            let name = entry.map_err(failed("list", &self.dir))?.file_name();
            found.extend(name.to_str().filter(|id| channel_id::is_valid(id)).map(str::to_owned));
        }
        found.sort();
        Ok(found)
    }

    /// Opens the ledger of a channel, telling how many of its blocks are applied. Nothing if
    /// creating it was interrupted before its first block was there.
    pub fn load(
        &self,
        channel_id: &str,
        progress: OnProgress<'_>,
    ) -> Result<Option<Arc<Ledger>>, Error> {
        let dir = self.closed(channel_id)?;
        let ledger = Ledger::open_with(dir, channel_id, self.config.clone(), progress)?;
        if ledger.height() == 0 {
            return Ok(None);
        }
        let ledger = Arc::new(ledger);
        self.insert(channel_id, &ledger);
        Ok(Some(ledger))
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

    /// The ledger of a channel, if it is open.
    pub fn get(&self, channel_id: &str) -> Option<Arc<Ledger>> {
        self.open.read().get(channel_id).cloned()
    }

    /// Channels with an open ledger, ascending.
    pub fn list(&self) -> Vec<String> {
        self.open.read().keys().cloned().collect()
    }

    /// Forgets the ledger of a channel. It is closed when nobody holds it any more.
    pub fn close(&self, channel_id: &str) {
        self.open.write().remove(channel_id);
    }

    /// Begins to derive state, history and indexes of a closed ledger from its blocks again; the
    /// next [`load`](Self::load) does it. Blocks and private data stay.
    pub fn rebuild(&self, channel_id: &str) -> Result<(), Error> {
        admin::rebuild(&self.closed(channel_id)?, &self.config)
    }

    /// Removes the blocks behind block `to` of a closed ledger for good, and begins to derive the
    /// rest from what is left. Private data stays: it is used when its block comes again, and it
    /// may be nowhere else.
    pub fn rollback(&self, channel_id: &str, to: u64) -> Result<(), Error> {
        admin::rollback(&self.closed(channel_id)?, &self.config, to)
    }

    /// Removes all blocks of a closed ledger but the first, or all if it began from a snapshot.
    pub fn reset(&self, channel_id: &str) -> Result<(), Error> {
        admin::reset(&self.closed(channel_id)?, &self.config)
    }

    /// Removes a closed ledger with all that belongs to it, telling how many files are gone. An
    /// interrupted removal is finished when the ledgers are opened.
    pub fn remove(&self, channel_id: &str, progress: OnProgress<'_>) -> Result<(), Error> {
        self.closed(channel_id)?;
        admin::remove(&self.dir, channel_id, progress)
    }

    /// The height at which the channel was paused, if it is.
    pub fn paused(&self, channel_id: &str) -> Result<Option<u64>, Error> {
        admin::paused(&self.dir.join(channel_id))
    }

    /// Notes durably that the channel, of this height, is not to be started. The ledger itself is
    /// not touched.
    pub fn pause(&self, channel_id: &str, height: u64) -> Result<(), Error> {
        admin::pause(&self.closed(channel_id)?, height)
    }

    /// Removes that note.
    pub fn resume(&self, channel_id: &str) -> Result<(), Error> {
        admin::resume(&self.closed(channel_id)?)
    }

    /// The folder of a ledger that is not open.
    fn closed(&self, channel_id: &str) -> Result<PathBuf, Error> {
        let dir = self.dir.join(channel_id);
        if !channel_id::is_valid(channel_id) || !dir.is_dir() {
            return Err(Error::Unknown(channel_id.to_owned()));
        }
        match self.open.read().contains_key(channel_id) {
            true => Err(Error::InUse(channel_id.to_owned())),
            false => Ok(dir),
        }
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
