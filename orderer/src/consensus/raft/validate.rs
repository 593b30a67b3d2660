//! What a message must satisfy before raft-rs may see it.
//!
//! raft-rs treats an impossible message as a bug and aborts. Consenters are trusted to follow the
//! protocol, but a broken or taken-over one must not bring down the others, so each message is
//! checked against the local state first. The reason of a refusal goes to the log.

use raft::eraftpb::{Message, MessageType};
use raft::{RaftLog, StateRole};

use super::log::Log;

/// Furthest a message may carry the term in one step, so that terms never run out.
const TERM_STEP_MAX: u64 = 1 << 32;

/// Highest log index a snapshot may name, so that indexes never run out.
const INDEX_MAX: u64 = u64::MAX / 2;

/// The local state a message is checked against.
pub(super) struct Local<'a> {
    pub(super) id: u64,
    pub(super) term: u64,
    pub(super) role: StateRole,
    pub(super) log: &'a RaftLog<Log>,
}

/// Checks a message that the transport has attributed to `from`.
pub(super) fn check(local: &Local<'_>, from: u64, message: &Message) -> Result<(), &'static str> {
    if message.from != from {
        return Err("sender is not who it says");
    }
    if message.to != local.id || from == local.id {
        return Err("addressed to someone else");
    }
    if message.term == 0 || message.term > local.term.saturating_add(TERM_STEP_MAX) {
        return Err("impossible term");
    }
    if message.term < local.term {
        return Ok(());
    }
    let empty = message.get_entries().is_empty();
    if !empty && message.get_msg_type() != MessageType::MsgAppend {
        return Err("entries outside an append");
    }
    match message.get_msg_type() {
        MessageType::MsgAppend => check_append(local, message),
        MessageType::MsgHeartbeat if message.commit > local.log.last_index() => {
            Err("commit beyond the last entry")
        }
        MessageType::MsgAppendResponse => check_append_response(local, message),
        MessageType::MsgSnapshot => check_snapshot(local, message),
        _ => Ok(()),
    }
}

fn check_append(local: &Local<'_>, message: &Message) -> Result<(), &'static str> {
    let (mut index, mut term) = (message.index, message.log_term);
    if (index == 0) != (term == 0) {
        return Err("index without term");
    }
    if local.role == StateRole::Leader && message.term == local.term {
        return Err("second leader in one term");
    }
    for entry in message.get_entries() {
        if Some(entry.index) != index.checked_add(1) {
            return Err("entries are not consecutive");
        }
        if entry.term < term || entry.term > message.term {
            return Err("terms of entries are not in order");
        }
        (index, term) = (entry.index, entry.term);
    }
    Ok(())
}

fn check_append_response(local: &Local<'_>, message: &Message) -> Result<(), &'static str> {
    let last = local.log.last_index();
    if local.role == StateRole::Leader && (message.index > last || message.reject_hint > last) {
        return Err("acknowledges entries that do not exist");
    }
    Ok(())
}

fn check_snapshot(local: &Local<'_>, message: &Message) -> Result<(), &'static str> {
    let metadata = message.get_snapshot().get_metadata();
    let voters = &metadata.get_conf_state().voters;
    let mut sorted = voters.clone();
    sorted.sort_unstable();
    sorted.dedup();
    if metadata.index == 0
        || metadata.index > INDEX_MAX
        || metadata.term == 0
        || metadata.term > message.term
    {
        return Err("impossible snapshot");
    }
    if local.role == StateRole::Leader && message.term == local.term {
        return Err("second leader in one term");
    }
    if sorted.len() != voters.len() || sorted.first().is_none_or(|id| *id == 0) {
        return Err("impossible consenter set");
    }
    if !voters.contains(&local.id) {
        return Err("snapshot of a cluster without this node");
    }
    Ok(())
}
