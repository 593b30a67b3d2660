//! Building proposals, and a gateway proposal that waits for endorsement.

use std::collections::BTreeMap;
use std::time::SystemTime;

use bytes::Bytes;
use prost::Message;
use proto::common::{ChannelHeader, Header, HeaderType, SignatureHeader};
use proto::peer::{
    ChaincodeHeaderExtension, ChaincodeId, ChaincodeInput, ChaincodeInvocationSpec,
    ChaincodeProposalPayload, ChaincodeSpec, SignedProposal,
};
use proto::{gateway, transaction};

use crate::gateway::Session;
use crate::{Error, Stage, Transaction};

/// What a proposal asks for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    pub(crate) channel: String,
    pub(crate) chaincode: String,
    pub(crate) args: Vec<Bytes>,
    pub(crate) transient: BTreeMap<String, Bytes>,
    pub(crate) is_init: bool,
}

/// A proposal's bytes and the id its transaction will have.
#[derive(Clone, Debug)]
pub(crate) struct Built {
    pub(crate) bytes: Bytes,
    pub(crate) tx_id: String,
}

impl Request {
    /// Builds the proposal of `creator` with a fresh nonce.
    pub(crate) fn build(self, creator: &Bytes, kind: HeaderType) -> Built {
        let nonce = nonce();
        let tx_id = transaction::tx_id(&nonce, creator);
        let chaincode_id = ChaincodeId { name: self.chaincode, ..Default::default() };
        let extension = ChaincodeHeaderExtension { chaincode_id: Some(chaincode_id.clone()) };
        let channel_header = ChannelHeader {
            r#type: kind as i32,
            timestamp: Some(now()),
            channel_id: self.channel,
            tx_id: tx_id.clone(),
            extension: encode(&extension),
            ..Default::default()
        };
        let signature_header = SignatureHeader { creator: creator.clone(), nonce };
        let header = Header {
            channel_header: encode(&channel_header),
            signature_header: encode(&signature_header),
        };
        let input = ChaincodeInput { args: self.args, is_init: self.is_init, ..Default::default() };
        let spec = ChaincodeSpec {
            chaincode_id: Some(chaincode_id),
            input: Some(input),
            ..Default::default()
        };
        let payload = ChaincodeProposalPayload {
            input: encode(&ChaincodeInvocationSpec { chaincode_spec: Some(spec) }),
            transient_map: self.transient,
        };
        let proposal = proto::peer::Proposal {
            header: encode(&header),
            payload: encode(&payload),
            extension: Bytes::new(),
        };
        Built { bytes: encode(&proposal), tx_id }
    }
}

pub(crate) fn encode(message: &impl Message) -> Bytes {
    message.encode_to_vec().into()
}

pub(crate) fn nonce() -> Bytes {
    Bytes::copy_from_slice(&rand::random::<[u8; 24]>())
}

pub(crate) fn now() -> prost_types::Timestamp {
    SystemTime::now().into()
}

/// A proposal to be evaluated or endorsed.
///
/// With a local key nothing more is needed. Without one, sign [`Proposal::bytes`] (or
/// [`Proposal::digest`]) elsewhere and hand the signature to [`Proposal::signed`].
#[derive(Clone, Debug)]
pub struct Proposal {
    pub(crate) session: Session,
    channel: String,
    tx_id: String,
    bytes: Bytes,
    signature: Option<Bytes>,
    organizations: Vec<String>,
}

impl Proposal {
    pub(crate) fn new(session: Session, request: Request, organizations: Vec<String>) -> Self {
        let channel = request.channel.clone();
        let Built { bytes, tx_id } =
            request.build(session.signer.creator(), HeaderType::EndorserTransaction);
        Self { session, channel, tx_id, bytes, signature: None, organizations }
    }

    /// Restores a proposal from the bytes of [`Proposal::to_bytes`].
    pub(crate) fn restore(session: Session, bytes: &[u8]) -> Result<Self, Error> {
        let unreadable = |_| Error::decode("proposed transaction");
        let stored = gateway::ProposedTransaction::decode(bytes).map_err(unreadable)?;
        let signed = stored.proposal.ok_or_else(|| Error::decode("proposed transaction"))?;
        let peeled = transaction::PeeledProposal::peel(&signed)
            .map_err(|error| Error::Decode(error.to_string()))?;
        Ok(Self {
            session,
            channel: peeled.channel_header.channel_id,
            tx_id: stored.transaction_id,
            bytes: signed.proposal_bytes,
            signature: (!signed.signature.is_empty()).then_some(signed.signature),
            organizations: stored.endorsing_organizations,
        })
    }

    /// The id of the transaction to be.
    #[must_use]
    pub fn tx_id(&self) -> &str {
        &self.tx_id
    }

    /// The bytes to be signed.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// SHA-256 of the bytes to be signed.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        proto::sha256(&self.bytes)
    }

    /// Adds a signature made elsewhere.
    #[must_use]
    pub fn signed(mut self, signature: Bytes) -> Self {
        self.signature = Some(signature);
        self
    }

    /// The proposal as bytes that [`crate::Gateway::proposal`] restores, signed or not.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        encode(&gateway::ProposedTransaction {
            transaction_id: self.tx_id.clone(),
            proposal: Some(SignedProposal {
                proposal_bytes: self.bytes.clone(),
                signature: self.signature.clone().unwrap_or_default(),
            }),
            endorsing_organizations: self.organizations.clone(),
        })
    }

    fn signed_proposal(&self) -> Result<SignedProposal, Error> {
        let signature = match &self.signature {
            Some(signature) => signature.clone(),
            None => self.session.signer.sign(&self.bytes)?,
        };
        Ok(SignedProposal { proposal_bytes: self.bytes.clone(), signature })
    }

    /// Runs the proposal on one peer and returns the chaincode's answer; nothing is ordered.
    ///
    /// # Errors
    /// When no peer could evaluate it or the chaincode refused.
    pub async fn evaluate(&self) -> Result<Bytes, Error> {
        let request = gateway::EvaluateRequest {
            transaction_id: self.tx_id.clone(),
            channel_id: self.channel.clone(),
            proposed_transaction: Some(self.signed_proposal()?),
            target_organizations: self.organizations.clone(),
        };
        let request = self.session.request(request, self.session.timeouts.evaluate);
        let answer = self.session.client().evaluate(request).await;
        let answer = answer
            .map_err(|status| Error::gateway(Stage::Evaluate, &self.tx_id, &status))?
            .into_inner();
        Ok(answer.result.unwrap_or_default().payload)
    }

    /// Collects the endorsements the chaincode's policy asks for.
    ///
    /// # Errors
    /// When they cannot be had; the details say why.
    pub async fn endorse(&self) -> Result<Transaction, Error> {
        let request = gateway::EndorseRequest {
            transaction_id: self.tx_id.clone(),
            channel_id: self.channel.clone(),
            proposed_transaction: Some(self.signed_proposal()?),
            endorsing_organizations: self.organizations.clone(),
        };
        let request = self.session.request(request, self.session.timeouts.endorse);
        let answer = self.session.client().endorse(request).await;
        let answer = answer
            .map_err(|status| Error::gateway(Stage::Endorse, &self.tx_id, &status))?
            .into_inner();
        let envelope = answer
            .prepared_transaction
            .ok_or_else(|| Error::decode("endorse response without a transaction"))?;
        Transaction::new(self.session.clone(), self.tx_id.clone(), envelope)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proposal_peels_to_what_was_asked() {
        let request = Request {
            channel: "care".into(),
            chaincode: "ehr".into(),
            args: vec![Bytes::from_static(b"GetPatient"), Bytes::from_static(b"p-1")],
            transient: BTreeMap::from([("key".into(), Bytes::from_static(b"secret"))]),
            is_init: false,
        };
        let creator = Bytes::from_static(b"creator");
        let built = request.build(&creator, HeaderType::EndorserTransaction);
        let signed =
            SignedProposal { proposal_bytes: built.bytes, signature: Bytes::from_static(b"s") };
        let peeled = transaction::PeeledProposal::peel(&signed).unwrap();
        assert_eq!(peeled.chaincode, "ehr");
        assert_eq!(peeled.channel_header.channel_id, "care");
        assert_eq!(peeled.channel_header.tx_id, built.tx_id);
        assert_eq!(
            built.tx_id,
            transaction::tx_id(&peeled.signature_header.nonce, &peeled.signature_header.creator)
        );
        assert_eq!(peeled.input.args.len(), 2);
        assert_eq!(peeled.transient["key"], "secret");
    }
}
