//! The part of validation that needs no state: syntax, creators and endorsers' signatures.

use std::sync::Arc;

use bytes::Bytes;
use channel::policy::verified_identities;
use channel::{Bundle, SignedData};
use ledger::Decoded;
use msp::Identity;
use proto::common::Block;
use proto::peer::TxValidationCode as Code;
use proto::transaction::{Action, endorsed_message};
use rayon::prelude::*;

use super::effects::{Effects, PrivateWrite};
use super::syntax::{self, Checked};

/// A block whose signatures are verified, against one configuration.
#[derive(Debug)]
pub struct Prepared {
    pub(super) bundle: Arc<Bundle>,
    pub(super) transactions: Vec<Transaction>,
}

/// One transaction, as far as it can be judged without state.
#[derive(Debug)]
pub(super) struct Transaction {
    /// The id the envelope claims, right or wrong; empty if there is none.
    pub(super) tx_id: String,
    /// The id the ledger finds it by.
    indexed_id: Option<String>,
    /// What it carries, or why it is refused.
    pub(super) content: Result<Content, Code>,
}

/// What a well-formed transaction carries.
#[derive(Debug)]
pub(super) enum Content {
    /// An encoded `ConfigEnvelope`.
    Config(Bytes),
    /// An endorsed transaction.
    Endorsed(Endorsed),
}

/// An endorsed transaction.
#[derive(Debug)]
pub(super) struct Endorsed {
    /// What it does, or why it is refused unless its id was used before.
    pub(super) effects: Result<Effects, Code>,
    /// Who endorsed it: distinct identities of the channel whose signatures are good.
    pub(super) endorsers: Vec<Identity>,
}

impl Prepared {
    /// Checks every transaction of `block`, in parallel.
    pub fn new(block: &Block, bundle: Arc<Bundle>) -> Self {
        let transactions = proto::block::envelopes(block)
            .par_iter()
            .map(|bytes| Transaction::new(bytes, &bundle))
            .collect();
        Self { bundle, transactions }
    }

    /// The configuration the signatures were verified against.
    pub fn bundle(&self) -> &Arc<Bundle> {
        &self.bundle
    }

    /// What private data the transactions announce: position, id and collections.
    pub fn private_writes(&self) -> impl Iterator<Item = (usize, &str, &[PrivateWrite])> {
        self.transactions.iter().enumerate().filter_map(|(index, transaction)| {
            match &transaction.content {
                Ok(Content::Endorsed(Endorsed { effects: Ok(effects), .. })) => {
                    Some((index, transaction.tx_id.as_str(), effects.private.as_slice()))
                }
                _ => None,
            }
        })
    }

    /// Hands what was decoded to the ledger; of what was asked for here only the ids remain.
    pub fn take_decoded(&mut self) -> Vec<Decoded> {
        self.transactions.iter_mut().map(Transaction::take_decoded).collect()
    }

    /// The ids the transactions claim, in order; empty where there is none.
    pub fn tx_ids(&self) -> impl Iterator<Item = &str> {
        self.transactions.iter().map(|transaction| transaction.tx_id.as_str())
    }
}

impl Transaction {
    fn new(bytes: &Bytes, bundle: &Bundle) -> Self {
        let outcome = syntax::check(bytes, bundle);
        let content = outcome.result.map(|checked| match checked {
            Checked::Config(envelope) => Content::Config(envelope),
            Checked::Endorsed { extension, action } => {
                Content::Endorsed(Endorsed::new(extension, &action, bundle))
            }
        });
        Self { tx_id: outcome.tx_id, indexed_id: outcome.indexed_id, content }
    }

    /// What the ledger needs of it, so that nothing is decoded twice.
    fn take_decoded(&mut self) -> Decoded {
        let content = match &mut self.content {
            Ok(Content::Config(envelope)) => ledger::Content::Config(std::mem::take(envelope)),
            Ok(Content::Endorsed(Endorsed { effects: Ok(effects), .. })) => {
                ledger::Content::Endorsed(std::mem::take(&mut effects.set))
            }
            Ok(Content::Endorsed(Endorsed { effects: Err(_), .. })) | Err(_) => {
                ledger::Content::None
            }
        };
        Decoded { id: self.indexed_id.take(), content }
    }
}

impl Endorsed {
    fn new(extension: Bytes, action: &Action, bundle: &Bundle) -> Self {
        let effects = Effects::parse(extension, action);
        let endorsers = match &effects {
            Ok(_) => verified_identities(bundle.msps(), &signatures(action)),
            Err(_) => Vec::new(),
        };
        Self { effects, endorsers }
    }
}

fn signatures(action: &Action) -> Vec<SignedData> {
    let signed = |endorsement: &proto::peer::Endorsement| SignedData {
        data: endorsed_message(&action.response_payload_bytes, &endorsement.endorser).into(),
        identity: endorsement.endorser.clone(),
        signature: endorsement.signature.clone(),
    };
    action.endorsements.iter().map(signed).collect()
}
