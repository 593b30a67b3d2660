//! The limit: the signatures of a chain, verified on all cores, and nothing else.

use std::ops::AddAssign;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use channel::Bundle;
use msp::Identity;
use proto::envelope::Envelope;
use proto::transaction::{Action, endorsed_message};
use rayon::prelude::*;

use super::Tell;
use super::chain::Chain;
use super::clock::{Spent, Watch};

/// Signatures that are taken into memory at a time.
const SIGNATURES: usize = 20_000;

/// What verifying all signatures takes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Limit {
    /// How many signatures.
    pub(crate) signatures: u64,
    /// Transactions they belong to.
    pub(crate) transactions: u64,
    /// The time.
    pub(crate) spent: Spent,
}

impl AddAssign for Limit {
    fn add_assign(&mut self, other: Self) {
        self.signatures += other.signatures;
        self.transactions += other.transactions;
        self.spent += other.spent;
    }
}

/// A signature with everything that is needed to verify it.
struct Signed {
    identity: Identity,
    message: Bytes,
    signature: Bytes,
}

/// Verifies the signatures of creators and endorsers in some blocks. Reading the chain and looking
/// up the identities is not measured.
pub(super) fn measure(chain: &Chain, blocks: &[u64], tell: Tell<'_>) -> Result<Limit> {
    let reader = chain.reader()?;
    let genesis = proto::block::parse(reader.block(0)?)?;
    let bundle = Bundle::from_block(&genesis)?;
    let mut limit = Limit::default();
    let mut signed = Vec::new();
    for (at, number) in blocks.iter().enumerate() {
        let block = proto::block::parse(reader.block(*number)?)?;
        for envelope in proto::block::envelopes(&block) {
            signatures(&bundle, envelope, &mut signed)?;
            limit.transactions += 1;
        }
        if signed.len() >= SIGNATURES || at + 1 == blocks.len() {
            verify(&std::mem::take(&mut signed), &mut limit)?;
            tell("verify signatures only", at as u64 + 1, blocks.len() as u64);
        }
    }
    Ok(limit)
}

fn verify(signed: &[Signed], limit: &mut Limit) -> Result<()> {
    let watch = Watch::start();
    let good = signed.par_iter().all(|it| it.identity.verify(&it.message, &it.signature).is_ok());
    limit.spent += watch.spent();
    limit.signatures += signed.len() as u64;
    ensure!(good, "a signature of the chain is wrong");
    Ok(())
}

fn signatures(bundle: &Bundle, envelope: &Bytes, signed: &mut Vec<Signed>) -> Result<()> {
    let identity = |bytes: &[u8]| bundle.msps().deserialize(bytes).context("an identity");
    let envelope = Envelope::parse(envelope.clone())?;
    let action = Action::parse(envelope.data)?;
    signed.push(Signed {
        identity: identity(&envelope.signature_header.creator)?,
        message: envelope.payload,
        signature: envelope.signature,
    });
    for endorsement in &action.endorsements {
        let message = endorsed_message(&action.response_payload_bytes, &endorsement.endorser);
        signed.push(Signed {
            identity: identity(&endorsement.endorser)?,
            message: message.into(),
            signature: endorsement.signature.clone(),
        });
    }
    Ok(())
}
