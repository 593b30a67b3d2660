//! The part of verification that needs the state: transactions are judged and committed again, on
//! a ledger of their own.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use channel::Bundle;
use ledger::snapshot::{self, Joining};
use ledger::{Committed, Ledger, Ledgers, PrivateWriteSets, Versioned};
use prost::Message;
use proto::block;
use proto::common::{Block, BlockMetadataIndex, ConfigEnvelope};

use super::chain::{Beginning, Checked};
use super::describe::{code, hash, tx_id};
use super::{Difference, Error, What};
use crate::causes::in_one_line;
use crate::validator::{Before, Halt, Policies, Prepared, check_capabilities, judge};

/// A ledger that grows by blocks whose verdicts are not believed.
#[derive(Debug)]
pub(super) struct Replay {
    ledgers: Ledgers,
    joined: Option<(Arc<Ledger>, Policies)>,
}

impl Replay {
    /// An empty ledger in the empty folder `scratch`.
    pub(super) fn new(scratch: &Path) -> Result<Self, Error> {
        let ledgers = Ledgers::open(scratch, ledger::Config::default()).map_err(Error::Scratch)?;
        Ok(Self { ledgers, joined: None })
    }

    /// A ledger behind the snapshot in `base`, which is believed as far as its hashes go. What is
    /// wrong with the snapshot is a difference.
    pub(super) fn behind(
        scratch: &Path,
        base: &Path,
    ) -> Result<Result<Self, Box<Difference>>, Error> {
        let mut this = Self::new(scratch)?;
        let with = Joining { accept: &|_| Ok(()), is_member: &|_, _, _| Ok(false) };
        let ledger = match this.ledgers.create_from_snapshot(base, &with) {
            Ok(ledger) => ledger,
            Err(ledger::Error::Snapshot(
                error @ (snapshot::Error::Metadata { .. }
                | snapshot::Error::Hash { .. }
                | snapshot::Error::Content { .. }),
            )) => {
                let found = Difference::new(What::Snapshot, "an intact one", in_one_line(&error));
                return Ok(Err(Box::new(found.file(base.display().to_string()))));
            }
            Err(error) => return Err(Error::Scratch(error)),
        };
        let config = config(&ledger)?;
        let envelope = ConfigEnvelope::decode(config.value).map_err(|error| unusable(&error))?;
        let bundle = Bundle::from_envelope(ledger.channel_id(), &envelope);
        let bundle = bundle.map_err(|error| unusable(&error))?;
        check_capabilities(&bundle).map_err(Error::Unsupported)?;
        this.joined = Some((ledger, Policies::new(Arc::new(bundle))));
        Ok(Ok(this))
    }

    /// Where a chain behind a snapshot begins; nothing if it begins with block 0.
    pub(super) fn beginning(&self) -> Result<Option<Beginning>, Error> {
        let Some((ledger, policies)) = &self.joined else { return Ok(None) };
        let last_hash = ledger.info().map_err(Error::Scratch)?.current_block_hash;
        Ok(Some(Beginning {
            bundle: policies.bundle().clone(),
            next: ledger.height(),
            last_hash,
            last_config: config(ledger)?.version.block,
        }))
    }

    /// The ledger, once it has its first block.
    pub(super) fn ledger(&self) -> Option<&Arc<Ledger>> {
        self.joined.as_ref().map(|(ledger, _)| ledger)
    }

    /// Judges and commits a block, and compares the verdicts with those recorded in it.
    pub(super) fn apply(&mut self, checked: Checked) -> Result<Option<Box<Difference>>, Error> {
        let Checked { block, prepared, private, difference } = checked;
        let recorded = block.clone();
        match (difference, prepared) {
            (None, None) => Ok(compare(&recorded, &self.begin(&block)?)),
            (None, Some(prepared)) => Ok(match self.next(block, &prepared, private)? {
                Ok(committed) => compare(&recorded, &committed),
                Err(difference) => Some(difference),
            }),
            (Some(difference), Some(prepared)) if difference.what == What::DataHash => {
                // The block is not what was ordered. Its verdicts may tell which transaction it is.
                let result = self.next(block, &prepared, private);
                let committed = result.ok().and_then(Result::ok);
                Ok(Some(name_culprit(difference, committed.as_ref(), &recorded)))
            }
            (Some(difference), _) => Ok(Some(difference)),
        }
    }

    fn begin(&mut self, genesis: &Block) -> Result<Committed, Error> {
        let bundle = Bundle::from_join_block(genesis).map_err(|error| unusable(&error))?;
        let ledger = self.ledgers.create(bundle.channel_id(), &stripped(genesis.clone()));
        let ledger = ledger.map_err(Error::Scratch)?;
        let committed = ledger.block(0).map_err(Error::Scratch)?.unwrap_or_default();
        self.joined = Some((ledger, Policies::new(Arc::new(bundle))));
        let codes = vec![proto::peer::TxValidationCode::Valid; block::envelopes(genesis).len()];
        Ok(Committed { block: committed, codes, commit_hash: None, missing: Vec::new() })
    }

    fn next(
        &mut self,
        block: Block,
        prepared: &Prepared,
        private: PrivateWriteSets,
    ) -> Result<Result<Committed, Box<Difference>>, Error> {
        let number = block::number(&block);
        let Some((ledger, policies)) = &mut self.joined else {
            return Err(Error::Unsupported("the channel has no first block".to_owned()));
        };
        let before =
            Before::new(ledger).map_err(|source| Error::Judge { block: number, source })?;
        let verdict = match judge(prepared, &before, policies) {
            Ok(verdict) => verdict,
            Err(Halt::Config { index, reason }) => {
                let what = "a configuration that may follow the one before";
                let found = Difference::new(What::Configuration, what, reason).block(number);
                let found = found.transaction(index as u64, tx_id(&block, index));
                return Ok(Err(Box::new(found)));
            }
            Err(source) => return Err(Error::Judge { block: number, source }),
        };
        drop(before);
        let committed = ledger.commit(stripped(block), verdict.codes, private);
        let committed = committed.map_err(Error::Scratch)?;
        if let Some(bundle) = verdict.bundle {
            *policies = Policies::new(bundle);
        }
        Ok(Ok(committed))
    }
}

/// Key of the channel configuration, in the empty namespace.
const CONFIG_KEY: &str = "CHANNEL_CONFIG_ENV_BYTES";

/// The configuration in the state, and the block it is from.
fn config(ledger: &Ledger) -> Result<Versioned, Error> {
    let failed = |error: ledger::state::Error| Error::Scratch(error.into());
    let found = ledger.view().map_err(Error::Scratch)?.get("", CONFIG_KEY).map_err(failed)?;
    found.ok_or_else(|| Error::Unsupported("the snapshot has no configuration".to_owned()))
}

fn unusable(error: &(dyn std::error::Error + 'static)) -> Error {
    Error::Unsupported(format!("the configuration cannot be used: {}", in_one_line(error)))
}

/// Validation codes as they stand in a block.
fn filter(committed: &Committed) -> Vec<u8> {
    committed.codes.iter().map(|code| *code as i32 as u8).collect()
}

/// The block as the orderer sent it: without what the peer added.
fn stripped(mut block: Block) -> Block {
    for slot in [BlockMetadataIndex::TransactionsFilter, BlockMetadataIndex::CommitHash] {
        block::set_slot(&mut block, slot, Bytes::new());
    }
    block
}

/// The first transaction whose codes differ, and both codes.
fn differing(computed: &[u8], recorded: &[u8]) -> Option<(usize, u8, u8)> {
    let mut both = computed.iter().zip(recorded).enumerate();
    both.find(|(_, (computed, recorded))| computed != recorded)
        .map(|(index, (computed, recorded))| (index, *computed, *recorded))
}

fn name_culprit(
    mut difference: Box<Difference>,
    committed: Option<&Committed>,
    recorded: &Block,
) -> Box<Difference> {
    let differing =
        committed.and_then(|it| differing(&filter(it), &block::transactions_filter(recorded)));
    let Some((index, computed, found)) = differing else { return difference };
    difference.found.push_str(&format!(
        "; transaction {index} is recorded as {} and is now {}",
        code(found),
        code(computed)
    ));
    Box::new(difference.transaction(index as u64, tx_id(recorded, index)))
}

fn compare(recorded: &Block, committed: &Committed) -> Option<Box<Difference>> {
    let number = block::number(recorded);
    let (computed, found) = (filter(committed), block::transactions_filter(recorded));
    if computed.len() != found.len() {
        let (expected, found) = (computed.len().to_string(), found.len().to_string());
        return Some(Box::new(Difference::new(What::CodeCount, expected, found).block(number)));
    }
    if let Some((index, expected, found)) = differing(&computed, &found) {
        let difference = Difference::new(What::ValidationCode, code(expected), code(found));
        let difference = difference.transaction(index as u64, tx_id(recorded, index));
        return Some(Box::new(difference.block(number)));
    }
    let found = block::commit_hash(recorded);
    (committed.commit_hash != found).then(|| {
        let (expected, found) = (hash(committed.commit_hash.as_ref()), hash(found.as_ref()));
        Box::new(Difference::new(What::CommitHash, expected, found).block(number))
    })
}
