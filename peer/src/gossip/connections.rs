//! The open streams.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use parking_lot::Mutex;
use proto::gossip::Envelope;
use tokio::sync::mpsc;

use super::handshake::Remote;
use super::message::PkiId;
use super::{DropReason, Metrics};

/// Messages that wait for a slow peer; further ones are lost, the next round repeats them.
pub(super) const QUEUE: usize = 256;

/// The streams to other peers.
#[derive(Debug)]
pub(super) struct Connections {
    open: Arc<Mutex<Open>>,
    connections_max: usize,
    metrics: Metrics,
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    streams: BTreeMap<u64, (Remote, mpsc::Sender<Envelope>)>,
}

impl Connections {
    pub(super) fn new(connections_max: usize, metrics: Metrics) -> Self {
        Self { open: Arc::default(), connections_max, metrics }
    }

    /// Adds a stream, until the guard is dropped.
    pub(super) fn add(
        &self,
        remote: Remote,
        sender: mpsc::Sender<Envelope>,
    ) -> Result<Guard, DropReason> {
        let mut open = self.open.lock();
        if open.streams.len() >= self.connections_max {
            return Err(DropReason::Full);
        }
        let id = open.next;
        open.next += 1;
        open.streams.insert(id, (remote, sender));
        self.metrics.connections.inc();
        Ok(Guard { open: self.open.clone(), id, metrics: self.metrics.clone() })
    }

    /// Sends to every peer that `wanted` accepts, at most once to each.
    pub(super) fn send(&self, envelope: &Envelope, wanted: impl Fn(&Remote) -> bool) {
        let streams: Vec<_> = self.open.lock().streams.values().cloned().collect();
        let mut told = BTreeSet::new();
        for (remote, sender) in streams {
            let new = wanted(&remote) && !told.contains(&remote.pki_id);
            if new && sender.try_send(envelope.clone()).is_ok() {
                told.insert(remote.pki_id);
            }
        }
    }

    /// The peers there is a stream to.
    pub(super) fn peers(&self) -> BTreeSet<PkiId> {
        self.open.lock().streams.values().map(|(remote, _)| remote.pki_id).collect()
    }
}

/// Keeps a stream among the open ones.
#[derive(Debug)]
pub(super) struct Guard {
    open: Arc<Mutex<Open>>,
    id: u64,
    metrics: Metrics,
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.open.lock().streams.remove(&self.id);
        self.metrics.connections.dec();
    }
}
