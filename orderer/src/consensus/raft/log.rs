//! The Raft log in memory, read by raft-rs and rebuilt from write-ahead records.
//!
//! It holds the entries since the last compaction, which its size bounds. Where a consenter would
//! need older ones it gets a snapshot: not data, but the height of the chain it has to fetch.

use std::collections::VecDeque;

use bytes::Bytes;
use prost::Message as _;
use proto::gauze::raft as wire;
use raft::eraftpb::{ConfState, Entry, HardState, Snapshot};
use raft::{GetEntriesContext, RaftState, Storage, StorageError};

use super::wire::{entry_from_wire, entry_to_wire, snapshot_from_wire, snapshot_to_wire};

/// Why a log cannot be rebuilt.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A record does not decode.
    #[error("write-ahead record {0} does not decode")]
    Decode(usize),
    /// A record does not follow from those before it.
    #[error("write-ahead record {0} does not fit the log: {1}")]
    Unfit(usize, &'static str),
    /// raft-rs refuses the options or the state.
    #[error("start raft")]
    Raft(#[from] raft::Error),
}

/// The log since the last compaction.
#[derive(Debug, Clone, Default)]
pub(super) struct Log {
    /// Index and term of the entry before the first one held.
    start: (u64, u64),
    entries: VecDeque<Entry>,
    /// Encoded size of `entries`.
    bytes: u64,
    /// Newest applied entry: what a snapshot made now says.
    pub(super) applied: wire::Snapshot,
    /// Whether a snapshot may be given away: not while blocks are missing here.
    pub(super) complete: bool,
    /// Term, vote and commit as last handed to disk.
    pub(super) hard_state: HardState,
}

impl Log {
    /// The log of a channel that starts with these consenters and the genesis block.
    pub(super) fn genesis(voters: &[u64]) -> Self {
        let applied = wire::Snapshot { voters: voters.to_vec(), height: 1, ..Default::default() };
        Self { applied, complete: true, ..Self::default() }
    }

    /// Rebuilds the log from all records since the write-ahead log was last replaced.
    pub(super) fn replay(voters: &[u64], records: &[Bytes]) -> Result<Self, Error> {
        let mut log = Self::genesis(voters);
        for (number, record) in records.iter().enumerate() {
            let record = wire::Record::decode(record.clone()).map_err(|_| Error::Decode(number))?;
            log.apply(record).map_err(|reason| Error::Unfit(number, reason))?;
        }
        let state = &log.hard_state;
        if state.commit > log.last().0 {
            return Err(Error::Unfit(records.len(), "commit lies beyond the last entry"));
        }
        Ok(log)
    }

    fn apply(&mut self, record: wire::Record) -> Result<(), &'static str> {
        if let Some(snapshot) = record.snapshot {
            let start = record.start.map_or((snapshot.index, snapshot.term), |s| (s.index, s.term));
            self.restore(snapshot, start);
        }
        let entries =
            record.entries.into_iter().map(entry_from_wire).collect::<Result<Vec<_>, _>>()?;
        if let Some(first) = entries.first()
            && (first.index <= self.start.0 || first.index > self.last().0 + 1)
        {
            return Err("entries leave a gap");
        }
        if entries.windows(2).any(|pair| matches!(pair, [a, b] if a.index + 1 != b.index)) {
            return Err("entries are not consecutive");
        }
        self.append(entries);
        if let Some(state) = record.hard_state {
            let mut hard_state = HardState::default();
            (hard_state.term, hard_state.vote, hard_state.commit) =
                (state.term, state.vote, state.commit);
            self.hard_state = hard_state;
        }
        Ok(())
    }

    /// Forgets all entries; the log now begins after `start`.
    pub(super) fn restore(&mut self, snapshot: wire::Snapshot, start: (u64, u64)) {
        self.entries.clear();
        self.bytes = 0;
        self.start = start;
        self.applied = snapshot;
    }

    /// Adds consecutive entries, in place of those held from the first of them on. An entry below
    /// the start is already in the chain and is passed over.
    pub(super) fn append(&mut self, entries: Vec<Entry>) {
        let Some(first) = entries.first() else { return };
        while self.entries.back().is_some_and(|last| last.index >= first.index) {
            if let Some(entry) = self.entries.pop_back() {
                self.bytes -= size(&entry);
            }
        }
        for entry in entries.into_iter().filter(|entry| entry.index > self.start.0) {
            self.bytes += size(&entry);
            self.entries.push_back(entry);
        }
    }

    /// Drops applied entries but for the newest `keep`, and returns the record that says all.
    pub(super) fn compact(&mut self, keep: u64) -> wire::Record {
        let until = self.applied.index.saturating_sub(keep);
        while self.entries.front().is_some_and(|entry| entry.index <= until) {
            if let Some(entry) = self.entries.pop_front() {
                self.bytes -= size(&entry);
                self.start = (entry.index, entry.term);
            }
        }
        let state = &self.hard_state;
        wire::Record {
            snapshot: Some(self.applied.clone()),
            start: Some(wire::LogStart { index: self.start.0, term: self.start.1 }),
            entries: self.entries.iter().map(entry_to_wire).collect(),
            hard_state: Some(wire::HardState {
                term: state.term,
                vote: state.vote,
                commit: state.commit,
            }),
        }
    }

    /// Index and term of the newest entry.
    pub(super) fn last(&self) -> (u64, u64) {
        self.entries.back().map_or(self.start, |entry| (entry.index, entry.term))
    }

    /// Encoded size of the entries held.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    fn get(&self, index: u64) -> Option<&Entry> {
        let offset = index.checked_sub(self.start.0 + 1)?;
        self.entries.get(usize::try_from(offset).ok()?)
    }
}

/// What an entry counts towards limits.
pub(super) fn size(entry: &Entry) -> u64 {
    (entry.data.len() + entry.context.len() + 24) as u64
}

impl Storage for Log {
    fn initial_state(&self) -> raft::Result<RaftState> {
        let mut conf_state = ConfState::default();
        conf_state.voters.clone_from(&self.applied.voters);
        Ok(RaftState { hard_state: self.hard_state.clone(), conf_state })
    }

    fn entries(
        &self,
        low: u64,
        high: u64,
        max_size: impl Into<Option<u64>>,
        _context: GetEntriesContext,
    ) -> raft::Result<Vec<Entry>> {
        if low <= self.start.0 {
            return Err(StorageError::Compacted.into());
        }
        let limit = max_size.into().unwrap_or(u64::MAX);
        let mut total = 0;
        let mut found = Vec::new();
        for index in low..high {
            let entry = self.get(index).ok_or(StorageError::Unavailable)?;
            total += size(entry);
            if total > limit && !found.is_empty() {
                break;
            }
            found.push(entry.clone());
        }
        Ok(found)
    }

    fn term(&self, index: u64) -> raft::Result<u64> {
        if index == self.start.0 {
            return Ok(self.start.1);
        }
        if index < self.start.0 {
            return Err(StorageError::Compacted.into());
        }
        Ok(self.get(index).ok_or(StorageError::Unavailable)?.term)
    }

    fn first_index(&self) -> raft::Result<u64> {
        Ok(self.start.0 + 1)
    }

    fn last_index(&self) -> raft::Result<u64> {
        Ok(self.last().0)
    }

    fn snapshot(&self, request_index: u64, _to: u64) -> raft::Result<Snapshot> {
        if !self.complete || self.applied.index == 0 || self.applied.index < request_index {
            return Err(StorageError::SnapshotTemporarilyUnavailable.into());
        }
        Ok(snapshot_from_wire(self.applied.clone()))
    }
}

/// The record for what one Ready wants on disk.
pub(super) fn record(
    snapshot: Option<&Snapshot>,
    entries: &[Entry],
    state: &HardState,
) -> wire::Record {
    wire::Record {
        snapshot: snapshot.map(snapshot_to_wire),
        start: None,
        entries: entries.iter().map(entry_to_wire).collect(),
        hard_state: Some(wire::HardState {
            term: state.term,
            vote: state.vote,
            commit: state.commit,
        }),
    }
}
