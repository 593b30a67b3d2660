//! The answer to a proposal: what the chaincode did, as endorsers sign it.

use bytes::Bytes;
use msp::SigningIdentity;
use prost::Message;
use proto::peer::{
    ChaincodeAction, ChaincodeEvent, ChaincodeId, ChaincodeInterest, Endorsement, ProposalResponse,
    ProposalResponsePayload, Response,
};
use proto::transaction::endorsed_message;

/// Status from which on the contract has failed and the client is told everything.
const ERROR: i32 = 500;
/// Status from which on nothing is endorsed.
const ERROR_THRESHOLD: i32 = 400;

/// What came of running a chaincode.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Outcome {
    pub(super) response: Response,
    /// Name and payload of the event, if one was set.
    pub(super) event: Option<(String, Bytes)>,
    /// Encoded `TxReadWriteSet`; empty if nothing was simulated.
    pub(super) results: Bytes,
    pub(super) interest: Option<ChaincodeInterest>,
    /// Version of the chaincode that ran.
    pub(super) version: String,
}

/// An answer that carries nothing but a response.
pub(super) fn plain(response: Response) -> ProposalResponse {
    ProposalResponse { response: Some(response), ..Default::default() }
}

/// The bytes endorsers sign.
pub(super) fn payload(
    proposal_hash: [u8; 32],
    chaincode: &str,
    tx_id: &str,
    outcome: &Outcome,
) -> Bytes {
    let events = outcome.event.as_ref().map(|(name, payload)| {
        let event = ChaincodeEvent {
            chaincode_id: chaincode.to_owned(),
            tx_id: tx_id.to_owned(),
            event_name: name.clone(),
            payload: payload.clone(),
        };
        event.encode_to_vec().into()
    });
    let action = ChaincodeAction {
        results: outcome.results.clone(),
        events: events.unwrap_or_default(),
        response: Some(outcome.response.clone()),
        chaincode_id: Some(ChaincodeId {
            name: chaincode.to_owned(),
            version: outcome.version.clone(),
            ..Default::default()
        }),
    };
    let payload = ProposalResponsePayload {
        proposal_hash: Bytes::copy_from_slice(&proposal_hash),
        extension: action.encode_to_vec().into(),
    };
    payload.encode_to_vec().into()
}

/// The answer to a proposal that ran; endorsed if the chaincode succeeded on a channel.
pub(super) fn answer(
    proposal: &proto::transaction::PeeledProposal,
    outcome: Outcome,
    signer: &SigningIdentity,
) -> Result<ProposalResponse, msp::Error> {
    let header = &proposal.channel_header;
    let payload = payload(proposal.hash(), &proposal.chaincode, &header.tx_id, &outcome);
    let status = outcome.response.status;
    let mut answer = plain(outcome.response);
    if status >= ERROR {
        answer.payload = payload;
        answer.interest = outcome.interest;
    } else if !header.channel_id.is_empty() && status < ERROR_THRESHOLD {
        answer.version = 1;
        answer.endorsement = Some(endorse(&payload, signer)?);
        answer.payload = payload;
        answer.interest = outcome.interest;
    }
    Ok(answer)
}

fn endorse(payload: &[u8], signer: &SigningIdentity) -> Result<Endorsement, msp::Error> {
    let endorser = signer.serialized().clone();
    let signature = signer.sign(&endorsed_message(payload, &endorser))?;
    Ok(Endorsement { endorser, signature })
}
