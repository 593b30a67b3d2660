//! Committing blocks.
//!
//! A block is *staged* first: its reads are checked, its effects enter the state in memory, and the
//! next block can be judged. Then the staged blocks are *synced*: one fsync for all of them, after
//! which they can be read and are told about. Following behind, a peer so pays for one fsync where
//! small blocks would cost many; a single block is staged and synced at once.
//!
//! The order of the steps is what makes a crash harmless: private data is on disk before its
//! block, the block before anything derived from it. What is derived can be repeated.

use std::collections::BTreeMap;

use bytes::Bytes;
use proto::block;
use proto::common::{Block, BlockMetadataIndex};
use proto::transaction::TxValidationCode;

use super::{Ledger, Turn};
use crate::mvcc::{self, Updates};
use crate::private_data::{self, Matched};
use crate::state::StateBatch;
use crate::transaction::{Decoded, Parsed, parse_all};
use crate::{Error, Missing, PrivateWriteSets, block_store, commit_hash, config_history};

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

/// A block whose effects are in memory and which is not on disk yet.
#[derive(Debug)]
pub(super) struct Staged {
    block: Block,
    parsed: Vec<Parsed>,
}

impl Ledger {
    /// Validates the reads of the transactions whose code is `VALID` so far, then commits the
    /// block. A failure before anything is written changes nothing; after a later one the ledger
    /// refuses commits until it is opened again.
    pub fn commit(
        &self,
        block: Block,
        mut codes: Vec<TxValidationCode>,
        private: PrivateWriteSets,
    ) -> Result<Committed, Error> {
        self.before_commit(block::number(&block))?;
        let mut turn = self.turn.lock();
        self.check(&turn, &block, &codes)?;
        let parsed = parse_all(block::envelopes(&block), &mut codes, |tx| {
            private.write_sets.contains_key(&tx)
        });
        let committed = self.stage_parsed(&mut turn, block, parsed, codes, &private)?;
        self.sync_staged(&mut turn)?;
        Ok(committed)
    }

    /// Like [`commit`](Self::commit), for a block that is decoded already, and without the fsync:
    /// the effects are in the state, but the block is on disk, can be read and counts for the
    /// height only after [`sync`](Self::sync). The caller tells nobody before.
    pub fn stage(
        &self,
        block: Block,
        decoded: Vec<Decoded>,
        codes: Vec<TxValidationCode>,
        private: &PrivateWriteSets,
    ) -> Result<Committed, Error> {
        self.before_commit(block::number(&block))?;
        let mut turn = self.turn.lock();
        self.check(&turn, &block, &codes)?;
        if decoded.len() != codes.len() {
            let block = block::number(&block);
            return Err(Error::Codes { block, transactions: decoded.len(), codes: codes.len() });
        }
        let parsed = decoded.into_iter().zip(&codes).map(|(it, code)| Parsed::of(it, *code));
        let parsed = parsed.collect();
        self.stage_parsed(&mut turn, block, parsed, codes, private)
    }

    /// Puts the staged blocks on disk with one fsync.
    pub fn sync(&self) -> Result<(), Error> {
        self.sync_staged(&mut self.turn.lock())
    }

    fn check(&self, turn: &Turn, block: &Block, codes: &[TxValidationCode]) -> Result<(), Error> {
        if turn.failed {
            return Err(Error::Failed(self.channel_id.clone()));
        }
        let number = block::header(block)?.number;
        let height = self.height() + turn.staged.len() as u64;
        if number != height {
            return Err(block_store::Error::Number { height, found: number }.into());
        }
        let transactions = block::envelopes(block).len();
        if transactions != codes.len() {
            return Err(Error::Codes { block: number, transactions, codes: codes.len() });
        }
        Ok(())
    }

    fn stage_parsed(
        &self,
        turn: &mut Turn,
        mut block: Block,
        mut parsed: Vec<Parsed>,
        mut codes: Vec<TxValidationCode>,
        private: &PrivateWriteSets,
    ) -> Result<Committed, Error> {
        let number = block::number(&block);
        let view = self.state.view()?;
        let updates = self
            .times
            .stage("mvcc", || mvcc::validate(&*self.state, &view, number, &parsed, &mut codes))?;
        drop(view);
        for (parsed, code) in parsed.iter_mut().zip(&codes) {
            if *code != TxValidationCode::Valid {
                parsed.invalidate();
            }
        }
        let commit_hash = self
            .times
            .stage("commit hash", || seal(&mut block, &codes, turn.commit_hash.as_ref(), &updates));
        let mut matched = private_data::matching(&parsed, private);
        if number < self.private.kept_until() {
            matched.recall(&parsed, self.private.block(number)?);
        }
        turn.failed = true;
        self.apply(number, &parsed, &updates, &matched, turn)?;
        turn.failed = false;
        turn.commit_hash.clone_from(&commit_hash);
        let ids = parsed.iter().filter_map(|tx| tx.indexed_id.clone());
        self.staged_ids.write().extend(ids);
        turn.staged.push(Staged { block: block.clone(), parsed });
        Ok(Committed { block, codes, commit_hash, missing: matched.missing })
    }

    fn apply(
        &self,
        number: u64,
        parsed: &[Parsed],
        updates: &Updates,
        matched: &Matched,
        turn: &mut Turn,
    ) -> Result<(), Error> {
        self.private.append(number, &matched.present, &matched.missing)?;
        self.times
            .stage("state", || self.apply_state(number, parsed, updates, &matched.all(), turn))
    }

    /// Puts the staged blocks on disk, then what is derived from them, and makes them visible.
    pub(super) fn sync_staged(&self, turn: &mut Turn) -> Result<(), Error> {
        if turn.failed {
            return Err(Error::Failed(self.channel_id.clone()));
        }
        if turn.staged.is_empty() {
            return Ok(());
        }
        turn.failed = true;
        self.write(turn)?;
        turn.failed = false;
        self.show()?;
        self.height.send_replace(self.blocks.height());
        self.regain.reached(self.blocks.height());
        Ok(())
    }

    fn write(&self, turn: &mut Turn) -> Result<(), Error> {
        let (blocks, parsed): (Vec<_>, Vec<_>) =
            turn.staged.drain(..).map(|staged| (staged.block, staged.parsed)).unzip();
        let ids = |parsed: &Vec<Parsed>| parsed.iter().map(|tx| tx.indexed_id.clone()).collect();
        let ids = parsed.iter().map(ids).collect();
        self.times.stage("blocks", || self.blocks.append_indexed(&blocks, ids))?;
        self.staged_ids.write().clear();
        self.times.stage("history", || {
            let mut both = blocks.iter().zip(&parsed);
            both.try_for_each(|(it, parsed)| self.apply_history(block::number(it), parsed))
        })?;
        self.times.stage("state", || self.settle(turn))?;
        let committed = parsed.iter().flatten().filter_map(|tx| tx.indexed_id.as_deref());
        self.transient.purge_by_tx_ids(committed)?;
        blocks.iter().try_for_each(|it| self.purge_transient(block::number(it)))
    }

    /// The blocks are on disk: the state may follow, and private data that has ended can go.
    pub(super) fn settle(&self, turn: &mut Turn) -> Result<(), Error> {
        self.state.settle()?;
        turn.done =
            private_data::run_jobs(&self.staged_view()?, &self.private, || self.state.flush())?;
        Ok(())
    }

    /// Forgets private data of transactions that were endorsed long ago and never came, once in a
    /// while.
    fn purge_transient(&self, number: u64) -> Result<(), Error> {
        let blocks = self.config.private_data.transient_blocks_max.max(1);
        match number.checked_sub(blocks) {
            Some(oldest) if number.is_multiple_of(blocks) => {
                self.transient.purge_below_height(oldest)
            }
            _ => Ok(()),
        }
    }

    /// Applies a block to the state, with everything that follows from it.
    pub(super) fn apply_state(
        &self,
        number: u64,
        parsed: &[Parsed],
        updates: &Updates,
        present: &BTreeMap<Missing, Bytes>,
        turn: &mut Turn,
    ) -> Result<(), Error> {
        let view = self.staged_view()?;
        let mut batch = StateBatch {
            block: number,
            previous: number.checked_sub(1),
            updates: updates.iter().map(|(key, it)| (key.clone(), it.entry())).collect(),
        };
        private_data::record_clear(&view, parsed, updates, present, &mut batch)?;
        private_data::record_ends(&view, parsed, updates, present, &self.private, &mut batch)?;
        config_history::record(updates, &mut batch);
        for job in turn.done.drain(..) {
            batch.updates.entry(job).or_insert(None);
        }
        Ok(self.state.apply(&batch)?)
    }

    pub(super) fn apply_history(&self, number: u64, parsed: &[Parsed]) -> Result<(), Error> {
        let Some(history) = &self.history else { return Ok(()) };
        let failed = |source| Error::Database { name: "history", source };
        history.apply(number, parsed).map_err(failed)
    }

    /// Adds private data of a committed block that arrived late. Data that does not match the
    /// hashes in the block is not used.
    pub fn add_private_data(&self, number: u64, private: PrivateWriteSets) -> Result<(), Error> {
        let mut turn = self.turn.lock();
        self.sync_staged(&mut turn)?;
        if number < self.first_block() {
            return self.add_earlier(number, &private);
        }
        let Some(block) = self.block(number)? else { return Ok(()) };
        let mut codes = crate::transaction::recorded_codes(&block::transactions_filter(&block));
        let parsed = parse_all(block::envelopes(&block), &mut codes, |tx| {
            private.write_sets.contains_key(&tx)
        });
        let mut matched = private_data::matching(&parsed, &private);
        let known = self.private.block(number)?;
        matched.present.retain(|at, _| !known.contains_key(at));
        let view = self.staged_view()?;
        let kept = private_data::kept(&view, number, self.height(), matched.present)?;
        self.private.erase(&kept.expired)?;
        // The state first, and to the disk: if a crash comes between, the data counts as missing.
        self.state.amend(&private_data::late(&view, number, &kept.present)?)?;
        self.state.flush()?;
        self.show()?;
        Ok(self.private.append(number, &kept.present, &[])?)
    }
}

/// Fills in what a peer adds to a block: the final codes and the commit hash.
fn seal(
    block: &mut Block,
    codes: &[TxValidationCode],
    previous: Option<&Bytes>,
    updates: &Updates,
) -> Option<Bytes> {
    let filter: Vec<u8> = codes.iter().map(|code| *code as i32 as u8).collect();
    let hash = commit_hash::next(block::number(block), previous, &filter, updates);
    block::set_slot(block, BlockMetadataIndex::TransactionsFilter, filter.into());
    let hash = hash.map(|hash| Bytes::copy_from_slice(&hash));
    if let Some(hash) = &hash {
        block::set_commit_hash(block, hash);
    }
    hash
}
