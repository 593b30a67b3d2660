//! raft-rs as a [`Consenter`].
//!
//! Raft's own idea of "applied" follows the log at once: a membership change takes effect the
//! moment it is committed. Handing batches to the ledger is a second step, since a node that took a
//! snapshot must first fetch the blocks before it. At start the log is applied again from its last
//! compaction; what the ledger already holds is recognized by the log index in its last block.

mod leadership;
mod options;
mod ready;

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use prost::Message as _;
use raft::eraftpb::{Entry, HardState, Message, MessageType};
use raft::{RawNode, StateRole};
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::log::{self, Error, Log};
use super::{validate, wire};
use crate::consensus::{
    Batch, Change, Consenter, Effect, Input, NodeId, Position, Refusal, Status, Ticket,
};

pub use options::Options;

/// One channel's Raft node.
pub struct Raft {
    node: RawNode<Log>,
    options: Options,
    /// What the ledger holds once all effects given out are done.
    position: Position,
    /// Height to reach by fetching blocks before anything more is committed.
    missing: Option<u64>,
    held: VecDeque<Entry>,
    held_bytes: u64,
    unpersisted: VecDeque<Unpersisted>,
    records: u64,
    tickets: BTreeMap<u64, (u64, Ticket)>,
    status: Status,
    /// Index of the entry that started the present leadership.
    term_start: u64,
    /// Below this index this node does not vote.
    vote_floor: u64,
    compacted_bytes: u64,
    ticks: u64,
    heard: BTreeMap<NodeId, u64>,
    snapshot_sent: BTreeMap<NodeId, u64>,
    rng: StdRng,
    timeout: usize,
    timeout_for: (u64, StateRole),
}

/// A record on its way to disk, and what waits for it.
struct Unpersisted {
    record: u64,
    /// raft-rs's number of the last Ready it covers.
    ready: u64,
    /// The log was replaced by a snapshot up to here.
    snapshot: Option<u64>,
    /// Messages that promise what the record says.
    messages: Vec<Message>,
}

impl std::fmt::Debug for Raft {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let raft = &self.node.raft;
        f.debug_struct("Raft")
            .field("id", &self.options.id)
            .field("role", &raft.state)
            .field("log", &raft.raft_log.to_string())
            .field("position", &self.position)
            .field("missing", &self.missing)
            .finish_non_exhaustive()
    }
}

impl Raft {
    /// Starts from what the write-ahead log and the ledger hold; appends what must be done first.
    pub fn start(
        options: Options,
        records: &[Bytes],
        tip: Position,
        effects: &mut Vec<Effect>,
    ) -> Result<Self, Error> {
        let mut log = Log::replay(&options.genesis, records)?;
        // A block is only written once its entry is committed, so the ledger may know better.
        let last = log.last().0;
        let commit = log.hard_state.commit.max(tip.index.min(last)).max(log.applied.index);
        log.hard_state.commit = commit;
        log.complete = log.applied.height <= tip.height;
        let (applied, height) = (log.applied.index, log.applied.height);
        let compacted_bytes = log.bytes();
        let logger = slog::Logger::root(tracing_slog::TracingSlogDrain, slog::o!());
        let node = RawNode::new(&options.raft(applied), log, &logger)?;
        let mut raft = Self {
            rng: StdRng::seed_from_u64(options.seed),
            timeout: options.election_ticks,
            timeout_for: (u64::MAX, StateRole::Follower),
            node,
            position: tip,
            missing: None,
            held: VecDeque::new(),
            held_bytes: 0,
            unpersisted: VecDeque::new(),
            records: 0,
            tickets: BTreeMap::new(),
            status: Status::default(),
            term_start: u64::MAX,
            vote_floor: if options.lost_log { tip.index } else { 0 },
            compacted_bytes,
            ticks: 0,
            heard: BTreeMap::new(),
            snapshot_sent: BTreeMap::new(),
            options,
        };
        raft.fetch_up_to(height, effects);
        raft.drain(effects);
        Ok(raft)
    }

    /// A record that says nothing: the beginning of a log.
    pub fn empty_record() -> Bytes {
        log::record(None, &[], &HardState::default()).encode_to_vec().into()
    }

    fn order(&mut self, ticket: Ticket, batch: &Batch, effects: &mut Vec<Effect>) {
        let raft = &self.node.raft;
        if !self.status.ready || raft.state != StateRole::Leader {
            return effects.push(Effect::Refused(ticket, Refusal::NotLeader));
        }
        if batch.change == Some(Change::Remove(self.options.id)) {
            self.hand_over_leadership();
            return effects.push(Effect::Refused(ticket, Refusal::NotLeader));
        }
        let (term, index) = (raft.term, raft.raft_log.last_index() + 1);
        let bytes = wire::encode_batch(batch);
        let proposed = match batch.change {
            Some(_) if raft.has_pending_conf() => Err(raft::Error::ProposalDropped),
            Some(change) => self.node.propose_conf_change(bytes, wire::conf_change(change)),
            None => self.node.propose(Vec::new(), bytes),
        };
        if proposed.is_err() || self.node.raft.raft_log.last_index() != index {
            return effects.push(Effect::Refused(ticket, Refusal::Busy));
        }
        self.tickets.insert(index, (term, ticket));
    }

    fn receive(&mut self, from: NodeId, bytes: Bytes) {
        let message = wire::decode_message(bytes).and_then(|message| {
            let raft = &self.node.raft;
            let local = validate::Local {
                id: raft.id,
                term: raft.term,
                role: raft.state,
                log: &raft.raft_log,
            };
            validate::check(&local, from, &message)?;
            Ok(message)
        });
        match message {
            Err(reason) => tracing::warn!(from, reason, "raft message refused"),
            Ok(message) => {
                self.heard.insert(from, self.ticks);
                let taken = match self.admit(&message) {
                    Ok(()) => self.node.step(message).map_err(|error| error.to_string()),
                    Err(reason) => Err(reason.to_owned()),
                };
                if let Err(reason) = taken {
                    tracing::debug!(from, reason, "raft message not taken");
                }
            }
        }
    }

    /// Rules of ours beyond the protocol's.
    fn admit(&self, message: &Message) -> Result<(), &'static str> {
        match message.get_msg_type() {
            MessageType::MsgRequestVote | MessageType::MsgRequestPreVote if self.recovering() => {
                Err("this node lost its log and does not vote yet")
            }
            MessageType::MsgTimeoutNow if self.recovering() || !self.unpersisted.is_empty() => {
                Err("this node cannot lead now")
            }
            MessageType::MsgAppend if self.held_bytes > self.options.held_bytes_max => {
                Err("too much waits for missing blocks")
            }
            _ => Ok(()),
        }
    }

    fn recovering(&self) -> bool {
        self.node.raft.raft_log.last_index() < self.vote_floor
    }

    fn persisted(&mut self, number: u64, effects: &mut Vec<Effect>) {
        while self.unpersisted.front().is_some_and(|waiting| waiting.record <= number) {
            let Some(done) = self.unpersisted.pop_front() else { return };
            self.node.on_persist_ready(done.ready);
            if let Some(index) = done.snapshot {
                self.node.advance_apply_to(index);
            }
            self.send(done.messages, effects);
        }
    }

    fn tick(&mut self) {
        self.ticks += 1;
        let leads = self.node.raft.state == StateRole::Leader;
        // A node whose disk lags behind, or which lost its log, does not stand for election.
        if !leads && (self.recovering() || !self.unpersisted.is_empty()) {
            return;
        }
        self.node.tick();
        if leads {
            self.retry_snapshots();
        }
    }
}

impl Consenter for Raft {
    fn step(&mut self, input: Input, effects: &mut Vec<Effect>) {
        match input {
            Input::Order { ticket, batch } => self.order(ticket, &batch, effects),
            Input::Message { from, bytes } => self.receive(from, bytes),
            Input::Persisted(number) => self.persisted(number, effects),
            Input::CaughtUp(tip) => self.caught_up(tip, effects),
            Input::Tick => self.tick(),
        }
        self.drain(effects);
    }
}
