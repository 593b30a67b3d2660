//! What is believed about other peers, and for how long. Pure: time and messages come in as values.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::Bytes;
use proto::gossip::{Envelope, PeerTime};

use super::DropReason;
use super::message::PkiId;

/// When a message was made, in its maker's own count: start of the peer, then a sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Made(u64, u64);

impl From<&PeerTime> for Made {
    fn from(time: &PeerTime) -> Self {
        Self(time.inc_num, time.seq_num)
    }
}

/// A verified alive message.
#[derive(Debug, Clone)]
pub(super) struct Alive {
    pub(super) pki_id: PkiId,
    pub(super) msp_id: String,
    pub(super) identity: Bytes,
    pub(super) endpoint: String,
    pub(super) made: Made,
    pub(super) envelope: Envelope,
}

/// A verified state info.
#[derive(Debug, Clone)]
pub(super) struct State {
    pub(super) height: u64,
    pub(super) chaincodes: BTreeMap<String, String>,
    pub(super) made: Made,
    pub(super) envelope: Envelope,
}

/// One peer.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) alive: Alive,
    pub(super) channels: BTreeMap<String, State>,
    heard: Instant,
    dead: bool,
}

/// The other peers.
#[derive(Debug)]
pub struct Table {
    peers: BTreeMap<PkiId, Entry>,
    peers_max: usize,
    expiration: Duration,
}

impl Table {
    /// A table of at most `peers_max` peers that are dead when not heard of for `expiration`.
    pub fn new(peers_max: usize, expiration: Duration) -> Self {
        Self { peers: BTreeMap::new(), peers_max, expiration }
    }

    /// Takes in an alive message. Only a newer one counts, also for a peer that is dead: an old
    /// message sent again does not revive it.
    pub(super) fn alive(&mut self, alive: Alive, now: Instant) -> Result<(), DropReason> {
        if let Some(entry) = self.peers.get_mut(&alive.pki_id) {
            if alive.made <= entry.alive.made {
                return Err(DropReason::Stale);
            }
            entry.alive = alive;
            entry.heard = now;
            entry.dead = false;
            return Ok(());
        }
        if self.peers.len() >= self.peers_max && !self.forget_dead() {
            return Err(DropReason::Full);
        }
        let entry =
            Entry { alive: alive.clone(), channels: BTreeMap::new(), heard: now, dead: false };
        self.peers.insert(alive.pki_id, entry);
        Ok(())
    }

    /// Takes in what a known peer says about a channel.
    pub(super) fn state(
        &mut self,
        pki_id: &PkiId,
        channel: &str,
        state: State,
    ) -> Result<(), DropReason> {
        let entry = self.peers.get_mut(pki_id).ok_or(DropReason::Untrusted)?;
        match entry.channels.get(channel) {
            Some(known) if state.made <= known.made => Err(DropReason::Stale),
            _ => {
                entry.channels.insert(channel.to_owned(), state);
                Ok(())
            }
        }
    }

    /// A peer left a channel.
    pub(super) fn leave(&mut self, pki_id: &PkiId, channel: &str) {
        if let Some(entry) = self.peers.get_mut(pki_id) {
            entry.channels.remove(channel);
        }
    }

    /// Declares the peers dead that were not heard of in time.
    pub(super) fn expire(&mut self, now: Instant) {
        for entry in self.peers.values_mut() {
            if now.saturating_duration_since(entry.heard) > self.expiration {
                entry.dead = true;
                entry.channels.clear();
            }
        }
    }

    /// A peer, dead or alive.
    pub(super) fn get(&self, pki_id: &PkiId) -> Option<&Entry> {
        self.peers.get(pki_id)
    }

    /// The peers that are alive.
    pub(super) fn living(&self) -> impl Iterator<Item = &Entry> {
        self.peers.values().filter(|entry| !entry.dead)
    }

    /// Makes room by forgetting the peer that is dead for the longest time.
    fn forget_dead(&mut self) -> bool {
        let dead = self.peers.iter().filter(|(_, entry)| entry.dead);
        let oldest = dead.min_by_key(|(_, entry)| entry.heard).map(|(pki_id, _)| *pki_id);
        oldest.is_some_and(|pki_id| self.peers.remove(&pki_id).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alive(id: u8, made: u64) -> Alive {
        Alive {
            pki_id: [id; 32],
            msp_id: "Org1MSP".into(),
            identity: Bytes::new(),
            endpoint: "peer:7051".into(),
            made: Made(1, made),
            envelope: Envelope::default(),
        }
    }

    fn state(height: u64) -> State {
        State {
            height,
            chaincodes: BTreeMap::new(),
            made: Made(1, height),
            envelope: Envelope::default(),
        }
    }

    #[test]
    fn only_newer_messages_count() {
        let mut table = Table::new(2, Duration::from_secs(5));
        let now = Instant::now();
        table.alive(alive(1, 5), now).unwrap();
        assert_eq!(table.alive(alive(1, 5), now), Err(DropReason::Stale));
        assert_eq!(table.alive(alive(1, 4), now), Err(DropReason::Stale));
        table.alive(alive(1, 6), now).unwrap();
        table.state(&[1; 32], "care", state(7)).unwrap();
        assert_eq!(table.state(&[1; 32], "care", state(7)), Err(DropReason::Stale));
        assert_eq!(table.state(&[9; 32], "care", state(7)), Err(DropReason::Untrusted));
    }

    #[test]
    fn the_silent_are_dead_and_replay_does_not_revive_them() {
        let mut table = Table::new(2, Duration::from_secs(5));
        let start = Instant::now();
        table.alive(alive(1, 5), start).unwrap();
        table.expire(start + Duration::from_secs(5));
        assert_eq!(table.living().count(), 1);
        table.expire(start + Duration::from_secs(6));
        assert_eq!(table.living().count(), 0);
        assert_eq!(table.alive(alive(1, 5), start), Err(DropReason::Stale));
        table.alive(alive(1, 6), start + Duration::from_secs(7)).unwrap();
        assert_eq!(table.living().count(), 1);
    }

    #[test]
    fn the_dead_make_room_but_the_living_do_not() {
        let mut table = Table::new(2, Duration::from_secs(5));
        let start = Instant::now();
        table.alive(alive(1, 1), start).unwrap();
        table.alive(alive(2, 1), start + Duration::from_secs(4)).unwrap();
        assert_eq!(table.alive(alive(3, 1), start), Err(DropReason::Full));
        table.expire(start + Duration::from_secs(6));
        table.alive(alive(3, 1), start + Duration::from_secs(6)).unwrap();
        assert!(table.get(&[1; 32]).is_none());
        assert!(table.get(&[2; 32]).is_some());
    }
}
