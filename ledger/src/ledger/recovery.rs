//! Opening a ledger: what is derived from the blocks is brought to their height.
//!
//! After a crash the blocks and the private data are on disk, and state and history may be behind,
//! because they are not flushed for every block. Blocks carry their final validation codes, so the
//! writes of their valid transactions are applied again without validation.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use parking_lot::{Mutex, RwLock};
use proto::block;
use proto::transaction::TxValidationCode;
use tokio::sync::watch;

use super::{Ledger, Turn};
use crate::block_store::BlockStore;
use crate::database::{self, Database};
use crate::history::History;
use crate::private_data::{self, PrivateStore};
use crate::transaction::{Parsed, parse_all, recorded_codes};
use crate::{
    Config, Error, Missing, OnProgress, PrivateWriteSets, Times, TransientStore, admin, mvcc,
    snapshot, state,
};

/// Opens a ledger. Damage that shows only while blocks are replayed leads to a second attempt,
/// which begins without what is damaged.
pub(super) fn open(
    dir: &Path,
    channel_id: &str,
    config: Config,
    progress: OnProgress<'_>,
) -> Result<Ledger, Error> {
    admin::finish(dir, &config)?;
    let opened = match try_open(dir, channel_id, config.clone(), progress) {
        Err(error) if Database::is_damaged(&dir.join("index")) => {
            tracing::warn!(channel = channel_id, %error, "the ledger is opened again");
            try_open(dir, channel_id, config, progress)
        }
        opened => opened,
    };
    opened.map_err(|error| match error {
        Error::Snapshot(source) => Error::Base { dir: dir.join(snapshot::BASE), source },
        error => error,
    })
}

fn try_open(
    dir: &Path,
    channel_id: &str,
    config: Config,
    progress: OnProgress<'_>,
) -> Result<Ledger, Error> {
    let base = snapshot::base(dir, &config)?;
    let blocks_dir = dir.join("blocks");
    let blocks = BlockStore::open_after(&blocks_dir, base.clone(), config.blocks.clone())?;
    let failed = |source| Error::Database { name: "state", source };
    let cache = config.state.cache_bytes;
    let db = Database::open(&dir.join("index"), cache, database::LEDGER).map_err(failed)?;
    let state = match config.state.backend {
        state::Backend::Sled => state::on_sled(&db, &config.state)?,
        state::Backend::Memory => state::memory(config.state.view_lag_blocks_max)?,
    };
    let private = PrivateStore::open(&dir.join("private"), &db, &config.private_data)?;
    let transient = Arc::new(TransientStore::open(&db).map_err(failed)?);
    let history = match config.history {
        true => Some(History::open(&db).map_err(failed)?),
        false => None,
    };
    let commit_hash = match (blocks.last_block()?, &base) {
        (Some(last), _) => block::commit_hash(&last),
        (None, base) => base.as_ref().and_then(|base| base.commit_hash().cloned()),
    };
    let regain = admin::Regain::load(dir, blocks.height())?;
    let ledger = Ledger {
        channel_id: channel_id.to_owned(),
        height: watch::Sender::new(blocks.height()),
        turn: Mutex::new(Turn { commit_hash, ..Turn::default() }),
        config,
        base,
        blocks,
        state,
        history,
        private,
        exports: Arc::default(),
        transient,
        staged_ids: RwLock::default(),
        durable: ArcSwapOption::empty(),
        times: Times::default(),
        regain,
    };
    ledger.catch_up(progress)?;
    Ok(ledger)
}

impl Ledger {
    fn catch_up(&self, progress: OnProgress<'_>) -> Result<(), Error> {
        let height = self.blocks.height();
        let state = self.next_for_state(height)?;
        let history = self.next_for_history(height)?;
        let mut turn = self.turn.lock();
        let first = state.min(history);
        // What was about to be overwritten is not looked for by a block that is replayed.
        turn.done = private_data::run_jobs(&self.view()?, &self.private, || self.state.flush())?;
        if first < height {
            tracing::info!(channel = self.channel_id, first, height, "replay blocks");
        }
        for number in first..height {
            let parsed = self.parsed(number)?;
            if number >= state {
                self.replay(number, &parsed, &mut turn)?;
            }
            if number >= history {
                self.apply_history(number, &parsed)?;
            }
            progress(number + 1, height);
        }
        if let Some(number) = self.private.cut_behind() {
            for number in number.max(self.first_block())..height {
                self.miss_what_was_cut_off(number)?;
            }
        }
        let view = self.view()?;
        let done = private_data::run_jobs(&view, &self.private, || self.state.flush())?;
        turn.done = done;
        self.show()
    }

    /// An append that was interrupted belongs to no block yet. But a damaged tail looks the same, so
    /// what the newest blocks wrote and nothing is known of counts as missing.
    fn miss_what_was_cut_off(&self, number: u64) -> Result<(), Error> {
        let parsed = self.parsed(number)?;
        let written = private_data::matching(&parsed, &PrivateWriteSets::default()).missing;
        let written = written.into_iter().map(|at| (at, Bytes::new())).collect();
        let kept =
            private_data::kept(&self.view()?, number, self.blocks.height(), written)?.present;
        let present = self.private.block(number)?;
        let missing =
            self.private.missing(u64::MAX, usize::MAX)?.remove(&number).unwrap_or_default();
        let is_known = |at: &Missing| present.contains_key(at) || missing.contains(at);
        let gone: Vec<_> = kept.into_keys().filter(|at| !is_known(at)).collect();
        Ok(self.private.append(number, &BTreeMap::new(), &gone)?)
    }

    /// The first block that is not in the state. A state ahead of the blocks is of another chain.
    fn next_for_state(&self, height: u64) -> Result<u64, Error> {
        let first = self.first_block();
        match self.state.savepoint()? {
            Some(block) if block < height && block + 1 >= first => Ok(block + 1),
            savepoint => {
                if savepoint.is_some() {
                    tracing::warn!(channel = self.channel_id, "the state is ahead of the blocks");
                }
                self.state.clear()?;
                if let Some(base) = &self.base {
                    snapshot::import_state(base, &*self.state, &self.private)?;
                }
                Ok(first)
            }
        }
    }

    fn next_for_history(&self, height: u64) -> Result<u64, Error> {
        let Some(history) = &self.history else { return Ok(height) };
        let failed = |source| Error::Database { name: "history", source };
        let first = self.first_block();
        match history.savepoint().map_err(failed)? {
            Some(block) if block < height && block >= first => Ok(block + 1),
            _ => {
                history.clear().map_err(failed)?;
                Ok(first)
            }
        }
    }

    /// The transactions of a stored block, as their final codes say.
    pub(crate) fn parsed(&self, number: u64) -> Result<Vec<Parsed>, Error> {
        let block = self.blocks.block(number)?.ok_or(Error::DamagedIndex("block"))?;
        let mut codes = recorded_codes(&block::transactions_filter(&block));
        let transactions = block::envelopes(&block).len();
        if codes.len() != transactions {
            return Err(Error::Codes { block: number, transactions, codes: codes.len() });
        }
        let recorded = codes.clone();
        let mut parsed = parse_all(block::envelopes(&block), &mut codes, |_| true);
        for (parsed, code) in parsed.iter_mut().zip(&recorded) {
            if *code != TxValidationCode::Valid {
                parsed.invalidate();
            }
        }
        Ok(parsed)
    }

    fn replay(&self, number: u64, parsed: &[Parsed], turn: &mut Turn) -> Result<(), Error> {
        let updates = mvcc::replay(&*self.state, &self.state.view()?, number, parsed)?;
        let present = self.private.block(number)?;
        self.apply_state(number, parsed, &updates, &present, turn)?;
        self.settle(turn)
    }
}
