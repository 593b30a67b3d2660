//! Our messages to and from raft-rs's types.
//!
//! raft-rs's message types stay inside this folder. An entry carries its encoded batch in `data`,
//! or, where raft-rs wants its own description of a membership change there, in `context`.

use bytes::Bytes;
use prost::Message as _;
use proto::gauze::raft as wire;
use raft::eraftpb::{
    ConfChangeSingle, ConfChangeType, ConfChangeV2, Entry, EntryType, Message, MessageType,
    Snapshot,
};

use super::super::{Batch, Change};

const TRANSFER: &[u8] = b"CampaignTransfer";

/// Encodes a batch as it stands in the log.
pub(super) fn encode_batch(batch: &Batch) -> Vec<u8> {
    let kind = batch.change.map(|change| match change {
        Change::Add(id) => wire::change::Kind::Add(id),
        Change::Remove(id) => wire::change::Kind::Remove(id),
    });
    let change = kind.map(|kind| wire::Change { kind: Some(kind) });
    wire::Batch { envelopes: batch.envelopes.clone(), config: batch.config, change }.encode_to_vec()
}

/// The batch of an entry; nothing for the entry that starts a term. Bytes that do not decode are
/// the same on every node and so is the outcome: nothing.
pub(super) fn decode_batch(entry: &Entry) -> Option<Batch> {
    let batch = wire::Batch::decode(payload(entry).clone()).ok()?;
    if batch.envelopes.is_empty() {
        return None;
    }
    let change = batch.change.and_then(|change| change.kind).map(|kind| match kind {
        wire::change::Kind::Add(id) => Change::Add(id),
        wire::change::Kind::Remove(id) => Change::Remove(id),
    });
    Some(Batch { envelopes: batch.envelopes, config: batch.config, change })
}

fn payload(entry: &Entry) -> &Bytes {
    if is_membership(entry) { &entry.context } else { &entry.data }
}

/// Whether raft-rs must change its membership at this entry.
pub(super) fn is_membership(entry: &Entry) -> bool {
    entry.get_entry_type() == EntryType::EntryConfChangeV2
}

/// raft-rs's form of a change.
pub(super) fn conf_change(change: Change) -> ConfChangeV2 {
    let (kind, id) = match change {
        Change::Add(id) => (ConfChangeType::AddNode, id),
        Change::Remove(id) => (ConfChangeType::RemoveNode, id),
    };
    let mut single = ConfChangeSingle::default();
    single.set_change_type(kind);
    single.node_id = id;
    ConfChangeV2 { changes: vec![single].into(), ..ConfChangeV2::default() }
}

pub(super) fn entry_to_wire(entry: &Entry) -> wire::Entry {
    wire::Entry {
        term: entry.term,
        index: entry.index,
        batch: payload(entry).clone(),
        membership: is_membership(entry),
    }
}

pub(super) fn entry_from_wire(entry: wire::Entry) -> Result<Entry, &'static str> {
    if entry.index == 0 || entry.term == 0 {
        return Err("entry without index or term");
    }
    let mut out = Entry { index: entry.index, term: entry.term, ..Entry::default() };
    if entry.membership {
        out.set_entry_type(EntryType::EntryConfChangeV2);
        out.context = entry.batch;
        if decode_batch(&out).is_none_or(|batch| batch.change.is_none()) {
            return Err("membership entry without a change");
        }
    } else {
        out.data = entry.batch;
    }
    Ok(out)
}

pub(super) fn snapshot_to_wire(snapshot: &Snapshot) -> wire::Snapshot {
    let metadata = snapshot.get_metadata();
    let height: Option<[u8; 8]> = snapshot.get_data().try_into().ok();
    wire::Snapshot {
        index: metadata.index,
        term: metadata.term,
        voters: metadata.get_conf_state().voters.clone(),
        height: height.map_or(0, u64::from_be_bytes),
    }
}

pub(super) fn snapshot_from_wire(snapshot: wire::Snapshot) -> Snapshot {
    let data = Bytes::copy_from_slice(&snapshot.height.to_be_bytes());
    let mut out = Snapshot { data, ..Snapshot::default() };
    let metadata = out.mut_metadata();
    metadata.index = snapshot.index;
    metadata.term = snapshot.term;
    metadata.mut_conf_state().voters = snapshot.voters;
    out
}

const KINDS: [(wire::Kind, MessageType); 10] = [
    (wire::Kind::Append, MessageType::MsgAppend),
    (wire::Kind::AppendResponse, MessageType::MsgAppendResponse),
    (wire::Kind::Vote, MessageType::MsgRequestVote),
    (wire::Kind::VoteResponse, MessageType::MsgRequestVoteResponse),
    (wire::Kind::PreVote, MessageType::MsgRequestPreVote),
    (wire::Kind::PreVoteResponse, MessageType::MsgRequestPreVoteResponse),
    (wire::Kind::Snapshot, MessageType::MsgSnapshot),
    (wire::Kind::Heartbeat, MessageType::MsgHeartbeat),
    (wire::Kind::HeartbeatResponse, MessageType::MsgHeartbeatResponse),
    (wire::Kind::TimeoutNow, MessageType::MsgTimeoutNow),
];

/// Encodes a message for the network; nothing for kinds that stay at home.
pub(super) fn encode_message(message: &Message) -> Option<Bytes> {
    let kind = KINDS.iter().find(|(_, kind)| *kind == message.get_msg_type())?.0;
    let snapshot = (kind == wire::Kind::Snapshot).then(|| snapshot_to_wire(message.get_snapshot()));
    let out = wire::Message {
        kind: kind.into(),
        to: message.to,
        from: message.from,
        term: message.term,
        log_term: message.log_term,
        index: message.index,
        entries: message.get_entries().iter().map(entry_to_wire).collect(),
        commit: message.commit,
        commit_term: message.commit_term,
        snapshot,
        reject: message.reject,
        reject_hint: message.reject_hint,
        transfer: message.get_context() == TRANSFER,
    };
    Some(out.encode_to_vec().into())
}

/// Decodes a message from the network into raft-rs's form.
pub(super) fn decode_message(bytes: Bytes) -> Result<Message, &'static str> {
    let message = wire::Message::decode(bytes).map_err(|_| "does not decode")?;
    let kind = KINDS.iter().find(|(kind, _)| i32::from(*kind) == message.kind);
    let mut out = Message::default();
    out.set_msg_type(kind.ok_or("unknown kind")?.1);
    out.to = message.to;
    out.from = message.from;
    out.term = message.term;
    out.log_term = message.log_term;
    out.index = message.index;
    let entries =
        message.entries.into_iter().map(entry_from_wire).collect::<Result<Vec<_>, _>>()?;
    out.set_entries(entries.into());
    out.commit = message.commit;
    out.commit_term = message.commit_term;
    if let Some(snapshot) = message.snapshot {
        out.set_snapshot(snapshot_from_wire(snapshot));
    }
    out.reject = message.reject;
    out.reject_hint = message.reject_hint;
    if message.transfer {
        out.context = TRANSFER.to_vec().into();
    }
    Ok(out)
}
