//! What happens to one block after its signatures were verified. Synchronous.

use std::sync::Arc;
use std::time::Instant;

use ledger::Committed;
use proto::common::Block;

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
}

impl Pipeline {
    /// A pipeline that goes on where the ledger of `channel` ends.
    pub fn new(channel: Arc<Channel>, member: Member, metrics: Metrics) -> Self {
        let policies = Policies::new(channel.bundle());
        Self { channel, member, policies, metrics }
    }

    /// Commits a block. `prepared` may be of an older configuration: then it is made again.
    pub fn commit(&mut self, block: Block, prepared: Prepared) -> Result<Committed, Error> {
        let number = proto::block::number(&block);
        let expected = self.channel.height();
        if number != expected {
            return Err(Error::Order { block: number, expected });
        }
        let started = Instant::now();
        let prepared = self.refresh(&block, prepared);
        let ledger = self.channel.ledger().clone();
        let failed = |source| Error::Judge { block: number, source };
        let before = Before::new(&ledger).map_err(failed)?;
        let verdict = judge(&prepared, &before, &self.policies).map_err(failed)?;
        let private = gather(&prepared, &before, &ledger, &self.member)
            .map_err(|source| Error::PrivateData { block: number, source })?;
        drop(before);
        let judged = Instant::now();
        let committed = ledger
            .commit(block, verdict.codes, private)
            .map_err(|source| Error::Commit { block: number, source })?;
        if let Some(bundle) = verdict.bundle {
            self.policies = Policies::new(bundle.clone());
            self.channel.set_bundle(bundle);
        }
        self.tell(number, &prepared, &committed);
        self.metrics.committed(self.channel.id(), number, &committed.codes);
        self.metrics.times(judged - started, judged.elapsed());
        Ok(committed)
    }

    /// Signatures are verified ahead; a config block in between changes whom to trust.
    fn refresh(&self, block: &Block, prepared: Prepared) -> Prepared {
        if prepared.bundle().sequence() == self.policies.bundle().sequence() {
            return prepared;
        }
        Prepared::new(block, self.policies.bundle().clone())
    }

    fn tell(&self, number: u64, prepared: &Prepared, committed: &Committed) {
        let ids = || prepared.tx_ids().filter(|tx_id| !tx_id.is_empty());
        let verdicts = prepared.tx_ids().zip(committed.codes.iter().copied());
        self.channel.notify(number, verdicts.filter(|(tx_id, _)| !tx_id.is_empty()));
        if let Err(error) = self.channel.ledger().transient_store().purge_by_tx_ids(ids()) {
            // What stays is purged by height later.
            tracing::warn!(channel = self.channel.id(), block = number, %error, "purge transient store");
        }
    }
}
