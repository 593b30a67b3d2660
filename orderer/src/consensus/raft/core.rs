//! raft-rs as a [`Consenter`].
//!
//! Raft's own idea of "applied" follows the log at once: a membership change takes effect the
//! moment it is committed. Handing batches to the ledger is a second step, since a node that took a
//! snapshot must first fetch the blocks before it. At start the log is applied again from its last
//! compaction; what the ledger already holds is recognized by the log index in its last block.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use prost::Message as _;
use raft::eraftpb::{Entry, HardState, Message, MessageType};
use raft::{Config, ProgressState, RawNode, Ready, SnapshotStatus, StateRole};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::super::{
    Batch, Change, Consenter, Effect, Input, NodeId, Position, Proof, Refusal, Status, Ticket,
};
use super::log::{self, Error, Log};
use super::{validate, wire};

/// How a Raft node behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// This node.
    pub id: NodeId,
    /// Consenters of the genesis block.
    pub genesis: Vec<NodeId>,
    /// Ticks without a leader before an election, at least.
    pub election_ticks: usize,
    /// Ticks between heartbeats.
    pub heartbeat_ticks: usize,
    /// Append messages on the way to one follower.
    pub inflight_messages_max: usize,
    /// Size of one append message, unless a single entry is larger.
    pub message_bytes_max: u64,
    /// The log is compacted when it has grown by this.
    pub compact_bytes: u64,
    /// Applied entries kept in a compaction, for followers a little behind.
    pub compact_keep: u64,
    /// Committed batches held back while blocks are fetched; beyond, appends are not taken.
    pub held_bytes_max: u64,
    /// The write-ahead log is empty though this node has taken part before: it may have promised
    /// what it no longer knows, and does not vote until it holds what its ledger shows it held.
    pub lost_log: bool,
    /// Decides election timeouts.
    pub seed: u64,
}

impl Options {
    /// Production defaults for node `id`.
    pub fn new(id: NodeId, genesis: Vec<NodeId>) -> Self {
        Self {
            id,
            genesis,
            election_ticks: 10,
            heartbeat_ticks: 1,
            inflight_messages_max: 64,
            message_bytes_max: 1 << 20,
            compact_bytes: 16 << 20,
            compact_keep: 16,
            held_bytes_max: 64 << 20,
            lost_log: false,
            seed: 0,
        }
    }

    fn raft(&self, applied: u64) -> Config {
        Config {
            id: self.id,
            election_tick: self.election_ticks,
            heartbeat_tick: self.heartbeat_ticks,
            applied,
            max_size_per_msg: self.message_bytes_max,
            max_inflight_msgs: self.inflight_messages_max,
            check_quorum: true,
            pre_vote: true,
            ..Config::default()
        }
    }
}

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

    /// A leader does not order its own removal: once it is gone, nobody might be left who knows
    /// that the removal is final and that fewer votes are needed now.
    fn hand_over_leadership(&mut self) {
        let alive = self.alive();
        let matched = |id: &NodeId| self.node.raft.prs().get(*id).map(|progress| progress.matched);
        let others = alive.into_iter().filter(|id| *id != self.options.id);
        if let Some(heir) = others.max_by_key(matched) {
            self.node.transfer_leader(heir);
        }
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
            self.admit(&message)?;
            Ok(message)
        });
        match message {
            Ok(message) => {
                self.heard.insert(from, self.ticks);
                if let Err(error) = self.node.step(message) {
                    tracing::debug!(from, %error, "raft message not taken");
                }
            }
            Err(reason) => tracing::warn!(from, reason, "raft message refused"),
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

    /// A snapshot may be lost on the way; raft-rs waits for word of it.
    fn retry_snapshots(&mut self) {
        let patience = self.options.election_ticks as u64;
        let waiting: Vec<NodeId> = (self.node.raft.prs().iter())
            .filter(|(_, progress)| progress.state == ProgressState::Snapshot)
            .map(|(id, _)| *id)
            .collect();
        self.snapshot_sent.retain(|id, _| waiting.contains(id));
        for id in waiting {
            let since = *self.snapshot_sent.entry(id).or_insert(self.ticks);
            if self.ticks - since >= patience {
                self.snapshot_sent.remove(&id);
                self.node.report_snapshot(id, SnapshotStatus::Failure);
            }
        }
    }

    /// Takes everything raft-rs has ready.
    fn drain(&mut self, effects: &mut Vec<Effect>) {
        self.pin_timeout();
        while self.node.has_ready() {
            let mut ready = self.node.ready();
            let messages = ready.take_messages();
            self.send(messages, effects);
            let committed = ready.take_committed_entries();
            let deferred = ready.take_persisted_messages();
            let number = ready.number();
            let snapshot = Some(ready.snapshot().get_metadata().index).filter(|index| *index != 0);
            let record = self.store(&mut ready, effects);
            self.node.advance_append_async(ready);
            match (record, self.unpersisted.back_mut()) {
                (Some(record), _) => {
                    let waiting =
                        Unpersisted { record, ready: number, snapshot, messages: deferred };
                    self.unpersisted.push_back(waiting);
                }
                (None, Some(last)) => {
                    last.ready = number;
                    last.messages.extend(deferred);
                }
                (None, None) => {
                    self.node.on_persist_ready(number);
                    self.send(deferred, effects);
                }
            }
            if let Some(last) = committed.last().map(|entry| entry.index) {
                for entry in committed {
                    self.apply(entry, effects);
                }
                self.node.advance_apply_to(last);
            }
            self.pin_timeout();
        }
        self.report(effects);
        self.compact(effects);
    }

    /// Puts a Ready into the log in memory and asks for it to be written. A new commit index alone
    /// is not worth a write: the ledger and the leader know it, too.
    fn store(&mut self, ready: &mut Ready, effects: &mut Vec<Effect>) -> Option<u64> {
        let must_sync = ready.must_sync();
        let entries = ready.take_entries();
        let log = self.node.raft.mut_store();
        if let Some(state) = ready.hs() {
            log.hard_state = state.clone();
        }
        let snapshot = (!ready.snapshot().is_empty()).then(|| ready.snapshot().clone());
        if let Some(snapshot) = &snapshot {
            let snapshot = wire::snapshot_to_wire(snapshot);
            let start = (snapshot.index, snapshot.term);
            log.restore(snapshot, start);
        }
        let record = must_sync.then(|| log::record(snapshot.as_ref(), &entries, &log.hard_state));
        log.append(entries);
        let height = snapshot.is_some().then_some(log.applied.height);
        let number = record.map(|record| {
            self.records += 1;
            let record = record.encode_to_vec().into();
            effects.push(Effect::Persist { number: self.records, record });
            self.records
        });
        if let Some(height) = height {
            self.held.clear();
            self.held_bytes = 0;
            self.compacted_bytes = 0;
            self.fetch_up_to(height, effects);
        }
        number
    }

    fn fetch_up_to(&mut self, height: u64, effects: &mut Vec<Effect>) {
        let missing = height > self.position.height;
        self.missing = missing.then_some(height);
        self.node.raft.mut_store().complete = !missing;
        if missing {
            let from = self.node.raft.leader_id;
            effects.push(Effect::CatchUp { from, height });
        }
    }

    fn apply(&mut self, entry: Entry, effects: &mut Vec<Effect>) {
        if wire::is_membership(&entry)
            && let Some(change) = wire::decode_batch(&entry).and_then(|batch| batch.change)
        {
            match self.node.apply_conf_change(&wire::conf_change(change)) {
                Ok(state) => self.node.raft.mut_store().applied.voters = state.voters,
                Err(error) => tracing::error!(?change, %error, "membership change is void"),
            }
        }
        if self.missing.is_some() {
            self.held_bytes += log::size(&entry);
            self.held.push_back(entry);
        } else {
            self.hand_over(entry, effects);
        }
    }

    /// Gives a final entry to the ledger, unless the ledger has it already.
    fn hand_over(&mut self, entry: Entry, effects: &mut Vec<Effect>) {
        let proof = Proof { index: entry.index, term: entry.term };
        let ticket = self.tickets.remove(&entry.index).filter(|(term, _)| *term == entry.term);
        if entry.index > self.position.index
            && let Some(batch) = wire::decode_batch(&entry)
        {
            self.position = Position { height: self.position.height + 1, index: entry.index };
            effects.push(Effect::Commit { batch, proof, ticket: ticket.map(|(_, t)| t) });
        } else if let Some((_, ticket)) = ticket {
            // Its block came from another orderer first; nobody here can tell which it is.
            effects.push(Effect::Refused(ticket, Refusal::LeadershipLost));
        }
        let height = self.position.height;
        let applied = &mut self.node.raft.mut_store().applied;
        (applied.index, applied.term, applied.height) = (entry.index, entry.term, height);
    }

    fn caught_up(&mut self, tip: Position, effects: &mut Vec<Effect>) {
        if tip.height > self.position.height {
            self.position = tip;
        }
        if self.missing.is_some_and(|height| height <= self.position.height) {
            self.missing = None;
            self.held_bytes = 0;
            for entry in std::mem::take(&mut self.held) {
                self.hand_over(entry, effects);
            }
            self.node.raft.mut_store().complete = true;
        }
    }

    fn compact(&mut self, effects: &mut Vec<Effect>) {
        let log = self.node.raft.mut_store();
        if self.missing.is_some() || log.bytes() < self.compacted_bytes + self.options.compact_bytes
        {
            return;
        }
        let record = log.compact(self.options.compact_keep).encode_to_vec().into();
        self.compacted_bytes = log.bytes();
        self.records += 1;
        effects.push(Effect::Compact { number: self.records, record });
    }

    /// Says who leads, if that has changed, and settles the tickets of a lost leadership.
    fn report(&mut self, effects: &mut Vec<Effect>) {
        let raft = &self.node.raft;
        let leads = raft.state == StateRole::Leader;
        if !leads || raft.term != self.status.term {
            self.term_start = u64::MAX;
            for (_, (_, ticket)) in std::mem::take(&mut self.tickets) {
                effects.push(Effect::Refused(ticket, Refusal::LeadershipLost));
            }
        }
        if leads && self.term_start == u64::MAX {
            self.term_start = raft.raft_log.last_index();
            self.heard.clear();
        }
        let status = Status {
            leader: Some(raft.leader_id).filter(|id| *id != 0),
            term: raft.term,
            ready: leads && raft.raft_log.applied >= self.term_start && self.missing.is_none(),
            alive: if leads { self.alive() } else { Vec::new() },
        };
        if status != self.status {
            self.status = status.clone();
            effects.push(Effect::Status(status));
        }
    }

    fn alive(&self) -> Vec<NodeId> {
        let since = self.ticks.saturating_sub(self.options.election_ticks as u64);
        let heard = |id: &NodeId| self.heard.get(id).is_some_and(|tick| *tick >= since);
        let mut alive = self.node.raft.store().applied.voters.clone();
        alive.retain(|id| *id == self.options.id || heard(id));
        alive
    }

    fn send(&self, messages: Vec<Message>, effects: &mut Vec<Effect>) {
        effects.extend(messages.into_iter().filter_map(|message| {
            Some(Effect::Send { to: message.to, bytes: wire::encode_message(&message)? })
        }));
    }

    /// raft-rs draws election timeouts from the thread's randomness; draw them from our seed.
    fn pin_timeout(&mut self) {
        let raft = &mut self.node.raft;
        if self.timeout_for != (raft.term, raft.state) {
            self.timeout_for = (raft.term, raft.state);
            let ticks = self.options.election_ticks;
            self.timeout = self.rng.random_range(ticks..2 * ticks);
        }
        raft.set_randomized_election_timeout(self.timeout);
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
