//! Endorser transactions: ids, the proposal hash, and what endorsers and creators sign.

use bytes::Bytes;
use prost::Message;

use crate::common::{ChannelHeader, Header, SignatureHeader};
use crate::envelope::{Error, peel_header};
use crate::peer::{
    ChaincodeAction, ChaincodeActionPayload, ChaincodeHeaderExtension, ChaincodeInput,
    ChaincodeInvocationSpec, ChaincodeProposalPayload, Endorsement, Proposal,
    ProposalResponsePayload, SignedProposal, Transaction,
};
use crate::{decode, sha256, sha256_all};

pub use crate::peer::TxValidationCode;

/// The id of a transaction: lower-case hex of SHA-256 over nonce and creator.
pub fn tx_id(nonce: &[u8], creator: &[u8]) -> String {
    hex::encode(sha256_all([nonce, creator]))
}

/// A `ChaincodeProposalPayload` that carries the input and nothing else: the form that is hashed
/// and that enters the transaction, so that transient data never leaves the endorsers.
pub fn without_transient(input: &Bytes) -> Bytes {
    ChaincodeProposalPayload { input: input.clone(), ..Default::default() }.encode_to_vec().into()
}

/// What endorsers put into `ProposalResponsePayload.proposal_hash`.
pub fn proposal_hash(
    channel_header: &[u8],
    signature_header: &[u8],
    payload_without_transient: &[u8],
) -> [u8; 32] {
    sha256_all([channel_header, signature_header, payload_without_transient])
}

/// The message an endorser signs.
pub fn endorsed_message(proposal_response_payload: &[u8], endorser: &[u8]) -> Vec<u8> {
    [proposal_response_payload, endorser].concat()
}

/// A signed proposal, peeled. Every `Bytes` is a slice of the input.
#[derive(Debug, Clone)]
pub struct PeeledProposal {
    /// The signed bytes.
    pub proposal_bytes: Bytes,
    /// Signature of the creator over `proposal_bytes`.
    pub signature: Bytes,
    /// Encoded channel header.
    pub channel_header_bytes: Bytes,
    /// Encoded signature header.
    pub signature_header_bytes: Bytes,
    /// Decoded channel header.
    pub channel_header: ChannelHeader,
    /// Decoded signature header.
    pub signature_header: SignatureHeader,
    /// Name of the chaincode to run, from the header extension.
    pub chaincode: String,
    /// Encoded invocation spec, as it enters the transaction.
    pub input_bytes: Bytes,
    /// Arguments; the first is the function name.
    pub input: ChaincodeInput,
    /// Data for the chaincode that does not enter the transaction.
    pub transient: std::collections::BTreeMap<String, Bytes>,
}

impl PeeledProposal {
    /// Peels a signed proposal; every layer must decode and name a chaincode and an input.
    pub fn peel(signed: &SignedProposal) -> Result<Self, Error> {
        let proposal = Proposal::decode(signed.proposal_bytes.clone())
            .map_err(|_| Error::Decode("proposal"))?;
        let header = Header::decode(proposal.header.clone())
            .map_err(|_| Error::Decode("proposal header"))?;
        let (channel_header, signature_header) = peel_header(&header)?;
        let extension = ChaincodeHeaderExtension::decode(channel_header.extension.clone())
            .map_err(|_| Error::Decode("chaincode header extension"))?;
        let chaincode = extension.chaincode_id.ok_or(Error::Missing("chaincode id"))?.name;
        if chaincode.is_empty() {
            return Err(Error::Missing("chaincode name"));
        }
        let payload = ChaincodeProposalPayload::decode(proposal.payload.clone())
            .map_err(|_| Error::Decode("chaincode proposal payload"))?;
        let spec = ChaincodeInvocationSpec::decode(payload.input.clone())
            .map_err(|_| Error::Decode("chaincode invocation spec"))?;
        let input = spec
            .chaincode_spec
            .ok_or(Error::Missing("chaincode spec"))?
            .input
            .ok_or(Error::Missing("chaincode input"))?;
        Ok(Self {
            proposal_bytes: signed.proposal_bytes.clone(),
            signature: signed.signature.clone(),
            channel_header_bytes: header.channel_header,
            signature_header_bytes: header.signature_header,
            channel_header,
            signature_header,
            chaincode,
            input_bytes: payload.input,
            input,
            transient: payload.transient_map,
        })
    }

    /// SHA-256 over headers and the payload without transient data.
    pub fn hash(&self) -> [u8; 32] {
        proposal_hash(
            &self.channel_header_bytes,
            &self.signature_header_bytes,
            &without_transient(&self.input_bytes),
        )
    }
}

/// The single action of an endorser transaction, peeled down to the proposal response payload.
/// Every `Bytes` is a slice of the input.
#[derive(Debug, Clone)]
pub struct Action {
    /// Encoded signature header of the action.
    pub header_bytes: Bytes,
    /// Decoded signature header of the action.
    pub header: SignatureHeader,
    /// Encoded proposal payload without transient data.
    pub proposal_payload: Bytes,
    /// The bytes all endorsers signed.
    pub response_payload_bytes: Bytes,
    /// The same, decoded: proposal hash and the encoded chaincode action.
    pub response_payload: ProposalResponsePayload,
    /// Who endorsed.
    pub endorsements: Vec<Endorsement>,
}

impl Action {
    /// Peels the data of an envelope of type `ENDORSER_TRANSACTION`; there must be one action.
    pub fn parse(data: Bytes) -> Result<Self, Error> {
        let transaction: Transaction = decode(data).map_err(|_| Error::Decode("transaction"))?;
        let [action] = transaction.actions.as_slice() else {
            return Err(Error::Missing("exactly one transaction action"));
        };
        let header = decode(action.header.clone()).map_err(|_| Error::Decode("action header"))?;
        let payload: ChaincodeActionPayload = decode(action.payload.clone())
            .map_err(|_| Error::Decode("chaincode action payload"))?;
        let endorsed = payload.action.ok_or(Error::Missing("chaincode endorsed action"))?;
        let response_payload = decode(endorsed.proposal_response_payload.clone())
            .map_err(|_| Error::Decode("proposal response payload"))?;
        Ok(Self {
            header_bytes: action.header.clone(),
            header,
            proposal_payload: payload.chaincode_proposal_payload,
            response_payload_bytes: endorsed.proposal_response_payload,
            response_payload,
            endorsements: endorsed.endorsements,
        })
    }

    /// The hash the endorsers must have put into the response payload. The proposal payload counts
    /// as it stands in the transaction: a creator who left transient data in it has made another
    /// payload than the one that was endorsed.
    pub fn proposal_hash(&self, channel_header: &[u8]) -> Result<[u8; 32], Error> {
        if self.proposal_payload.is_empty() {
            return Err(Error::Missing("chaincode proposal payload"));
        }
        Ok(proposal_hash(channel_header, &self.header_bytes, &self.proposal_payload))
    }

    /// What the chaincode did.
    pub fn chaincode_action(&self) -> Result<ChaincodeAction, Error> {
        decode(self.response_payload.extension.clone())
            .map_err(|_| Error::Decode("chaincode action"))
    }
}

/// The identity of a serialized creator as a short name for logs: hash of its bytes.
pub fn fingerprint(creator: &[u8]) -> String {
    hex::encode(sha256(creator).get(..8).unwrap_or_default())
}
