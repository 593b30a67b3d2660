//! Proposals, envelopes and blocks as a real client, peer and orderer would make them, without
//! signatures: the ledger knows no identities.

use bytes::Bytes;
use gauze_chaincode::Timestamp;
use ledger::Simulation;
use prost::Message;
use proto::common::{Block, ChannelHeader, Envelope, Header, HeaderType, Payload, SignatureHeader};
use proto::peer::{
    ChaincodeAction, ChaincodeActionPayload, ChaincodeEndorsedAction, ChaincodeEvent,
    ChaincodeHeaderExtension, ChaincodeId, ChaincodeInput, ChaincodeInvocationSpec,
    ChaincodeProposalPayload, ChaincodeSpec, ProposalResponsePayload, Response, SignedProposal,
    Transaction, TransactionAction,
};

use crate::session::Session;

/// The first block of a channel: one config envelope without content.
pub(crate) fn genesis(channel: &str) -> Block {
    let channel_header = ChannelHeader {
        r#type: HeaderType::Config.into(),
        channel_id: channel.to_owned(),
        ..ChannelHeader::default()
    };
    let header = Header { channel_header: encode(&channel_header), ..Header::default() };
    let payload = Payload { header: Some(header), data: Bytes::new() };
    proto::block::new(0, Bytes::new(), vec![envelope(&payload)])
}

/// One proposal and what is derived from it.
#[derive(Debug)]
pub(crate) struct Proposal {
    pub(crate) tx_id: String,
    pub(crate) channel_id: String,
    pub(crate) timestamp: prost_types::Timestamp,
    pub(crate) creator: Bytes,
    pub(crate) signed: SignedProposal,
    chaincode: String,
    header: Header,
    input: Bytes,
}

impl Proposal {
    pub(crate) fn new(
        channel: &str,
        session: &Session<'_>,
        args: &[Bytes],
        number: u64,
        now: Timestamp,
    ) -> Self {
        let creator = session.user.creator();
        let nonce = Bytes::copy_from_slice(&proto::sha256(&number.to_be_bytes())[..24]);
        let tx_id = proto::transaction::tx_id(&nonce, &creator);
        let timestamp = prost_types::Timestamp { seconds: now.seconds, nanos: now.nanos };
        let id = ChaincodeId { name: session.chaincode.clone(), ..ChaincodeId::default() };
        let extension = ChaincodeHeaderExtension { chaincode_id: Some(id.clone()) };
        let channel_header = ChannelHeader {
            r#type: HeaderType::EndorserTransaction.into(),
            timestamp: Some(timestamp),
            channel_id: channel.to_owned(),
            tx_id: tx_id.clone(),
            extension: encode(&extension),
            ..ChannelHeader::default()
        };
        let header = Header {
            channel_header: encode(&channel_header),
            signature_header: encode(&SignatureHeader { creator: creator.clone(), nonce }),
        };
        let input = ChaincodeInput { args: args.to_vec(), ..ChaincodeInput::default() };
        let spec = ChaincodeSpec {
            chaincode_id: Some(id),
            input: Some(input),
            ..ChaincodeSpec::default()
        };
        let input = encode(&ChaincodeInvocationSpec { chaincode_spec: Some(spec) });
        let payload = encode(&ChaincodeProposalPayload {
            input: input.clone(),
            transient_map: session.transient.clone(),
        });
        let proposal = proto::peer::Proposal {
            header: encode(&header),
            payload,
            ..proto::peer::Proposal::default()
        };
        let signed =
            SignedProposal { proposal_bytes: encode(&proposal), ..SignedProposal::default() };
        let chaincode = session.chaincode.clone();
        let channel_id = channel.to_owned();
        Self { tx_id, channel_id, timestamp, creator, signed, chaincode, header, input }
    }

    /// The transaction: what the simulation came to, in the envelope clients submit.
    pub(crate) fn envelope(
        &self,
        simulation: &Simulation,
        event: Option<&(String, Bytes)>,
        response: &Response,
    ) -> Bytes {
        let event = event.map(|(name, payload)| ChaincodeEvent {
            chaincode_id: self.chaincode.clone(),
            tx_id: self.tx_id.clone(),
            event_name: name.clone(),
            payload: payload.clone(),
        });
        let id = ChaincodeId {
            name: self.chaincode.clone(),
            version: "1.0".to_owned(),
            ..ChaincodeId::default()
        };
        let action = ChaincodeAction {
            results: simulation.public.clone(),
            events: event.as_ref().map(encode).unwrap_or_default(),
            response: Some(response.clone()),
            chaincode_id: Some(id),
        };
        let proposal_payload = proto::transaction::without_transient(&self.input);
        let response_payload =
            ProposalResponsePayload { proposal_hash: Bytes::new(), extension: encode(&action) };
        let endorsed = ChaincodeEndorsedAction {
            proposal_response_payload: encode(&response_payload),
            endorsements: Vec::new(),
        };
        let action = TransactionAction {
            header: self.header.signature_header.clone(),
            payload: encode(&ChaincodeActionPayload {
                chaincode_proposal_payload: proposal_payload,
                action: Some(endorsed),
            }),
        };
        let data = encode(&Transaction { actions: vec![action] });
        envelope(&Payload { header: Some(self.header.clone()), data })
    }
}

fn envelope(payload: &Payload) -> Bytes {
    encode(&Envelope { payload: encode(payload), signature: Bytes::new() })
}

fn encode(message: &impl Message) -> Bytes {
    Bytes::from(message.encode_to_vec())
}
