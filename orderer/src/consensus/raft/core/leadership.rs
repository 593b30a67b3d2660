//! What concerns leadership: who leads, who is alive, handing over, lost snapshots.

use raft::{ProgressState, SnapshotStatus, StateRole};

use super::Raft;
use crate::consensus::{Effect, NodeId, Refusal, Status};

impl Raft {
    /// Says who leads, if that has changed, and settles the tickets of a lost leadership.
    pub(super) fn report(&mut self, effects: &mut Vec<Effect>) {
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

    /// A leader does not order its own removal: once it is gone, nobody might be left who knows
    /// that the removal is final and that fewer votes are needed now.
    pub(super) fn hand_over_leadership(&mut self) {
        let alive = self.alive();
        let matched = |id: &NodeId| self.node.raft.prs().get(*id).map(|progress| progress.matched);
        let others = alive.into_iter().filter(|id| *id != self.options.id);
        if let Some(heir) = others.max_by_key(matched) {
            self.node.transfer_leader(heir);
        }
    }

    /// A snapshot may be lost on the way; raft-rs waits for word of it.
    pub(super) fn retry_snapshots(&mut self) {
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
}
