//! What happens to one block after its signatures were verified. Synchronous.

use std::sync::Arc;
use std::time::Instant;

use channel::Bundle;
use ledger::Committed;
use proto::common::Block;
use proto::peer::TxValidationCode;

use super::Metrics;
use crate::channels::Channel;
use crate::private_data::{self, Member, gather};
use crate::validator::{Before, Halt, Policies, Prepared, judge};

/// Why a channel has to stop.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The block cannot be judged.
    #[error("judge block {block}")]
    Judge {
        /// Number of the block.
        block: u64,
        /// Why.
        source: Halt,
    },
    /// Its private data cannot be looked up.
    #[error("gather private data of block {block}")]
    PrivateData {
        /// Number of the block.
        block: u64,
        /// Why.
        source: private_data::Error,
    },
    /// The ledger cannot hold the block.
    #[error("commit block {block}")]
    Commit {
        /// Number of the block.
        block: u64,
        /// Why.
        source: ledger::Error,
    },
    /// Checking the signatures of a block ended in a panic that was caught.
    #[error("the validator panicked")]
    Panicked,
    /// The block is not the next one.
    #[error("block {block} is not the next one, which is {expected}")]
    Order {
        /// Number of the block.
        block: u64,
        /// The number it should have.
        expected: u64,
    },
}

/// Judges and commits the blocks of one channel, one after the other.
#[derive(Debug)]
pub struct Pipeline {
    channel: Arc<Channel>,
    member: Member,
    policies: Policies,
    metrics: Metrics,
    staged: Vec<Staged>,
}

/// A block whose effects are in the state and which nobody has heard of yet.
#[derive(Debug)]
struct Staged {
    number: u64,
    prepared: Prepared,
    codes: Vec<TxValidationCode>,
    /// The configuration after it, if it changes.
    bundle: Option<Arc<Bundle>>,
}

impl Pipeline {
    /// A pipeline that goes on where the ledger of `channel` ends.
    pub fn new(channel: Arc<Channel>, member: Member, metrics: Metrics) -> Self {
        let policies = Policies::new(channel.bundle());
        Self { channel, member, policies, metrics, staged: Vec::new() }
    }

    /// Commits a block. `prepared` may be of an older configuration: then it is made again.
    pub fn commit(&mut self, block: Block, prepared: Prepared) -> Result<Committed, Error> {
        let committed = self.stage(block, prepared)?;
        self.sync()?;
        Ok(committed)
    }

    /// Judges a block and brings its effects into the state, so that the next one can be judged.
    /// It is committed by the next [`sync`](Self::sync).
    pub fn stage(&mut self, block: Block, prepared: Prepared) -> Result<Committed, Error> {
        let number = proto::block::number(&block);
        // The ledger may have put staged blocks on disk by itself, for a snapshot.
        let staged = self.staged.last().map_or(0, |staged| staged.number.saturating_add(1));
        let expected = self.channel.height().max(staged);
        if number != expected {
            return Err(Error::Order { block: number, expected });
        }
        let started = Instant::now();
        let mut prepared = self.refresh(&block, prepared);
        let ledger = self.channel.ledger().clone();
        let failed = |source| Error::Judge { block: number, source };
        let before = Before::new(&ledger).map_err(failed)?;
        let verdict = ledger
            .times()
            .stage("judge", || judge(&prepared, &before, &self.policies))
            .map_err(failed)?;
        let private = gather(&prepared, &before, &ledger, &self.member)
            .map_err(|source| Error::PrivateData { block: number, source })?;
        drop(before);
        let judged = Instant::now();
        let committed = ledger
            .stage(block, prepared.take_decoded(), verdict.codes, &private)
            .map_err(|source| Error::Commit { block: number, source })?;
        if let Some(bundle) = &verdict.bundle {
            self.policies = Policies::new(bundle.clone());
        }
        self.metrics.times(judged - started, judged.elapsed());
        let codes = committed.codes.clone();
        self.staged.push(Staged { number, prepared, codes, bundle: verdict.bundle });
        Ok(committed)
    }

    /// How many blocks are staged.
    pub fn staged(&self) -> usize {
        self.staged.len()
    }

    /// Puts the staged blocks on disk, and tells everyone who waits for them.
    pub fn sync(&mut self) -> Result<(), Error> {
        let Some(first) = self.staged.first() else { return Ok(()) };
        let failed = |source| Error::Commit { block: first.number, source };
        self.channel.ledger().sync().map_err(failed)?;
        for staged in self.staged.drain(..) {
            if let Some(bundle) = staged.bundle {
                self.channel.set_bundle(bundle);
            }
            let verdicts = staged.prepared.tx_ids().zip(staged.codes.iter().copied());
            let named = verdicts.filter(|(tx_id, _)| !tx_id.is_empty());
            self.channel.notify(staged.number, named);
            self.metrics.committed(self.channel.id(), staged.number, &staged.codes);
        }
        Ok(())
    }

    /// Signatures are verified ahead; a config block in between changes whom to trust.
    fn refresh(&self, block: &Block, prepared: Prepared) -> Prepared {
        if prepared.bundle().sequence() == self.policies.bundle().sequence() {
            return prepared;
        }
        Prepared::new(block, self.policies.bundle().clone())
    }
}
