//! Turns final batches into blocks: number, hashes, metadata, signature, disk.
//!
//! The same batch at the same place gives the same block on every orderer, but for the signature.

use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use channel::Bundle;
use ledger::block_store::{self, BlockStore};
use msp::SigningIdentity;
use prost::Message;
use proto::block;
use proto::common::{
    Block, BlockMetadataIndex, ConfigEnvelope, LastConfig, Metadata, MetadataSignature,
    OrdererBlockMetadata, SignatureHeader,
};
use proto::envelope::Envelope;
use proto::etcdraft::BlockMetadata;
use rand::RngCore;

use super::consenters::{self, Consenters};
use crate::consensus::{Batch, Position, Proof};

/// Why a block cannot be written. None of these goes away by itself: the channel stops.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The chain on disk.
    #[error("chain of blocks")]
    Store(#[from] block_store::Error),
    /// A block of our own chain cannot be read.
    #[error("block {number} of this channel")]
    Block {
        /// Its number.
        number: u64,
        /// What is wrong with it.
        #[source]
        source: block::Error,
    },
    /// A block that should be there is not.
    #[error("block {0} is missing")]
    Missing(u64),
    /// A configuration that was agreed on cannot be read.
    #[error("configuration in block {number}")]
    Config {
        /// The block's number.
        number: u64,
        /// What is wrong with it.
        #[source]
        source: channel::Error,
    },
    /// The consenter set of a configuration cannot be read.
    #[error("consenters of block {number}")]
    Consenters {
        /// The block's number.
        number: u64,
        /// What is wrong with them.
        #[source]
        source: consenters::Error,
    },
    /// Our key failed.
    #[error("sign block {number}")]
    Sign {
        /// The block's number.
        number: u64,
        /// What is wrong.
        #[source]
        source: msp::Error,
    },
}

/// What the newest block of a chain says about the channel.
#[derive(Debug, Clone)]
pub struct State {
    /// Configuration in force.
    pub bundle: Arc<Bundle>,
    /// Who orders.
    pub consenters: Arc<Consenters>,
    /// Number of the newest config block.
    pub last_config: u64,
    /// Log index of the newest block.
    pub index: u64,
}

/// Appends to one chain.
#[derive(Debug)]
pub struct BlockWriter {
    store: Arc<BlockStore>,
    signer: SigningIdentity,
    state: Arc<ArcSwap<State>>,
}

impl BlockWriter {
    /// Continues a chain whose newest block says `state`.
    pub fn new(
        store: Arc<BlockStore>,
        signer: SigningIdentity,
        state: Arc<ArcSwap<State>>,
    ) -> Self {
        Self { store, signer, state }
    }

    /// Where the chain ends.
    pub fn tip(&self) -> Position {
        Position { height: self.store.height(), index: self.state.load().index }
    }

    /// Writes the block of a final batch; it is durable when this returns.
    pub fn write(&mut self, batch: Batch, proof: Proof) -> Result<Block, Error> {
        let number = self.store.height();
        let hash = self.store.last_hash().map_or(Bytes::new(), |h| Bytes::copy_from_slice(&h));
        let mut next = State::clone(&self.state.load());
        next.index = proof.index;
        if batch.config {
            configure(&mut next, number, &batch.envelopes)?;
        }
        let mut block = block::new(number, hash, batch.envelopes);
        self.sign(&mut block, &next)?;
        self.store.append(&block)?;
        self.state.store(Arc::new(next));
        Ok(block)
    }

    /// Appends a block of another orderer, which the caller has verified.
    pub fn append(&mut self, block: &Block) -> Result<(), Error> {
        let next = state_after(&self.state.load(), block)?;
        self.store.append(block)?;
        self.state.store(Arc::new(next));
        Ok(())
    }

    fn sign(&self, block: &mut Block, state: &State) -> Result<(), Error> {
        let number = block::number(block);
        let consenters = state.consenters.metadata(state.index).encode_to_vec().into();
        let consenters = Metadata { value: consenters, signatures: Vec::new() };
        let value: Bytes = OrdererBlockMetadata {
            last_config: Some(LastConfig { index: state.last_config }),
            consenter_metadata: consenters.encode_to_vec().into(),
        }
        .encode_to_vec()
        .into();
        let mut nonce = [0; 24];
        rand::rng().fill_bytes(&mut nonce);
        let signature_header = SignatureHeader {
            creator: self.signer.serialized().clone(),
            nonce: Bytes::copy_from_slice(&nonce),
        };
        let signature_header: Bytes = signature_header.encode_to_vec().into();
        let header = block::header(block).map_err(|source| Error::Block { number, source })?;
        let message = block::signed_message(&value, &signature_header, header);
        let signature =
            self.signer.sign(&message).map_err(|source| Error::Sign { number, source })?;
        let signature =
            MetadataSignature { signature_header, signature, ..MetadataSignature::default() };
        block::set_orderer_metadata(block, value, vec![signature]);
        Ok(())
    }
}

impl State {
    /// What the newest block of a chain says; nothing if the chain is empty.
    pub fn load(store: &BlockStore) -> Result<Option<Self>, Error> {
        let Some(last) = store.last_block()? else { return Ok(None) };
        let number = block::number(&last);
        let bad = |source| Error::Block { number, source };
        let last_config = block::last_config(&last).map_err(bad)?;
        let config = store.block(last_config)?.ok_or(Error::Missing(last_config))?;
        let bundle = Bundle::from_block(&config)
            .map_err(|source| Error::Config { number: last_config, source })?;
        let metadata = consenter_metadata(&last).map_err(bad)?;
        Self::at(number, bundle, last_config, metadata).map(Some)
    }

    /// The state at a block that is known to be the newest config block, as a joining node is given.
    pub fn of_config_block(block: &Block, bundle: Bundle) -> Result<Self, Error> {
        let number = block::number(block);
        let metadata =
            consenter_metadata(block).map_err(|source| Error::Block { number, source })?;
        Self::at(number, bundle, number, metadata)
    }

    fn at(
        number: u64,
        bundle: Bundle,
        last_config: u64,
        metadata: Option<BlockMetadata>,
    ) -> Result<Self, Error> {
        let (consenters, index) = match metadata {
            Some(metadata) => (Consenters::of_block(&bundle, &metadata), metadata.raft_index),
            None => (Consenters::genesis(&bundle), 0),
        };
        let consenters = consenters.map_err(|source| Error::Consenters { number, source })?;
        Ok(Self { bundle: Arc::new(bundle), consenters: Arc::new(consenters), last_config, index })
    }
}

/// The consenters' part of a block's metadata; nothing in a genesis block.
pub fn consenter_metadata(block: &Block) -> Result<Option<BlockMetadata>, block::Error> {
    if block::slot(block, BlockMetadataIndex::Signatures).is_empty() {
        return Ok(None);
    }
    let wrapped = block::orderer_metadata(block)?.consenter_metadata;
    if wrapped.is_empty() {
        return Ok(None);
    }
    Ok(Some(BlockMetadata::decode(Metadata::decode(wrapped)?.value)?))
}

fn state_after(current: &State, block: &Block) -> Result<State, Error> {
    let number = block::number(block);
    let mut next = current.clone();
    if block::is_config(block) {
        configure(&mut next, number, block::envelopes(block))?;
    }
    let metadata = consenter_metadata(block).map_err(|source| Error::Block { number, source })?;
    if let Some(metadata) = metadata {
        let consenters = Consenters::of_block(&next.bundle, &metadata)
            .map_err(|source| Error::Consenters { number, source })?;
        (next.consenters, next.index) = (Arc::new(consenters), metadata.raft_index);
    }
    Ok(next)
}

fn configure(state: &mut State, number: u64, envelopes: &[Bytes]) -> Result<(), Error> {
    let failed = |source| Error::Config { number, source };
    let not_config = |reason| failed(channel::Error::NotConfig(reason));
    let envelope = envelopes.first().cloned().unwrap_or_default();
    let peeled =
        Envelope::parse(envelope).map_err(|_| not_config("its envelope does not decode"))?;
    let config = ConfigEnvelope::decode(peeled.data)
        .map_err(|_| not_config("its config envelope does not decode"))?;
    let bundle = Bundle::from_envelope(state.bundle.channel_id(), &config).map_err(failed)?;
    let (consenters, _) =
        state.consenters.advance(&bundle).map_err(|source| Error::Consenters { number, source })?;
    state.bundle = Arc::new(bundle);
    state.consenters = Arc::new(consenters);
    state.last_config = number;
    Ok(())
}
