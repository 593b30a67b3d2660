//! Endorse: has enough peers run and sign a proposal, and prepares the transaction.

use std::collections::BTreeMap;

use channel::Bundle;
use futures::future::join_all;
use proto::gateway::{EndorseRequest, EndorseResponse, ErrorDetail};
use proto::peer::{ChaincodeCall, ChaincodeInterest, ProposalResponse};
use rand::seq::SliceRandom;
use tonic::{Code, Status};

use super::endorsers::detail;
use super::error::status;
use super::plan::{Ask, Collected, Plan, Step};
use super::{Inner, Proposal, prepare};
use crate::causes::in_one_line;
use crate::channels::Channel;
use crate::discovery::PeerInfo;

/// A proposal on its way through the endorsers.
struct Endorsing<'a> {
    gateway: &'a Inner,
    proposal: &'a Proposal,
    channel: &'a Channel,
    bundle: &'a Bundle,
    collected: Collected,
    details: Vec<ErrorDetail>,
}

impl Inner {
    pub(super) async fn endorse(&self, request: EndorseRequest) -> Result<EndorseResponse, Status> {
        let proposal = Proposal::parse(request.proposed_transaction)?;
        let channel = self.channel(&proposal.channel)?;
        let bundle = channel.bundle();
        let mut endorsing = Endorsing {
            gateway: self,
            proposal: &proposal,
            channel: &channel,
            bundle: &bundle,
            collected: Collected::default(),
            details: Vec::new(),
        };
        let plan = if request.endorsing_organizations.is_empty() {
            endorsing.plan_from_first().await?
        } else {
            endorsing.plan_for(&request.endorsing_organizations)?
        };
        endorsing.collect(plan).await?;
        let responses = endorsing.collected.into_responses();
        let prepared = prepare::transaction(&proposal.peeled, responses);
        Ok(EndorseResponse { prepared_transaction: Some(prepared) })
    }
}

impl Endorsing<'_> {
    /// A plan for one peer of each organization the client names.
    fn plan_for(&self, organizations: &[String]) -> Result<Plan, Status> {
        let mut peers = self
            .gateway
            .peers_by_organization(&self.proposal.channel, &self.proposal.peeled.chaincode);
        let missing: Vec<&str> = organizations
            .iter()
            .filter(|org| !peers.contains_key(*org))
            .map(String::as_str)
            .collect();
        if !missing.is_empty() {
            let text =
                format!("failed to find any endorsing peers for org(s): {}", missing.join(", "));
            return Err(status(Code::Unavailable, text, &[]));
        }
        peers.retain(|org, _| organizations.contains(org));
        Ok(Plan::of_organizations(peers))
    }

    /// Has one peer endorse, and plans the others from what the proposal turned out to touch.
    async fn plan_from_first(&mut self) -> Result<Plan, Status> {
        let candidates = self.first_endorsers()?;
        let limit = self.gateway.config.endorsement_timeout;
        let first = tokio::time::timeout(limit, self.first_endorsement(candidates)).await;
        let (peer, response) = first.unwrap_or_else(|_| {
            let text = "endorsement timeout expired while collecting first endorsement";
            Err(status(Code::DeadlineExceeded, text, &[]))
        })?;
        let interest = self.interest(response.interest.as_ref());
        self.collected.add(response);
        let mut plan = self.plan_by_discovery(&interest)?;
        plan.credit(&peer.endpoint);
        Ok(plan)
    }

    fn plan_by_discovery(&self, interest: &ChaincodeInterest) -> Result<Plan, Status> {
        let planned = self.gateway.planner.plan(self.channel, interest);
        let mut descriptor = planned.map_err(|error| {
            let text = format!(
                "no combination of peers can be derived which satisfy the endorsement policy: {}",
                in_one_line(&error)
            );
            status(Code::FailedPrecondition, text, &[])
        })?;
        descriptor.layouts.shuffle(&mut rand::rng());
        Ok(Plan::new(descriptor))
    }

    /// The peers to try first: the own organization's, or any if transient data allows it.
    fn first_endorsers(&self) -> Result<Vec<PeerInfo>, Status> {
        let (proposal, own) = (self.proposal, &self.gateway.msp_id);
        let mut peers = self.gateway.peers_with(&proposal.channel, &proposal.peeled.chaincode);
        if peers.iter().any(|peer| peer.msp_id == *own) {
            peers.retain(|peer| peer.msp_id == *own);
            return Ok(peers);
        }
        if proposal.has_transient() {
            let text = "no endorsers found in the gateway's organization; retry specifying \
                        endorsing organization(s) to protect transient data";
            return Err(status(Code::FailedPrecondition, text, &[]));
        }
        if peers.is_empty() {
            let text = format!(
                "no combination of peers can be derived which satisfy the endorsement policy: no \
                 peers available to endorse chaincode {} in channel {}",
                proposal.peeled.chaincode, proposal.channel
            );
            return Err(status(Code::FailedPrecondition, text, &[]));
        }
        Ok(peers)
    }

    async fn first_endorsement(
        &mut self,
        candidates: Vec<PeerInfo>,
    ) -> Result<(PeerInfo, ProposalResponse), Status> {
        for peer in candidates {
            let signed = self.proposal.signed.clone();
            match self.gateway.ask(&peer, self.bundle, signed).await {
                Ok(response) => return Ok((peer, response)),
                Err(failure) => {
                    self.details.push(detail(&peer, failure.message));
                    if !failure.retry {
                        break;
                    }
                }
            }
        }
        let text = "failed to endorse transaction, see attached details for more info";
        Err(status(Code::Aborted, text, &self.details))
    }

    /// What to plan for: what the first endorser saw, else the chaincode alone. Collections that
    /// transient data may be meant for are treated as read, so that only their members see it.
    fn interest(&self, found: Option<&ChaincodeInterest>) -> ChaincodeInterest {
        let mut interest = found.cloned().unwrap_or_default();
        if interest.chaincodes.is_empty() {
            let name = self.proposal.peeled.chaincode.clone();
            interest.chaincodes.push(ChaincodeCall { name, ..Default::default() });
        }
        if self.proposal.has_transient() {
            for call in &mut interest.chaincodes {
                call.no_private_reads = false;
            }
        }
        interest
    }

    /// Works through a plan.
    async fn collect(&mut self, mut plan: Plan) -> Result<(), Status> {
        let limit = self.gateway.config.endorsement_timeout;
        loop {
            match plan.step() {
                Step::Complete => return Ok(()),
                Step::Exhausted => {
                    let text = "failed to collect enough transaction endorsements, see attached \
                                details for more info";
                    return Err(status(Code::Aborted, text, &self.details));
                }
                Step::Ask(asks) => {
                    let round = self.round(asks);
                    let succeeded = tokio::time::timeout(limit, round).await.map_err(|_| {
                        let text = "endorsement timeout expired while collecting endorsements";
                        status(Code::DeadlineExceeded, text, &[])
                    })?;
                    for (group, count) in succeeded {
                        (0..count).for_each(|_| plan.succeeded(&group));
                    }
                }
            }
        }
    }

    /// Asks several peers at once; gives the endorsements that are of use by group.
    async fn round(&mut self, asks: Vec<Ask>) -> BTreeMap<String, u32> {
        let calls = asks
            .iter()
            .map(|ask| self.gateway.ask(&ask.peer, self.bundle, self.proposal.signed.clone()));
        let answers = join_all(calls).await;
        let mut succeeded = BTreeMap::new();
        for (ask, answer) in asks.iter().zip(answers) {
            let failure = match answer {
                Err(failure) => failure.message,
                Ok(response) if response.endorsement.is_none() => "endorsement is missing".into(),
                Ok(response) => {
                    if self.collected.add(response) {
                        *succeeded.entry(ask.group.clone()).or_insert(0) += 1;
                        continue;
                    }
                    "ProposalResponsePayloads do not match".into()
                }
            };
            self.details.push(detail(&ask.peer, failure));
        }
        succeeded
    }
}
