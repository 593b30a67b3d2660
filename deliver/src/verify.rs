//! Whether a block is the next one of its channel.
//!
//! A block is checked in the order peers agree on: number, previous hash, metadata, form, data
//! hash, and last the orderers' signatures against the configuration before the block.

use std::sync::Arc;

use bytes::Bytes;
use channel::{Bundle, SignedData, config_envelope, policy, update};
use prost::Message;
use proto::block::{self, METADATA_SLOTS};
use proto::common::{Block, BlockHeader, IdentifierHeader, Metadata, SignatureHeader};
use proto::msp::SerializedIdentity;

/// Policy the signatures of a block must satisfy.
pub const BLOCK_VALIDATION: &str = "/Channel/Orderer/BlockValidation";

/// Why a block is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Another block was expected.
    #[error("expected block {expected}, got {number}")]
    Number {
        /// The number expected.
        expected: u64,
        /// The number in the block.
        number: u64,
    },
    /// The block does not follow the one before it.
    #[error("block {0}: previous hash is not that of the block before")]
    PreviousHash(u64),
    /// The block lacks metadata.
    #[error("block {number} has {slots} metadata slots, must have {METADATA_SLOTS}")]
    Metadata {
        /// The block's number.
        number: u64,
        /// How many slots it has.
        slots: usize,
    },
    /// A part is missing, malformed, or does not match its hash.
    #[error(transparent)]
    Block(#[from] block::Error),
    /// Too few orderers, or the wrong ones, have signed.
    #[error("block {number}: signatures")]
    Signatures {
        /// The block's number.
        number: u64,
        /// What is missing.
        #[source]
        source: policy::Error,
    },
    /// The configuration in the block may not follow the current one.
    #[error("block {number}: configuration")]
    Config {
        /// The block's number.
        number: u64,
        /// What is wrong.
        #[source]
        source: update::Error,
    },
    /// A config block without a configuration.
    #[error("block {number}: configuration")]
    NotConfig {
        /// The block's number.
        number: u64,
        /// What is wrong.
        #[source]
        source: channel::Error,
    },
}

/// Checks that a block is number `expected` and follows the block with hash `previous`, under the
/// configuration before it.
pub fn verify_block(
    bundle: &Bundle,
    expected: u64,
    previous: &[u8],
    block: &Block,
) -> Result<(), Error> {
    let header = block::header(block)?;
    let number = header.number;
    if number != expected {
        return Err(Error::Number { expected, number });
    }
    if header.previous_hash != previous {
        return Err(Error::PreviousHash(number));
    }
    let slots = block.metadata.as_ref().map_or(0, |metadata| metadata.metadata.len());
    if slots < METADATA_SLOTS {
        return Err(Error::Metadata { number, slots });
    }
    block::verify_well_formed(block)?;
    block::verify_data_hash(block)?;
    verify_signatures(bundle, block)
}

/// Checks the signatures of a block, with or without its data.
pub fn verify_signatures(bundle: &Bundle, block: &Block) -> Result<(), Error> {
    let header = block::header(block)?;
    let signatures = signed_data(bundle, header, &block::signatures(block)?);
    bundle
        .evaluate(BLOCK_VALIDATION, &signatures)
        .map_err(|source| Error::Signatures { number: header.number, source })
}

/// The orderers' signatures. One that cannot be read does not count.
fn signed_data(bundle: &Bundle, header: &BlockHeader, metadata: &Metadata) -> Vec<SignedData> {
    let byzantine = bundle.channel().v3();
    metadata
        .signatures
        .iter()
        .filter_map(|signature| {
            let (prefix, identity) = if byzantine && signature.signature_header.is_empty() {
                let prefix = &signature.identifier_header;
                let signer = proto::decode::<IdentifierHeader>(prefix.clone()).ok()?.identifier;
                (prefix, consenter_identity(bundle, signer)?)
            } else {
                let prefix = &signature.signature_header;
                (prefix, proto::decode::<SignatureHeader>(prefix.clone()).ok()?.creator)
            };
            let data = block::signed_message(&metadata.value, prefix, header).into();
            Some(SignedData { data, identity, signature: signature.signature.clone() })
        })
        .collect()
}

/// The identity of a consenter known by its number only.
fn consenter_identity(bundle: &Bundle, id: u32) -> Option<Bytes> {
    let consenters = &bundle.orderer()?.consenter_mapping;
    let consenter = consenters.iter().find(|consenter| consenter.id == id)?;
    let mspid = consenter.msp_id.clone();
    let identity = SerializedIdentity { mspid, id_bytes: consenter.identity.clone() };
    Some(identity.encode_to_vec().into())
}

/// Verifies the blocks of a channel one after the other, and follows its configuration.
#[derive(Debug, Clone)]
pub struct Verifier {
    bundle: Arc<Bundle>,
    next: u64,
    previous: Bytes,
}

impl Verifier {
    /// Expects block `next`, which follows the block with hash `previous`, under a configuration.
    pub fn new(bundle: Arc<Bundle>, next: u64, previous: Bytes) -> Self {
        Self { bundle, next, previous }
    }

    /// Expects the block that follows `last`.
    pub fn after(bundle: Arc<Bundle>, last: &BlockHeader) -> Self {
        let previous = Bytes::copy_from_slice(&block::header_hash(last));
        Self::new(bundle, last.number.saturating_add(1), previous)
    }

    /// Number of the block expected.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// The configuration the next block is verified against.
    pub fn bundle(&self) -> &Arc<Bundle> {
        &self.bundle
    }

    /// Verifies the next block. A config block must be what its update leads to, and changes what
    /// the blocks after it are verified against. A block that fails changes nothing.
    pub fn verify(&mut self, block: &Block) -> Result<(), Error> {
        verify_block(&self.bundle, self.next, &self.previous, block)?;
        if block::is_config(block) {
            let number = self.next;
            let (_, envelope) =
                config_envelope(block).map_err(|source| Error::NotConfig { number, source })?;
            let bundle = update::validate(&self.bundle, &envelope)
                .map_err(|source| Error::Config { number, source })?;
            self.bundle = Arc::new(bundle);
        }
        self.previous = Bytes::copy_from_slice(&block::header_hash(block::header(block)?));
        self.next = self.next.saturating_add(1);
        Ok(())
    }
}
