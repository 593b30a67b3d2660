//! First stage: is the envelope well formed, and did its creator sign it?

use bytes::Bytes;
use channel::Bundle;
use proto::common::{Envelope as Raw, HeaderType, Payload};
use proto::envelope::{Envelope, Error, peel_header};
use proto::peer::TxValidationCode as Code;
use proto::transaction::{Action, tx_id};

/// An envelope that passed the first stage.
#[derive(Debug)]
pub(super) enum Checked {
    /// A configuration; the encoded `ConfigEnvelope`.
    Config(Bytes),
    /// An endorsed transaction.
    Endorsed {
        /// The envelope's channel header extension.
        extension: Bytes,
        /// The single action.
        action: Box<Action>,
    },
}

/// What the first stage found out about one envelope.
#[derive(Debug)]
pub(super) struct Outcome {
    /// The id the envelope claims, right or wrong; empty if there is none.
    pub(super) tx_id: String,
    /// The id the ledger finds it by, which is another if the envelope claims none.
    pub(super) indexed_id: Option<String>,
    /// The content, or why it is refused.
    pub(super) result: Result<Checked, Code>,
}

/// Checks one envelope of a block.
pub(super) fn check(bytes: &Bytes, bundle: &Bundle) -> Outcome {
    match peel(bytes) {
        Ok(envelope) => {
            let claimed = envelope.channel_header.tx_id.clone();
            let header = &envelope.signature_header;
            let indexed_id = Some(match claimed.as_str() {
                "" => tx_id(&header.nonce, &header.creator),
                id => id.to_owned(),
            });
            Outcome { result: check_envelope(envelope, bundle), tx_id: claimed, indexed_id }
        }
        Err(code) => {
            let indexed_id = ledger::block_store::indexed_tx_id(bytes);
            Outcome { tx_id: String::new(), indexed_id, result: Err(code) }
        }
    }
}

fn peel(bytes: &Bytes) -> Result<Envelope, Code> {
    let raw: Raw = proto::decode(bytes.clone()).map_err(|_| Code::InvalidOtherReason)?;
    let payload: Payload = proto::decode(raw.payload.clone()).map_err(|_| Code::BadPayload)?;
    let header = payload.header.ok_or(Code::BadCommonHeader)?;
    let (channel_header, signature_header) =
        peel_header(&header).map_err(|_| Code::BadCommonHeader)?;
    Ok(Envelope {
        payload: raw.payload,
        signature: raw.signature,
        channel_header_bytes: header.channel_header,
        signature_header_bytes: header.signature_header,
        channel_header,
        signature_header,
        data: payload.data,
    })
}

fn check_envelope(envelope: Envelope, bundle: &Bundle) -> Result<Checked, Code> {
    let kind = check_headers(&envelope)?;
    check_creator(&envelope, bundle)?;
    match kind {
        HeaderType::EndorserTransaction => check_endorsed(envelope),
        HeaderType::Config if envelope.data.is_empty() => Err(Code::InvalidConfigTransaction),
        HeaderType::Config => Ok(Checked::Config(envelope.data)),
        _ => Err(Code::UnsupportedTxPayload),
    }
}

fn check_headers(envelope: &Envelope) -> Result<HeaderType, Code> {
    let kind = match HeaderType::try_from(envelope.channel_header.r#type) {
        Ok(
            kind
            @ (HeaderType::EndorserTransaction | HeaderType::Config | HeaderType::ConfigUpdate),
        ) => kind,
        _ => return Err(Code::BadCommonHeader),
    };
    let signature_header = &envelope.signature_header;
    let complete = envelope.channel_header.epoch == 0
        && !signature_header.nonce.is_empty()
        && !signature_header.creator.is_empty();
    if complete { Ok(kind) } else { Err(Code::BadCommonHeader) }
}

/// The creator must be a valid identity of the channel named, which must be the block's channel.
fn check_creator(envelope: &Envelope, bundle: &Bundle) -> Result<(), Code> {
    let refused = Code::BadCreatorSignature;
    if envelope.signature.is_empty() || envelope.channel_header.channel_id != bundle.channel_id() {
        return Err(refused);
    }
    let creator =
        bundle.msps().deserialize(&envelope.signature_header.creator).map_err(|_| refused)?;
    creator.validate().map_err(|_| refused)?;
    creator.verify(&envelope.payload, &envelope.signature).map_err(|_| refused)
}

fn check_endorsed(envelope: Envelope) -> Result<Checked, Code> {
    let header = &envelope.signature_header;
    if envelope.channel_header.tx_id != tx_id(&header.nonce, &header.creator) {
        return Err(Code::BadProposalTxid);
    }
    let action = parse_action(&envelope).map_err(|_| Code::InvalidEndorserTransaction)?;
    Ok(Checked::Endorsed { extension: envelope.channel_header.extension, action: Box::new(action) })
}

/// The action's own header counts for the proposal hash; its creator need not be the envelope's.
fn parse_action(envelope: &Envelope) -> Result<Action, Error> {
    let action = Action::parse(envelope.data.clone())?;
    if action.header.nonce.is_empty() {
        return Err(Error::Missing("action nonce"));
    }
    if action.header.creator.is_empty() {
        return Err(Error::Missing("action creator"));
    }
    let hash = action.proposal_hash(&envelope.channel_header_bytes)?;
    if action.response_payload.proposal_hash != hash.as_slice() {
        return Err(Error::Missing("matching proposal hash"));
    }
    Ok(action)
}
