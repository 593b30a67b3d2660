//! The peers that can run a chaincode, and how to ask them.

use std::collections::BTreeMap;
use std::time::Duration;

use channel::Bundle;
use node::grpc::MAX_MESSAGE_BYTES;
use proto::gateway::ErrorDetail;
use proto::peer::endorser_client::EndorserClient;
use proto::peer::{ProposalResponse, SignedProposal};
use tonic::Status;

use super::Inner;
use super::error::{CallFailure, Failure, classify};
use crate::discovery::{PeerInfo, by_height};
use crate::endorser;
use crate::system::is_system;

impl Inner {
    /// The live peers of a channel that run `chaincode`, the highest first. System chaincode runs
    /// on every peer.
    pub(super) fn peers_with(&self, channel: &str, chaincode: &str) -> Vec<PeerInfo> {
        let mut peers = self.planner.membership().peers(channel);
        peers.retain(|peer| is_system(chaincode) || peer.chaincodes.contains_key(chaincode));
        peers.sort_by(by_height);
        peers
    }

    /// The same, by organization.
    pub(super) fn peers_by_organization(
        &self,
        channel: &str,
        chaincode: &str,
    ) -> BTreeMap<String, Vec<PeerInfo>> {
        let mut organizations: BTreeMap<String, Vec<PeerInfo>> = BTreeMap::new();
        for peer in self.peers_with(channel, chaincode) {
            organizations.entry(peer.msp_id.clone()).or_default().push(peer);
        }
        organizations
    }

    /// Has one peer endorse a proposal.
    pub(super) async fn ask(
        &self,
        peer: &PeerInfo,
        bundle: &Bundle,
        proposal: SignedProposal,
    ) -> Result<ProposalResponse, Failure> {
        let timeout = self.config.endorsement_timeout;
        let answer = if peer.is_local {
            self.endorser.process(proposal).await.map_err(local_failure)
        } else {
            self.ask_remote(peer, bundle, proposal, timeout).await
        };
        let outcome = classify(answer);
        if let Err(failure) = &outcome {
            tracing::debug!(endpoint = %peer.endpoint, error = %failure.message, "no endorsement");
            if failure.disconnect && !peer.is_local {
                let trusted = std::slice::from_ref(&peer.msp_id);
                self.connections.close(&peer.endpoint, bundle, trusted);
            }
        }
        outcome
    }

    async fn ask_remote(
        &self,
        peer: &PeerInfo,
        bundle: &Bundle,
        proposal: SignedProposal,
        timeout: Duration,
    ) -> Result<ProposalResponse, CallFailure> {
        let trusted = std::slice::from_ref(&peer.msp_id);
        let connection = self
            .connections
            .get(&peer.endpoint, bundle, trusted)
            .map_err(|error| CallFailure::Unreachable(error.to_string()))?;
        let mut client = EndorserClient::new(connection)
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES);
        match tokio::time::timeout(timeout, client.process_proposal(proposal)).await {
            Ok(Ok(answer)) => Ok(answer.into_inner()),
            Ok(Err(status)) => Err(CallFailure::Unreachable(describe(&status))),
            Err(_) => Err(CallFailure::Unreachable(format!("no answer within {timeout:?}"))),
        }
    }
}

/// What a node answered instead of a message, as gRPC prints it.
pub(super) fn describe(status: &Status) -> String {
    format!("rpc error: code = {:?} desc = {}", status.code(), status.message())
}

fn local_failure(error: endorser::Error) -> CallFailure {
    use endorser::Error::{Busy, Panicked, Unavailable};
    let is_ours = matches!(error, Busy(_) | Panicked | Unavailable(_));
    let text = Status::from(error).message().to_owned();
    if is_ours { CallFailure::Unreachable(text) } else { CallFailure::Refused(text) }
}

/// What one peer said, for the client.
pub(super) fn detail(peer: &PeerInfo, message: impl Into<String>) -> ErrorDetail {
    ErrorDetail {
        address: peer.endpoint.clone(),
        msp_id: peer.msp_id.clone(),
        message: message.into(),
    }
}
