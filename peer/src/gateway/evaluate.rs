//! Evaluate: one peer runs the chaincode, nothing is ordered.

use proto::gateway::{ErrorDetail, EvaluateRequest, EvaluateResponse};
use proto::peer::SignedProposal;
use tonic::{Code, Status};

use super::endorsers::detail;
use super::error::status;
use super::{Inner, Proposal};
use crate::discovery::PeerInfo;

impl Inner {
    pub(super) async fn evaluate(
        &self,
        request: EvaluateRequest,
    ) -> Result<EvaluateResponse, Status> {
        let proposal = Proposal::parse(request.proposed_transaction)?;
        let peers = self.evaluators(&proposal, &request.target_organizations)?;
        let limit = self.config.endorsement_timeout;
        tokio::time::timeout(limit, self.evaluate_on(&proposal, peers)).await.unwrap_or_else(|_| {
            Err(status(Code::DeadlineExceeded, "evaluate timeout expired", &[]))
        })
    }

    /// Tries one peer after the other, until one answers or says that none can.
    async fn evaluate_on(
        &self,
        proposal: &Proposal,
        peers: Vec<PeerInfo>,
    ) -> Result<EvaluateResponse, Status> {
        let channel = self.channel(&proposal.channel)?;
        let bundle = channel.bundle();
        let mut details: Vec<ErrorDetail> = Vec::new();
        let mut code = Code::Unavailable;
        for peer in peers {
            let signed: SignedProposal = proposal.signed.clone();
            match self.ask(&peer, &bundle, signed).await {
                Ok(answer) => return Ok(EvaluateResponse { result: answer.response }),
                Err(failure) => {
                    code = failure.code;
                    details.push(detail(&peer, &failure.message));
                    if !failure.retry {
                        let text = format!(
                            "evaluate call to endorser returned error: {}",
                            failure.message
                        );
                        return Err(status(code, text, &details));
                    }
                }
            }
        }
        let text = "failed to evaluate transaction, see attached details for more info";
        Err(status(code, text, &details))
    }

    /// The peers to try: the own organization's first, then the others, the highest first.
    /// Transient data stays in the own organization unless the client names others.
    fn evaluators(&self, proposal: &Proposal, targets: &[String]) -> Result<Vec<PeerInfo>, Status> {
        let mut peers = self.peers_with(&proposal.channel, &proposal.peeled.chaincode);
        if targets.is_empty() && proposal.has_transient() {
            peers.retain(|peer| peer.msp_id == self.msp_id);
        } else if !targets.is_empty() {
            peers.retain(|peer| targets.contains(&peer.msp_id));
        }
        // Stable: within both halves the order stays.
        peers.sort_by_key(|peer| peer.msp_id != self.msp_id);
        if !peers.is_empty() {
            return Ok(peers);
        }
        let (chaincode, channel) = (&proposal.peeled.chaincode, &proposal.channel);
        let none =
            format!("no peers available to evaluate chaincode {chaincode} in channel {channel}");
        let text = if targets.is_empty() && proposal.has_transient() {
            format!(
                "no endorsers found in the gateway's organization; retry specifying target \
                 organization(s) to protect transient data: {none}"
            )
        } else {
            none
        };
        Err(status(Code::FailedPrecondition, text, &[]))
    }
}
