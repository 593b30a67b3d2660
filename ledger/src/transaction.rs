//! Transactions as they stand in blocks, decoded as far as the ledger needs them.

use bytes::Bytes;
use proto::common::{self, ChannelHeader, HeaderType, Payload, SignatureHeader};
use proto::envelope::Envelope;
use proto::transaction::{self, TxValidationCode};

use crate::rwset::TxRwSet;

/// A transaction of the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransactionRecord {
    /// The encoded envelope.
    pub envelope: Bytes,
    /// What validation said.
    pub code: TxValidationCode,
    /// Number of its block.
    pub block: u64,
    /// Position in the block.
    pub index: u32,
}

/// A transaction of a block, as far as validation has decoded it, so that committing need not do
/// it again.
#[derive(Debug, Clone, Default)]
pub struct Decoded {
    /// The id under which it is found: [`indexed_tx_id`](crate::block_store::indexed_tx_id).
    pub id: Option<String>,
    /// What it does if it is valid.
    pub content: Content,
}

/// What a transaction carries.
#[derive(Debug, Clone, Default)]
pub enum Content {
    /// Nothing that can be applied.
    #[default]
    None,
    /// An encoded `ConfigEnvelope`.
    Config(Bytes),
    /// Reads and writes.
    Endorsed(TxRwSet),
}

/// Key of the channel configuration, in the empty namespace.
pub(crate) const CONFIG_KEY: &str = "CHANNEL_CONFIG_ENV_BYTES";

/// What a transaction of a block does to the state.
#[derive(Debug, Clone)]
pub(crate) enum Action {
    /// Nothing, or the transaction is invalid.
    None,
    /// It replaces the channel configuration by this `ConfigEnvelope`.
    Config(Bytes),
    /// It reads and writes what its endorsers signed.
    Endorsed(TxRwSet),
}

/// A transaction of a block.
#[derive(Debug, Clone)]
pub(crate) struct Parsed {
    /// Id under which it is indexed.
    pub(crate) indexed_id: Option<String>,
    /// What it does if it is valid.
    pub(crate) action: Action,
    /// What it would do to private collections if it were valid; only looked at if private data
    /// came with it.
    pub(crate) invalid: Option<TxRwSet>,
}

impl Parsed {
    /// Decodes a transaction. A code that says valid is replaced if the transaction cannot be
    /// applied. The sets of an invalid transaction are decoded `with_private` data only.
    pub(crate) fn new(bytes: &Bytes, code: &mut TxValidationCode, with_private: bool) -> Self {
        let mut parsed = Self { indexed_id: None, action: Action::None, invalid: None };
        let Ok(envelope) = Envelope::parse(bytes.clone()) else {
            parsed.indexed_id = indexed_id(bytes);
            return parsed;
        };
        parsed.indexed_id = Some(id_of(&envelope.channel_header, &envelope.signature_header));
        let is_valid = *code == TxValidationCode::Valid;
        let kind = envelope.channel_header.r#type;
        if kind == HeaderType::Config as i32 && is_valid {
            parsed.action = Action::Config(envelope.data);
        } else if kind == HeaderType::EndorserTransaction as i32 && (is_valid || with_private) {
            match results(envelope.data) {
                Ok(set) if is_valid => parsed.action = Action::Endorsed(set),
                Ok(set) => parsed.invalid = Some(set),
                Err(reason) if is_valid => *code = reason,
                Err(_) => {}
            }
        }
        parsed
    }

    /// Takes over what validation has decoded.
    pub(crate) fn of(decoded: Decoded, code: TxValidationCode) -> Self {
        let mut parsed = Self { indexed_id: decoded.id, action: Action::None, invalid: None };
        let is_valid = code == TxValidationCode::Valid;
        match decoded.content {
            Content::Config(envelope) if is_valid => parsed.action = Action::Config(envelope),
            Content::Endorsed(set) if is_valid => parsed.action = Action::Endorsed(set),
            Content::Endorsed(set) => parsed.invalid = Some(set),
            Content::Config(_) | Content::None => {}
        }
        parsed
    }

    /// What it does, or would do if it were valid, to private collections.
    pub(crate) fn collections(&self) -> Option<&TxRwSet> {
        match &self.action {
            Action::Endorsed(set) => Some(set),
            _ => self.invalid.as_ref(),
        }
    }

    /// The endorsed sets of a valid transaction.
    pub(crate) fn endorsed(&self) -> Option<&TxRwSet> {
        match &self.action {
            Action::Endorsed(set) => Some(set),
            _ => None,
        }
    }

    /// Takes note that the transaction turned out to be invalid.
    pub(crate) fn invalidate(&mut self) {
        if let Action::Endorsed(set) = std::mem::replace(&mut self.action, Action::None) {
            self.invalid = Some(set);
        }
    }
}

/// The id under which an envelope is indexed. One that a channel header names is used up even if
/// nothing else of the envelope can be read.
pub(crate) fn indexed_id(bytes: &Bytes) -> Option<String> {
    let envelope: common::Envelope = proto::decode(bytes.clone()).ok()?;
    let payload: Payload = proto::decode(envelope.payload).ok()?;
    let header = payload.header?;
    let channel: ChannelHeader = proto::decode(header.channel_header).ok()?;
    if !channel.tx_id.is_empty() {
        return Some(channel.tx_id);
    }
    let signature = proto::decode(header.signature_header).ok()?;
    Some(id_of(&channel, &signature))
}

/// The id in a channel header or, if there is none (config updates made by orderers), the hash of
/// nonce and creator.
fn id_of(channel: &ChannelHeader, signature: &SignatureHeader) -> String {
    match channel.tx_id.as_str() {
        "" => transaction::tx_id(&signature.nonce, &signature.creator),
        id => id.to_owned(),
    }
}

fn results(data: Bytes) -> Result<TxRwSet, TxValidationCode> {
    let action = transaction::Action::parse(data)
        .and_then(|action| action.chaincode_action())
        .map_err(|_| TxValidationCode::NilTxaction)?;
    TxRwSet::decode(action.results).map_err(|_| TxValidationCode::InvalidOtherReason)
}

/// Decodes the transactions of a block; there is a code for each.
pub(crate) fn parse_all(
    envelopes: &[Bytes],
    codes: &mut [TxValidationCode],
    with_private: impl Fn(u32) -> bool,
) -> Vec<Parsed> {
    let each = (0u32..).zip(envelopes.iter().zip(codes));
    each.map(|(index, (bytes, code))| Parsed::new(bytes, code, with_private(index))).collect()
}

/// The codes a peer recorded in a block, one byte each.
pub(crate) fn recorded_codes(filter: &[u8]) -> Vec<TxValidationCode> {
    let code = |byte: &u8| TxValidationCode::try_from(i32::from(*byte));
    filter.iter().map(|byte| code(byte).unwrap_or(TxValidationCode::InvalidOtherReason)).collect()
}
