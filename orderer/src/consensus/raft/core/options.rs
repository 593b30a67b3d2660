//! Settings of a Raft node.

use raft::Config;

use crate::consensus::NodeId;

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

    pub(super) fn raft(&self, applied: u64) -> Config {
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
