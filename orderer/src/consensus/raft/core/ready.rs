//! Taking what raft-rs has ready: messages, records, final entries.

use prost::Message as _;
use raft::Ready;
use raft::eraftpb::{Entry, Message};
use rand::Rng;

use super::super::{log, wire};
use super::{Raft, Unpersisted};
use crate::consensus::{Effect, Position, Proof, Refusal};

impl Raft {
    /// Takes everything raft-rs has ready.
    pub(super) fn drain(&mut self, effects: &mut Vec<Effect>) {
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

    pub(super) fn fetch_up_to(&mut self, height: u64, effects: &mut Vec<Effect>) {
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

    pub(super) fn caught_up(&mut self, tip: Position, effects: &mut Vec<Effect>) {
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

    pub(super) fn send(&self, messages: Vec<Message>, effects: &mut Vec<Effect>) {
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
