//! The transaction a client signs: its own proposal, what the endorsers signed, and their
//! signatures.

use std::collections::BTreeSet;

use bytes::Bytes;
use prost::Message;
use proto::common::{Envelope, Header, Payload};
use proto::peer::{
    ChaincodeActionPayload, ChaincodeEndorsedAction, Endorsement, ProposalResponse, Transaction,
    TransactionAction,
};
use proto::transaction::{PeeledProposal, without_transient};

/// The unsigned envelope of a proposal and its endorsements, which must all be over the same
/// bytes. Of several endorsements by one endorser the first counts.
pub(super) fn transaction(proposal: &PeeledProposal, responses: Vec<ProposalResponse>) -> Envelope {
    let payload = responses.first().map(|first| first.payload.clone()).unwrap_or_default();
    let mut seen = BTreeSet::new();
    let endorsements: Vec<Endorsement> = responses
        .into_iter()
        .filter_map(|response| response.endorsement)
        .filter(|endorsement| seen.insert(endorsement.endorser.clone()))
        .collect();
    Envelope { payload: envelope_payload(proposal, payload, endorsements), ..Default::default() }
}

fn envelope_payload(
    proposal: &PeeledProposal,
    proposal_response_payload: Bytes,
    endorsements: Vec<Endorsement>,
) -> Bytes {
    let action = ChaincodeActionPayload {
        chaincode_proposal_payload: without_transient(&proposal.input_bytes),
        action: Some(ChaincodeEndorsedAction { proposal_response_payload, endorsements }),
    };
    let header = proposal.signature_header_bytes.clone();
    let action = TransactionAction { header, payload: action.encode_to_vec().into() };
    let payload = Payload {
        header: Some(Header {
            channel_header: proposal.channel_header_bytes.clone(),
            signature_header: proposal.signature_header_bytes.clone(),
        }),
        data: Transaction { actions: vec![action] }.encode_to_vec().into(),
    };
    payload.encode_to_vec().into()
}

#[cfg(test)]
mod tests {
    use proto::gateway::{EndorseRequest, EndorseResponse};
    use proto::peer::SignedProposal;

    use super::*;

    fn recorded(name: &str) -> Bytes {
        let path = format!("{}/tests/fixtures/transaction/{name}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read(path).unwrap().into()
    }

    /// A transaction recorded from a real network, at every stage.
    #[test]
    fn recorded_responses_give_the_recorded_envelope() {
        let signed = SignedProposal::decode(recorded("signed_proposal.pb")).unwrap();
        let proposal = PeeledProposal::peel(&signed).unwrap();
        assert!(!proposal.transient.is_empty());
        let expected = "eb0b53d0b8b7e3e7eee0070859bfcf98bccdc78ab77bf67bf0b65c09c490052f";
        assert_eq!(hex::encode(proposal.hash()), expected);
        let responses = ["proposal_response_org1.pb", "proposal_response_org2.pb"]
            .map(|name| ProposalResponse::decode(recorded(name)).unwrap());
        let repeated = [responses.to_vec(), responses.to_vec()].concat();
        let envelope = Envelope::decode(recorded("envelope.pb")).unwrap();
        assert_eq!(transaction(&proposal, responses.to_vec()).payload, envelope.payload);
        assert_eq!(transaction(&proposal, repeated).payload, envelope.payload);
    }

    #[test]
    fn a_recorded_gateway_prepared_the_same_form() {
        let request = EndorseRequest::decode(recorded("gw2_endorse_request.pb")).unwrap();
        let proposal = PeeledProposal::peel(&request.proposed_transaction.unwrap()).unwrap();
        let response = EndorseResponse::decode(recorded("gw2_endorse_response.pb")).unwrap();
        let prepared = response.prepared_transaction.unwrap();
        let payload = Payload::decode(prepared.payload.clone()).unwrap();
        let action = proto::transaction::Action::parse(payload.data).unwrap();
        let responses = action.endorsements.into_iter().map(|endorsement| ProposalResponse {
            payload: action.response_payload_bytes.clone(),
            endorsement: Some(endorsement),
            ..Default::default()
        });
        let rebuilt = transaction(&proposal, responses.collect());
        assert_eq!(rebuilt.encode_to_vec(), prepared.encode_to_vec());
    }
}
