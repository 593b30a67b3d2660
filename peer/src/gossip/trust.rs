//! Whose word counts: peers of the own organization and of those this peer shares a channel with.

use std::sync::Arc;

use msp::{Identity, principal};
use node::tls::CertificateDer;

use super::DropReason;
use crate::channels::Channels;

/// Decides about identities, by the local MSP and the channels' configurations.
#[derive(Debug, Clone)]
pub struct Trust {
    local: Arc<msp::Manager>,
    own_msp_id: String,
    channels: Arc<Channels>,
}

impl Trust {
    /// Trust as seen by a peer of `own_msp_id`, whose MSP is in `local`.
    pub fn new(local: Arc<msp::Manager>, own_msp_id: String, channels: Arc<Channels>) -> Self {
        Self { local, own_msp_id, channels }
    }

    /// The identity in `serialized`, if it is a valid one that may speak for a peer.
    pub(super) fn identity(&self, serialized: &[u8]) -> Result<Identity, DropReason> {
        let mut managers = vec![self.local.clone()];
        managers.extend(self.channels.list().iter().map(|channel| channel.bundle().msps().clone()));
        for manager in managers {
            if let Ok(identity) = manager.deserialize(serialized) {
                return may_speak(identity);
            }
        }
        Err(DropReason::Untrusted)
    }

    /// Whether `msp_id` is an organization of the channel's application.
    pub(super) fn in_channel(&self, msp_id: &str, channel: &str) -> bool {
        self.channels.get(channel).is_some_and(|channel| {
            let bundle = channel.bundle();
            bundle.application().is_some_and(|application| {
                application.orgs.values().any(|org| org.msp_id == msp_id)
            })
        })
    }

    /// Whether peers of one organization may know about peers of the other.
    pub(super) fn acquainted(&self, one: &str, other: &str) -> bool {
        let both = |channel: &str| self.in_channel(one, channel) && self.in_channel(other, channel);
        one == other || self.channels.list().iter().any(|channel| both(channel.id()))
    }

    /// The endpoints channel configurations give for finding peers, with their organizations.
    pub(super) fn anchors(&self) -> Vec<(String, String)> {
        let mut anchors = Vec::new();
        for channel in self.channels.list() {
            let bundle = channel.bundle();
            let orgs = bundle.application().map(|application| application.orgs.values());
            for org in orgs.into_iter().flatten() {
                for (host, port) in &org.anchor_peers {
                    anchors.push((format!("{host}:{port}"), org.msp_id.clone()));
                }
            }
        }
        anchors.sort();
        anchors.dedup();
        anchors
    }

    /// The TLS authorities of an organization, as the channels and the local MSP name them.
    pub(super) fn tls_roots(&self, msp_id: &str) -> Vec<CertificateDer<'static>> {
        let mut roots = Vec::new();
        if msp_id == self.own_msp_id {
            roots.extend(self.local.tls_roots());
        }
        for channel in self.channels.list() {
            if let Some(msp) = channel.bundle().msps().msp(msp_id) {
                roots.extend(msp.tls_roots().iter().cloned());
            }
        }
        roots.sort_by(|one, other| one.as_ref().cmp(other.as_ref()));
        roots.dedup();
        roots
    }
}

/// Clients and administrators have no business here, even of a trusted organization. Organizations
/// without node roles cannot tell them apart.
fn may_speak(identity: Identity) -> Result<Identity, DropReason> {
    identity.validate().map_err(|_| DropReason::Untrusted)?;
    let msp_id = identity.msp_id();
    let other_roles =
        [principal::client(msp_id), principal::admin(msp_id), principal::orderer(msp_id)];
    if other_roles.iter().any(|role| identity.satisfies(role)) {
        return Err(DropReason::Untrusted);
    }
    Ok(identity)
}
