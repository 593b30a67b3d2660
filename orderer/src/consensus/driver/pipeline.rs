//! What the leader does between taking an envelope and knowing it is final.
//!
//! Envelopes are cut into batches; batches are on their way until the core says what became of
//! them, and only then is a sender told. While a batch with a configuration is on its way nothing
//! else is taken, so that every envelope is ordered under the configuration it was checked against.

use std::collections::BTreeMap;

use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::super::{Batch, Change, Input, Refusal, Ticket};
use crate::block_cutter::{BlockCutter, Limits};
use crate::message_processor::{Accepted, Rejection};

/// What a sender is told: the envelope is final, or why it is not.
pub(crate) type Verdict = Result<(), Rejection>;

/// An envelope to be ordered, and who waits for it.
#[derive(Debug)]
pub(crate) struct Submission {
    pub(crate) accepted: Accepted,
    pub(crate) reply: oneshot::Sender<Verdict>,
}

/// A batch on its way.
#[derive(Debug)]
struct Flight {
    config: bool,
    replies: Vec<oneshot::Sender<Verdict>>,
}

#[derive(Debug)]
pub(super) struct Pipeline {
    cutter: BlockCutter<(Bytes, oneshot::Sender<Verdict>)>,
    flights: BTreeMap<Ticket, Flight>,
    tickets: Ticket,
    /// When the oldest pending envelope came.
    since: Option<Instant>,
}

impl Pipeline {
    pub(super) fn new(limits: Limits) -> Self {
        Self { cutter: BlockCutter::new(limits), flights: BTreeMap::new(), tickets: 0, since: None }
    }

    pub(super) fn set_limits(&mut self, limits: Limits) {
        self.cutter.set_limits(limits);
    }

    /// Whether another envelope may be taken.
    pub(super) fn is_open(&self, flights_max: usize) -> bool {
        self.flights.len() < flights_max && !self.flights.values().any(|flight| flight.config)
    }

    /// Takes a transaction; gives the batches that are complete.
    pub(super) fn push(&mut self, submission: Submission) -> Vec<Input> {
        let Submission { accepted, reply } = submission;
        let batches = self.cutter.push((accepted.envelope, reply), accepted.size);
        // What is pending now came just now, unless it waited before and nothing was cut.
        if self.cutter.is_empty() {
            self.since = None;
        } else if self.since.is_none() || !batches.is_empty() {
            self.since = Some(Instant::now());
        }
        batches.into_iter().map(|batch| self.depart(batch, false, None)).collect()
    }

    /// Takes a configuration, which closes the batch before it and stands alone.
    pub(super) fn push_config(
        &mut self,
        submission: Submission,
        change: Option<Change>,
    ) -> Vec<Input> {
        let mut inputs: Vec<Input> = self.cut().into_iter().collect();
        let alone = vec![(submission.accepted.envelope, submission.reply)];
        inputs.push(self.depart(alone, true, change));
        inputs
    }

    /// Closes the pending batch.
    pub(super) fn cut(&mut self) -> Option<Input> {
        self.since = None;
        self.cutter.cut().map(|batch| self.depart(batch, false, None))
    }

    /// Closes the pending batch if it would only be waiting for time to pass: nothing is on its
    /// way, so nothing is gained by filling it up. Under load a batch fills while the one before
    /// travels.
    pub(super) fn cut_if_idle(&mut self) -> Option<Input> {
        if self.flights.is_empty() { self.cut() } else { None }
    }

    /// When the oldest pending envelope came.
    pub(super) fn waiting_since(&self) -> Option<Instant> {
        self.since
    }

    fn depart(
        &mut self,
        batch: Vec<(Bytes, oneshot::Sender<Verdict>)>,
        config: bool,
        change: Option<Change>,
    ) -> Input {
        self.tickets += 1;
        let (envelopes, replies) = batch.into_iter().unzip();
        self.flights.insert(self.tickets, Flight { config, replies });
        Input::Order { ticket: self.tickets, batch: Batch { envelopes, config, change } }
    }

    /// The batch is final and its block durable.
    pub(super) fn committed(&mut self, ticket: Ticket) {
        self.settle(ticket, &Ok(()));
    }

    /// The batch was not ordered, or nobody here knows.
    pub(super) fn refused(&mut self, ticket: Ticket, refusal: Refusal) {
        let rejection = match refusal {
            Refusal::NotLeader => Rejection::not_leader(),
            refusal => Rejection::unavailable(refusal.to_string()),
        };
        self.settle(ticket, &Err(rejection));
    }

    fn settle(&mut self, ticket: Ticket, verdict: &Verdict) {
        let flight = self.flights.remove(&ticket);
        for reply in flight.into_iter().flat_map(|flight| flight.replies) {
            // A sender who no longer waits has gone; there is nobody to tell.
            let _ = reply.send(verdict.clone());
        }
    }

    /// Gives up everything: what is pending was not ordered, what is on its way may have been.
    pub(super) fn refuse_all(&mut self, reason: &str) {
        for (_, reply) in self.cutter.cut().unwrap_or_default() {
            let _ = reply.send(Err(Rejection::not_leader()));
        }
        self.since = None;
        for ticket in self.flights.keys().copied().collect::<Vec<_>>() {
            self.settle(ticket, &Err(Rejection::unavailable(reason)));
        }
    }
}
