//! What is done with the messages of an established stream.

use std::time::Instant;

use bytes::Bytes;
use proto::gossip::gossip_message::Content;
use proto::gossip::{
    AliveMessage, Envelope, MembershipResponse, StateInfo, StateInfoPullRequest, StateInfoSnapshot,
};

use super::DropReason;
use super::handshake::{Remote, checked_pki_id};
use super::message::{self, PkiId, Question, channel_mac};
use super::private;
use super::run::Shared;
use super::table::{Alive, Made, State};

/// Elements of a list of messages that are looked at.
const ELEMENTS_MAX: usize = 4096;

/// Handles one message from `remote`; gives the answer, if there is one.
pub(super) fn handle(
    shared: &Shared,
    remote: &Remote,
    envelope: &Envelope,
) -> Result<Option<Envelope>, DropReason> {
    match message::parse(envelope)? {
        Content::AliveMsg(alive) => {
            known_is_fine(take_alive(shared, envelope, &alive, Some(remote)))
        }
        Content::MemReq(request) => {
            let own = request.self_information.ok_or(DropReason::Malformed)?;
            known_is_fine(take_alive_envelope(shared, &own))?;
            Ok(Some(membership(shared, remote)))
        }
        Content::MemRes(response) => {
            count_bad(shared, &response.alive, take_alive_envelope);
            Ok(None)
        }
        Content::StateInfo(info) => known_is_fine(take_state(shared, envelope, &info)),
        Content::StateSnapshot(snapshot) => {
            count_bad(shared, &snapshot.elements, take_state_envelope);
            Ok(None)
        }
        Content::StateInfoPullReq(request) => snapshot(shared, remote, &request).map(Some),
        Content::PrivateReq(request) => {
            private::answer(shared, remote, &Question::of(envelope)?, &request).map(Some)
        }
        Content::PrivateData(pushed) => {
            private::take(shared, remote, &Question::of(envelope)?, pushed).map(Some)
        }
        Content::Empty(_) => Ok(None),
        _ => Err(DropReason::Unsupported),
    }
}

/// Every peer repeats what it said, and others repeat it, too.
fn known_is_fine(result: Result<(), DropReason>) -> Result<Option<Envelope>, DropReason> {
    match result {
        Ok(()) | Err(DropReason::Stale) => Ok(None),
        Err(reason) => Err(reason),
    }
}

/// One bad element does not spoil a list.
fn count_bad(
    shared: &Shared,
    elements: &[Envelope],
    take: impl Fn(&Shared, &Envelope) -> Result<(), DropReason>,
) {
    for element in elements.iter().take(ELEMENTS_MAX) {
        if let Err(reason) = known_is_fine(take(shared, element)) {
            shared.metrics.drop(reason);
        }
    }
}

fn take_alive_envelope(shared: &Shared, envelope: &Envelope) -> Result<(), DropReason> {
    match message::parse(envelope)? {
        Content::AliveMsg(alive) => take_alive(shared, envelope, &alive, None),
        _ => Err(DropReason::Malformed),
    }
}

/// Peers repeat their identity rarely. That of the one at the other end stood in its handshake.
fn take_alive(
    shared: &Shared,
    envelope: &Envelope,
    message: &AliveMessage,
    remote: Option<&Remote>,
) -> Result<(), DropReason> {
    let member = message.membership.as_ref().ok_or(DropReason::Malformed)?;
    let made = Made::from(message.timestamp.as_ref().ok_or(DropReason::Malformed)?);
    if member.pki_id == shared.myself.pki_id().as_slice() {
        return Ok(());
    }
    let known = || {
        let pki_id: PkiId = member.pki_id.as_ref().try_into().ok()?;
        if let Some(remote) = remote.filter(|remote| remote.pki_id == pki_id) {
            return Some(remote.identity.clone());
        }
        shared.table.lock().get(&pki_id).map(|entry| entry.alive.identity.clone())
    };
    let identity_bytes = match message.identity.is_empty() {
        true => known().ok_or(DropReason::Untrusted)?,
        false => Bytes::copy_from_slice(&message.identity),
    };
    let pki_id = checked_pki_id(&identity_bytes, &member.pki_id)?;
    let identity = shared.trust.identity(&identity_bytes)?;
    if !shared.trust.acquainted(shared.myself.msp_id(), identity.msp_id()) {
        return Err(DropReason::Untrusted);
    }
    identity.verify(&envelope.payload, &envelope.signature).map_err(|_| DropReason::Signature)?;
    let alive = Alive {
        pki_id,
        msp_id: identity.msp_id().to_owned(),
        identity: identity_bytes,
        endpoint: member.endpoint.clone(),
        made,
        envelope: Envelope { secret_envelope: None, ..envelope.clone() },
    };
    shared.table.lock().alive(alive, Instant::now())
}

fn take_state_envelope(shared: &Shared, envelope: &Envelope) -> Result<(), DropReason> {
    match message::parse(envelope)? {
        Content::StateInfo(info) => take_state(shared, envelope, &info),
        _ => Err(DropReason::Malformed),
    }
}

fn take_state(shared: &Shared, envelope: &Envelope, info: &StateInfo) -> Result<(), DropReason> {
    let pki_id: PkiId = info.pki_id.as_ref().try_into().map_err(|_| DropReason::Malformed)?;
    let made = Made::from(info.timestamp.as_ref().ok_or(DropReason::Malformed)?);
    let properties = info.properties.as_ref().ok_or(DropReason::Malformed)?;
    if pki_id == *shared.myself.pki_id() {
        return Ok(());
    }
    let identity_bytes = {
        let table = shared.table.lock();
        let entry = table.get(&pki_id).ok_or(DropReason::Untrusted)?;
        entry.alive.identity.clone()
    };
    let identity = shared.trust.identity(&identity_bytes)?;
    let channel = find_channel(shared, &pki_id, &info.channel_mac, identity.msp_id())?;
    identity.verify(&envelope.payload, &envelope.signature).map_err(|_| DropReason::Signature)?;
    if properties.left_channel {
        shared.table.lock().leave(&pki_id, &channel);
        return Ok(());
    }
    let chaincodes = properties
        .chaincodes
        .iter()
        .map(|chaincode| (chaincode.name.clone(), chaincode.version.clone()))
        .collect();
    let height = properties.ledger_height;
    let state = State { height, chaincodes, made, envelope: envelope.clone() };
    shared.table.lock().state(&pki_id, &channel, state)
}

/// The channel a peer of `msp_id` means, if its organization is in it.
fn find_channel(
    shared: &Shared,
    pki_id: &PkiId,
    mac: &Bytes,
    msp_id: &str,
) -> Result<String, DropReason> {
    let channels = shared.channels.list();
    let channel = channels
        .iter()
        .find(|channel| *mac == channel_mac(pki_id, channel.id()).as_slice())
        .ok_or(DropReason::NotInChannel)?;
    if !shared.trust.in_channel(msp_id, channel.id()) {
        return Err(DropReason::NotInChannel);
    }
    Ok(channel.id().to_owned())
}

/// The living peers `remote` may know of.
fn membership(shared: &Shared, remote: &Remote) -> Envelope {
    let mut alive = vec![shared.myself.alive()];
    let others: Vec<_> = shared
        .table
        .lock()
        .living()
        .map(|entry| (entry.alive.msp_id.clone(), entry.alive.envelope.clone()))
        .collect();
    let known =
        others.into_iter().filter(|(msp_id, _)| shared.trust.acquainted(&remote.msp_id, msp_id));
    alive.extend(known.map(|(_, envelope)| envelope));
    message::unsigned(Content::MemRes(MembershipResponse { alive, dead: Vec::new() }))
}

/// What is known about a channel.
fn snapshot(
    shared: &Shared,
    remote: &Remote,
    request: &StateInfoPullRequest,
) -> Result<Envelope, DropReason> {
    let channel = find_channel(shared, &remote.pki_id, &request.channel_mac, &remote.msp_id)?;
    let mut elements: Vec<_> =
        shared.myself.state(&channel).map(|said| said.envelope).into_iter().collect();
    let table = shared.table.lock();
    let states = table.living().filter_map(|entry| entry.channels.get(&channel));
    elements.extend(states.map(|state| state.envelope.clone()));
    Ok(message::unsigned(Content::StateSnapshot(StateInfoSnapshot { elements })))
}
