//! One round of a driver: feeding the core, and doing what it asks for.

use std::panic::{AssertUnwindSafe, catch_unwind};

use node::tasks::Tasks;
use proto::block;
use proto::common::Block;
use proto::envelope::Envelope;

use super::super::{Batch, Effect, Input, Proof, Status, Ticket};
use super::pipeline::Submission;
use super::{Driver, Error, Settings, start_core};
use crate::message_processor::Rejection;

impl Driver {
    /// Lets the core think; its panics end here.
    pub(super) fn step(&mut self, input: Input) -> Result<(), Error> {
        let (core, effects) = (&mut self.core, &mut self.effects);
        match catch_unwind(AssertUnwindSafe(|| core.step(input, effects))) {
            Ok(()) => Ok(()),
            Err(payload) => {
                node::panics::caught("consensus core", payload.as_ref());
                self.rebuild()
            }
        }
    }

    fn rebuild(&mut self) -> Result<(), Error> {
        self.restarts += 1;
        if self.restarts > self.setup.config.restarts_max {
            return Err(Error::Panicked(self.restarts));
        }
        self.effects.clear();
        self.pipeline.refuse_all("the consensus core is being rebuilt");
        let settings = Settings::read(&self.setup)?;
        (self.core, self.wal) = start_core(&self.setup, &settings, &mut self.effects)?;
        self.effects.insert(0, Effect::Status(Status::default()));
        Ok(())
    }

    pub(super) fn tick(&mut self, settings: &Settings) -> Result<(), Error> {
        self.step(Input::Tick)?;
        let alone = self.setup.state.load().consenters.ids().count() == 1;
        if self.status.leader.is_some() || alone {
            self.leaderless_ticks = 0;
            if matches!(self.fetching, Some((None, _))) {
                self.stop_fetching();
            }
            return Ok(());
        }
        self.leaderless_ticks += 1;
        let patience = self.setup.config.suspicion_elections.max(1) * settings.election_ticks;
        if self.leaderless_ticks >= patience && self.fetching.is_none() {
            self.leaderless_ticks = 0;
            self.fetch(None);
        }
        Ok(())
    }

    /// Takes an envelope if this node leads, or tells its sender that it does not.
    pub(super) fn submit(&mut self, submission: Submission) -> Result<(), Error> {
        if !self.status.ready {
            let _ = submission.reply.send(Err(Rejection::not_leader()));
            return Ok(());
        }
        let Submission { accepted, reply } = submission;
        let state = self.setup.state.load_full();
        let admit = || {
            let mut accepted = accepted;
            if accepted.sequence != state.bundle.sequence() {
                let peeled = peel(&accepted)?;
                accepted = self.setup.processor.recheck(&state.bundle, &peeled)?;
            }
            let change = if accepted.config {
                let (bundle, alive) = (&state.bundle, &self.status.alive);
                let peeled = peel(&accepted)?;
                self.setup.processor.check_config(bundle, &state.consenters, alive, &peeled)?
            } else {
                None
            };
            Ok((accepted, change))
        };
        let inputs = match admit() {
            Err(rejection) => {
                let _ = reply.send(Err(rejection));
                return Ok(());
            }
            Ok((accepted, change)) => {
                self.setup.metrics.envelopes.inc();
                let submission = Submission { accepted, reply };
                if submission.accepted.config {
                    self.pipeline.push_config(submission, change)
                } else {
                    self.pipeline.push(submission)
                }
            }
        };
        inputs.into_iter().try_for_each(|input| self.step(input))
    }

    pub(super) fn cut(&mut self) -> Result<(), Error> {
        match self.pipeline.cut() {
            Some(input) => self.step(input),
            None => Ok(()),
        }
    }

    /// Does what the core asked for, and what follows from that.
    pub(super) fn perform(&mut self) -> Result<(), Error> {
        loop {
            let mut records = Vec::new();
            let mut durable = None;
            for effect in std::mem::take(&mut self.effects) {
                match effect {
                    Effect::Persist { number, record } => {
                        records.push(record);
                        durable = Some(number);
                    }
                    Effect::Compact { number, record } => {
                        // It says what the records before it say.
                        records.clear();
                        self.wal.replace(record)?;
                        durable = Some(number);
                    }
                    Effect::Send { to, bytes } => self.send(to, bytes),
                    Effect::Commit { batch, proof, ticket } => self.commit(batch, proof, ticket)?,
                    Effect::Refused(ticket, refusal) => self.pipeline.refused(ticket, refusal),
                    Effect::CatchUp { height, .. } => self.fetch(Some(height)),
                    Effect::Status(status) => self.report(status),
                }
            }
            if !records.is_empty() {
                self.wal.append(&records)?;
            }
            match durable {
                Some(number) => self.step(Input::Persisted(number))?,
                None if self.effects.is_empty() => return Ok(()),
                None => {}
            }
        }
    }

    fn send(&self, to: u64, bytes: bytes::Bytes) {
        let state = self.setup.state.load();
        if let Some(consenter) = state.consenters.get(to) {
            self.setup.cluster.send(&self.setup.channel, &state.bundle, consenter, bytes);
        }
    }

    fn commit(&mut self, batch: Batch, proof: Proof, ticket: Option<Ticket>) -> Result<(), Error> {
        let config = batch.config;
        let count = batch.envelopes.len();
        let block = self.setup.writer.write(batch, proof)?;
        tracing::info!(
            channel = %self.setup.channel, block = block::number(&block), count, config, "block"
        );
        if let Some(ticket) = ticket {
            self.pipeline.committed(ticket);
        }
        self.written(&block, config)
    }

    /// What follows from a new block, ours or fetched.
    fn written(&mut self, block: &Block, config: bool) -> Result<(), Error> {
        self.setup.metrics.blocks.inc();
        self.setup.metrics.height.set(i64::try_from(block::number(block) + 1).unwrap_or(i64::MAX));
        if config {
            self.pipeline.set_limits(Settings::read(&self.setup)?.limits);
            self.setup.cluster.configuration_changed();
            if !self.setup.state.load().consenters.contains(self.setup.id) {
                tracing::warn!(channel = %self.setup.channel, "this node left the consenter set");
                self.evicted = true;
            }
        }
        Ok(())
    }

    fn report(&mut self, status: Status) {
        if status.leader != self.status.leader {
            tracing::info!(
                channel = %self.setup.channel, leader = ?status.leader, term = status.term, "leader"
            );
        }
        if self.status.ready && !status.ready {
            self.pipeline.refuse_all("leadership was lost");
        }
        let metrics = &self.setup.metrics;
        metrics.leader.set(i64::from(status.ready));
        metrics.has_leader.set(i64::from(status.leader.is_some()));
        metrics.term.set(i64::try_from(status.term).unwrap_or(i64::MAX));
        metrics.alive.set(i64::try_from(status.alive.len()).unwrap_or(i64::MAX));
        self.status = status.clone();
        self.setup.status.send_replace(status);
    }

    /// Starts fetching blocks from other orderers: up to a height that is missing here, or to see
    /// whether there are any.
    fn fetch(&mut self, until: Option<u64>) {
        self.stop_fetching();
        let tasks: Tasks = self.setup.tasks.child();
        let state = self.setup.state.load_full();
        self.setup.fetcher.start(state, until, self.blocks.0.clone(), &tasks);
        self.fetching = Some((until, tasks));
    }

    fn stop_fetching(&mut self) {
        if let Some((_, tasks)) = self.fetching.take() {
            tasks.cancel();
        }
    }

    /// Appends a fetched block, which the fetcher has verified.
    pub(super) fn fetched(&mut self, block: &Block) -> Result<(), Error> {
        // Blocks of a fetch that was given up may still arrive.
        if block::number(block) != self.setup.writer.tip().height {
            return Ok(());
        }
        self.setup.writer.append(block)?;
        let tip = self.setup.writer.tip();
        self.written(block, block::is_config(block))?;
        if matches!(self.fetching, Some((Some(height), _)) if height <= tip.height) {
            self.stop_fetching();
        }
        self.step(Input::CaughtUp(tip))
    }
}

fn peel(accepted: &crate::message_processor::Accepted) -> Result<Envelope, Rejection> {
    Envelope::parse(accepted.envelope.clone()).map_err(Rejection::bad_request)
}
