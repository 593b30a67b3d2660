//! The part of verification that needs no state: does each block follow the one before, is its
//! content what its header says, and did the orderers sign it? It also verifies the signatures in
//! the transactions ahead of their judgement, and follows the configuration.

use std::sync::Arc;

use bytes::Bytes;
use channel::Bundle;
use deliver::Verifier;
use deliver::verify::Error as Refused;
use ledger::PrivateWriteSets;
use prost::Message;
use proto::block;
use proto::common::{Block, BlockHeader, BlockMetadataIndex, LastConfig, Metadata};

use super::describe::{hash_of, tx_id};
use super::{Difference, Error, Item, What};
use crate::causes::in_one_line;
use crate::validator::{Prepared, check_capabilities};

/// A block that was looked at without state.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) block: Block,
    /// The block's signatures; nothing for the first block.
    pub(super) prepared: Option<Prepared>,
    pub(super) private: PrivateWriteSets,
    /// What is wrong with it.
    pub(super) difference: Option<Box<Difference>>,
}

/// Either a block or why there is none.
#[derive(Debug)]
pub(super) enum Step {
    Block(Box<Checked>),
    Difference(Box<Difference>),
}

/// Where a chain begins that does not begin with block 0.
#[derive(Debug)]
pub(super) struct Beginning {
    /// The configuration in force.
    pub(super) bundle: Arc<Bundle>,
    /// Number of the first block.
    pub(super) next: u64,
    /// Hash of the block before.
    pub(super) last_hash: Bytes,
    /// The block with the configuration.
    pub(super) last_config: u64,
}

/// Checks blocks one after the other.
#[derive(Debug)]
pub(super) struct Chain {
    /// What the first block must be.
    genesis: Option<Block>,
    next: u64,
    verifier: Option<Verifier>,
    /// Hash of the last block.
    previous: Bytes,
    last_config: u64,
}

impl Chain {
    pub(super) fn new(genesis: Option<Block>) -> Self {
        Self { genesis, next: 0, verifier: None, previous: Bytes::new(), last_config: 0 }
    }

    /// Goes on behind a snapshot.
    pub(super) fn behind(beginning: Beginning) -> Self {
        let Beginning { bundle, next, last_hash, last_config } = beginning;
        let verifier = Some(Verifier::new(bundle, next, last_hash.clone()));
        Self { genesis: None, next, verifier, previous: last_hash, last_config }
    }

    /// Number of the next block.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// Checks the next block.
    pub(super) fn check(&mut self, item: Item) -> Result<Step, Error> {
        let number = self.next;
        if let Some(found) = item.number.filter(|found| *found != number) {
            let (expected, found) = (format!("block {number}"), format!("block {found}"));
            let missing = Difference::new(What::MissingBlock, expected, found);
            let missing = missing.block(number).file(item.origin);
            return Ok(Step::Difference(Box::new(missing)));
        }
        let block = match block::parse(item.bytes) {
            Ok(block) => block,
            Err(error) => {
                let found = Difference::new(What::Form, "a block", in_one_line(&error));
                let found = found.block(number).file(item.origin);
                return Ok(Step::Difference(Box::new(found)));
            }
        };
        let (difference, prepared) = match self.verifier.take() {
            None => (self.check_genesis(&block)?, None),
            Some(verifier) => {
                let prepared = Prepared::new(&block, verifier.bundle().clone());
                (self.check_next(verifier, &block), Some(prepared))
            }
        };
        let difference = difference.map(|difference| Box::new(difference.block(number)));
        self.next = number.saturating_add(1);
        if let Some(header) = &block.header {
            self.previous = Bytes::copy_from_slice(&block::header_hash(header));
        }
        let private = item.private;
        Ok(Step::Block(Box::new(Checked { block, prepared, private, difference })))
    }

    fn check_genesis(&mut self, block: &Block) -> Result<Option<Difference>, Error> {
        let header = block.header.clone().unwrap_or_default();
        if header.number != 0 {
            return Ok(Some(number(0, header.number)));
        }
        if let Some(difference) = self.unexpected(&header) {
            return Ok(Some(difference));
        }
        if !header.previous_hash.is_empty() {
            return Ok(Some(previous_hash(&[], &header)));
        }
        if block::verify_data_hash(block).is_err() {
            return Ok(Some(data_hash(block)));
        }
        let bundle = match Bundle::from_join_block(block) {
            Ok(bundle) => Arc::new(bundle),
            Err(error) => {
                let what = "the configuration of a new channel";
                return Ok(Some(Difference::new(What::Genesis, what, in_one_line(&error))));
            }
        };
        check_capabilities(&bundle).map_err(Error::Unsupported)?;
        self.verifier = Some(Verifier::after(bundle, &header));
        Ok(None)
    }

    /// The first block is not signed: if it is known what it must be, it is compared.
    fn unexpected(&self, header: &BlockHeader) -> Option<Difference> {
        let expected = block::header_hash(self.genesis.as_ref()?.header.as_ref()?);
        let found = block::header_hash(header);
        (expected != found).then(|| {
            let (expected, found) = (hex::encode(expected), hex::encode(found));
            Difference::new(What::Genesis, format!("hash {expected}"), format!("hash {found}"))
        })
    }

    fn check_next(&mut self, mut verifier: Verifier, block: &Block) -> Option<Difference> {
        if let Err(error) = verifier.verify(block) {
            return Some(self.refused(&error, block));
        }
        if block::is_config(block) {
            self.last_config = block::number(block);
        }
        self.verifier = Some(verifier);
        let expected = format!("block {}", self.last_config);
        match last_configs(block) {
            Ok(found) => {
                let wrong = found.into_iter().find(|found| *found != self.last_config)?;
                Some(Difference::new(What::LastConfig, expected, format!("block {wrong}")))
            }
            Err(error) => Some(Difference::new(What::LastConfig, expected, in_one_line(&error))),
        }
    }

    fn refused(&self, error: &Refused, block: &Block) -> Difference {
        let header = block.header.clone().unwrap_or_default();
        match error {
            Refused::Number { expected, number: found } => number(*expected, *found),
            Refused::PreviousHash(_) => previous_hash(&self.previous, &header),
            Refused::Metadata { slots, .. } => {
                let expected = format!("{} metadata slots", block::METADATA_SLOTS);
                Difference::new(What::Form, expected, slots.to_string())
            }
            Refused::Block(block::Error::DataHash(_)) => data_hash(block),
            Refused::Block(block::Error::Malformed { index, reason, .. }) => {
                let found = in_one_line(reason);
                Difference::new(What::Form, "an envelope in canonical form", found)
                    .transaction(*index as u64, tx_id(block, *index))
            }
            Refused::Block(other) => Difference::new(What::Form, "a block", in_one_line(other)),
            Refused::Signatures { source, .. } => {
                let expected =
                    format!("signatures that satisfy {}", deliver::verify::BLOCK_VALIDATION);
                let found = format!("{}: {}", signers(block), in_one_line(source));
                Difference::new(What::OrdererSignatures, expected, found)
            }
            other => {
                let expected = "a configuration that may follow the one before";
                Difference::new(What::Configuration, expected, in_one_line(other))
                    .transaction(0, tx_id(block, 0))
            }
        }
    }
}

/// What a block says about the last config block: where orderers sign it, and in its own slot,
/// which is empty in newer blocks.
fn last_configs(block: &Block) -> Result<Vec<u64>, block::Error> {
    let mut found = vec![block::last_config(block)?];
    let slot = block::slot(block, BlockMetadataIndex::LastConfig);
    if !slot.is_empty() {
        found.push(LastConfig::decode(Metadata::decode(slot)?.value)?.index);
    }
    Ok(found)
}

fn number(expected: u64, found: u64) -> Difference {
    Difference::new(What::BlockNumber, expected.to_string(), found.to_string())
}

fn previous_hash(expected: &[u8], header: &BlockHeader) -> Difference {
    let found = hash_of(&header.previous_hash);
    Difference::new(What::PreviousHash, hash_of(expected), found)
}

/// The hash in the header is what orderers signed, so it is what the data should have.
fn data_hash(block: &Block) -> Difference {
    let header = block.header.clone().unwrap_or_default();
    let found = hex::encode(block::data_hash(block::envelopes(block)));
    let found = format!("transactions with hash {found}");
    Difference::new(What::DataHash, hash_of(&header.data_hash), found)
}

/// How many orderers claim to have signed the block, and who.
fn signers(block: &Block) -> String {
    let signatures = block::signatures(block).map(|metadata| metadata.signatures);
    let signatures = signatures.unwrap_or_default();
    let mut names: Vec<String> = Vec::new();
    for signature in &signatures {
        let header = proto::common::SignatureHeader::decode(signature.signature_header.clone());
        let creator = header.map(|header| header.creator).unwrap_or_default();
        let identity = proto::msp::SerializedIdentity::decode(creator).unwrap_or_default();
        names.push(match identity.mspid.as_str() {
            "" => "a consenter by number".to_owned(),
            msp_id => format!("somebody of {msp_id}"),
        });
    }
    match names.as_slice() {
        [] => "no signatures".to_owned(),
        names => format!("{} by {}", names.len(), names.join(", ")),
    }
}
