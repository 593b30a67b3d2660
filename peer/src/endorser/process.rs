//! The way of a proposal, in the order Fabric's peers go it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use channel::SignedData;
use msp::Identity;
use proto::peer::{ProposalResponse, Response, SignedProposal};
use proto::transaction::PeeledProposal;
use runtime::Invocation;
use tracing::instrument;

use super::respond::{Outcome, answer, plain};
use super::transaction::{CallError, Proposal, Transaction};
use super::{Endorser, Error, Inner, check, interest, private};
use crate::causes::in_one_line;
use crate::channels::{self, Channel, State};
use crate::system::{self, Context, failure, is_system};

impl Endorser {
    /// Answers a proposal. An error means that nothing ran, or that nothing can be said.
    pub async fn process(&self, signed: SignedProposal) -> Result<ProposalResponse, Error> {
        let started = Instant::now();
        let metrics = &self.0.metrics;
        metrics.received.inc();
        let answer = self.run(signed).await;
        match &answer {
            Err(_) => metrics.refused.inc(),
            Ok(answer) if answer.endorsement.is_some() => metrics.endorsed.inc(),
            Ok(answer) if status(answer) >= 400 => metrics.failed.inc(),
            Ok(_) => 0,
        };
        metrics.took(started.elapsed());
        answer
    }

    async fn run(&self, signed: SignedProposal) -> Result<ProposalResponse, Error> {
        let inner = self.0.clone();
        let max = inner.config.concurrency_max;
        let _request = self.0.requests.try_acquire().map_err(|_| Error::Busy(max))?;
        let peeled = PeeledProposal::peel(&signed)?;
        check::clock(&peeled.channel_header, check::now(), inner.config.clock_difference_max)?;
        let timeout = inner.timeout(&peeled);
        let tx_id = peeled.channel_header.tx_id.clone();
        let work = async move {
            let permit = inner.executions.clone().acquire_owned().await;
            let worker = inner.clone();
            // The permit stays with the work: a proposal given up still occupies a core.
            let run = move || {
                let _permit = permit;
                worker.process(&signed, &peeled)
            };
            let running = inner.tasks.spawn_blocking("endorser.process_proposal", run);
            running.await.unwrap_or(Err(Error::Panicked))
        };
        match tokio::time::timeout(timeout, work).await {
            Ok(answer) => answer,
            Err(_) => Ok(plain(failure(
                500,
                format!(
                    "error in simulation: failed to execute transaction {tx_id}: timeout expired \
                     while executing transaction"
                ),
            ))),
        }
    }
}

fn status(answer: &ProposalResponse) -> i32 {
    answer.response.as_ref().map_or(0, |response| response.status)
}

impl Inner {
    /// Installing compiles, everything else must be quick.
    fn timeout(&self, peeled: &PeeledProposal) -> Duration {
        let is_install = peeled.channel_header.channel_id.is_empty()
            && peeled.chaincode == crate::lifecycle::state::NAMESPACE;
        if is_install {
            self.lifecycle.packages().config().install_timeout
        } else {
            self.config.execute_timeout
        }
    }

    #[instrument(
        name = "endorser.process_proposal",
        skip_all,
        fields(
            channel = %peeled.channel_header.channel_id,
            tx_id = %peeled.channel_header.tx_id,
            chaincode = %peeled.chaincode,
        )
    )]
    fn process(
        &self,
        signed: &SignedProposal,
        peeled: &PeeledProposal,
    ) -> Result<ProposalResponse, Error> {
        let id = &peeled.channel_header.channel_id;
        let channel = match self.channels.find(id) {
            Ok(channel) => Some(channel),
            Err(_) if id.is_empty() => None,
            Err(error @ channels::Error::Unavailable(_)) => {
                return Err(Error::Unavailable(error.to_string()));
            }
            Err(_) => return Ok(plain(failure(500, format!("channel '{id}' not found")))),
        };
        let creator = self.authenticate(peeled, channel.as_ref())?;
        if let Some(channel) = &channel {
            self.check_transaction(peeled, channel, &creator)?;
        }
        let request = SignedData {
            data: peeled.proposal_bytes.clone(),
            identity: peeled.signature_header.creator.clone(),
            signature: peeled.signature.clone(),
        };
        let proposal =
            Proposal { endorser: self, signed, peeled, request: &request, creator: &creator };
        let outcome = match channel {
            Some(channel) => simulate(&proposal, channel),
            None => Ok(call_peer(&proposal)),
        };
        match outcome {
            Ok(outcome) => Ok(answer(peeled, outcome, &self.signer)?),
            Err(text) => {
                tracing::debug!(%text, "proposal failed");
                Ok(plain(failure(500, text)))
            }
        }
    }

    fn authenticate(
        &self,
        peeled: &PeeledProposal,
        channel: Option<&Arc<Channel>>,
    ) -> Result<Identity, Error> {
        check::headers(peeled)?;
        let creator = match channel {
            Some(channel) => check::creator(peeled, channel.bundle().msps())?,
            None => check::creator(peeled, self.access.local())?,
        };
        if creator.certificate().not_after() < check::now() {
            return Err(Error::Expired);
        }
        Ok(creator)
    }

    /// What concerns proposals that may become transactions. System chaincodes answer also on a
    /// channel that has stopped: they show what is on disk.
    fn check_transaction(
        &self,
        peeled: &PeeledProposal,
        channel: &Channel,
        creator: &Identity,
    ) -> Result<(), Error> {
        let tx_id = &peeled.channel_header.tx_id;
        if channel.ledger().tx_exists(tx_id)? {
            let creator = hex::encode(&peeled.signature_header.creator);
            return Err(Error::Duplicate { tx_id: tx_id.clone(), creator });
        }
        if !is_system(&peeled.chaincode) {
            regained(channel)?;
            self.access.check_identity("peer/Propose", channel, creator)?;
            if let failed @ State::Failed { .. } = channel.state() {
                return Err(Error::Unavailable(failed.explain(channel.id())));
            }
        }
        Ok(())
    }
}

/// After a rollback the state is one that was left behind; nobody should build on it.
fn regained(channel: &Channel) -> Result<(), Error> {
    let Some(wanted) = channel.ledger().to_regain() else { return Ok(()) };
    let (id, height) = (channel.id(), channel.height());
    Err(Error::Unavailable(format!(
        "channel {id} was cut back on this peer and has {height} of {wanted} blocks again; try \
         another peer, or again later"
    )))
}

/// Runs the chaincode on a channel. The error is the text of a response.
pub(super) fn simulate(proposal: &Proposal<'_>, channel: Arc<Channel>) -> Result<Outcome, String> {
    let peeled = proposal.peeled;
    let name = &peeled.chaincode;
    let in_simulation = |error: String| format!("error in simulation: {error}");
    let mut transaction = Transaction::new(proposal, channel.clone())
        .map_err(|error| in_simulation(in_one_line(&error)))?;
    let invocation =
        Invocation { is_init: peeled.input.is_init, ..Invocation::new(peeled.input.args.clone()) };
    let called = transaction.call(name, &invocation, false).map_err(|error| match error {
        CallError::Undefined(cause) => format!(
            "make sure the chaincode {name} has been successfully defined on channel {} and try \
             again: {}",
            channel.id(),
            in_one_line(&cause)
        ),
        other => {
            let tx_id = proposal.tx_id();
            in_simulation(format!("failed to execute transaction {tx_id}: {}", in_one_line(&other)))
        }
    })?;
    let mut outcome = Outcome {
        response: called.response,
        event: called.event,
        version: called.version,
        ..Outcome::default()
    };
    if is_system(name) && !super::transaction::is_simulated(name) {
        return Ok(outcome);
    }
    let view = transaction.simulator.view().clone();
    let simulation =
        transaction.simulator.finish().map_err(|error| in_simulation(in_one_line(&error)))?;
    if outcome.response.status < 400 {
        private::keep(channel.ledger(), &view, proposal.tx_id(), &simulation)
            .map_err(|error| in_simulation(in_one_line(&error)))?;
    }
    outcome.interest = Some(interest::of(&simulation.used));
    outcome.results = simulation.public;
    Ok(outcome)
}

/// Runs a system chaincode that is about the peer as a whole.
fn call_peer(proposal: &Proposal<'_>) -> Outcome {
    let peeled = proposal.peeled;
    let endorser = proposal.endorser;
    let response: Response = match endorser.system.get(&peeled.chaincode) {
        Some(system) => {
            let mut context = Context {
                channel: None,
                simulator: None,
                tx_id: proposal.tx_id(),
                proposal: proposal.request,
                access: &endorser.access,
                nested: false,
            };
            system.invoke(&mut context, &peeled.input.args)
        }
        None => failure(500, format!("chaincode {} needs a channel", peeled.chaincode)),
    };
    Outcome { response, version: system::VERSION.to_owned(), ..Outcome::default() }
}
