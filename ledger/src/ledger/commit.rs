//! Committing a block.
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
use crate::transaction::{Parsed, parse_all};
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

impl Ledger {
    /// Validates the reads of the transactions whose code is `VALID` so far, then commits the
    /// block. A failure before anything is written changes nothing; after a later one the ledger
    /// refuses commits until it is opened again.
    pub fn commit(
        &self,
        mut block: Block,
        mut codes: Vec<TxValidationCode>,
        private: PrivateWriteSets,
    ) -> Result<Committed, Error> {
        self.before_commit(block::number(&block))?;
        let mut turn = self.turn.lock();
        if turn.failed {
            return Err(Error::Failed(self.channel_id.clone()));
        }
        let number = self.check(&block, &codes)?;
        let mut parsed = parse_all(block::envelopes(&block), &mut codes, |tx| {
            private.write_sets.contains_key(&tx)
        });
        let view = self.state.view()?;
        let updates = mvcc::validate(&*self.state, &view, number, &parsed, &mut codes)?;
        for (parsed, code) in parsed.iter_mut().zip(&codes) {
            if *code != TxValidationCode::Valid {
                parsed.invalidate();
            }
        }
        let commit_hash = seal(&mut block, &codes, turn.commit_hash.as_ref(), &updates);
        let mut matched = private_data::matching(&parsed, &private);
        if number < self.private.kept_until() {
            matched.recall(&parsed, self.private.block(number)?);
        }
        turn.failed = true;
        self.write(&block, &parsed, &updates, &matched, &mut turn)?;
        turn.failed = false;
        turn.commit_hash.clone_from(&commit_hash);
        self.height.send_replace(number + 1);
        self.regain.reached(number + 1);
        Ok(Committed { block, codes, commit_hash, missing: matched.missing })
    }

    fn check(&self, block: &Block, codes: &[TxValidationCode]) -> Result<u64, Error> {
        let number = block::header(block)?.number;
        let height = self.height();
        if number != height {
            return Err(block_store::Error::Number { height, found: number }.into());
        }
        let transactions = block::envelopes(block).len();
        if transactions != codes.len() {
            return Err(Error::Codes { block: number, transactions, codes: codes.len() });
        }
        Ok(number)
    }

    fn write(
        &self,
        block: &Block,
        parsed: &[Parsed],
        updates: &Updates,
        matched: &Matched,
        turn: &mut Turn,
    ) -> Result<(), Error> {
        let number = block::number(block);
        self.private.append(number, &matched.present, &matched.missing)?;
        let tx_ids = parsed.iter().map(|tx| tx.indexed_id.clone()).collect();
        self.blocks.append_indexed(std::slice::from_ref(block), vec![tx_ids])?;
        self.apply_state(number, parsed, updates, &matched.all(), turn)?;
        self.apply_history(number, parsed)?;
        let committed = parsed.iter().filter_map(|tx| tx.indexed_id.as_deref());
        self.transient.purge_by_tx_ids(committed)?;
        self.purge_transient(number)
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
        let view = self.view()?;
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
        self.state.apply(&batch)?;
        turn.done = private_data::run_jobs(&self.view()?, &self.private, || self.state.flush())?;
        Ok(())
    }

    pub(super) fn apply_history(&self, number: u64, parsed: &[Parsed]) -> Result<(), Error> {
        let Some(history) = &self.history else { return Ok(()) };
        let failed = |source| Error::Database { name: "history", source };
        history.apply(number, parsed).map_err(failed)
    }

    /// Adds private data of a committed block that arrived late. Data that does not match the
    /// hashes in the block is not used.
    pub fn add_private_data(&self, number: u64, private: PrivateWriteSets) -> Result<(), Error> {
        let _turn = self.turn.lock();
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
        let view = self.view()?;
        let kept = private_data::kept(&view, number, self.height(), matched.present)?;
        self.private.erase(&kept.expired)?;
        // The state first: if a crash comes between, the data still counts as missing.
        self.state.amend(&private_data::late(&view, number, &kept.present)?)?;
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
