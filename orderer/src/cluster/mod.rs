//! Orderer to orderer: consensus messages and forwarded envelopes over Fabric's `Cluster` service.
//!
//! Whoever calls is known by its client TLS certificate, which must be in the channel's consenter
//! set. Streams stay open, one for each purpose, channel and neighbour. Consensus messages may be
//! lost at any time, so a full queue drops them and nobody ever waits; forwarded envelopes are
//! answered in order once they are final.

mod client;
mod server;

use std::collections::BTreeMap;
use std::sync::Arc;

use ::channel::Bundle;
use bytes::Bytes;
use node::tasks::Tasks;
use node::tls::{CertificateDer, ClientTls};
use parking_lot::Mutex;
use tokio::sync::{oneshot, watch};

pub(crate) use server::Service;

use crate::channels::Consenter;
use crate::consensus::driver::Verdict;
use crate::message_processor::{Accepted, Rejection};
use crate::metrics::Metrics;
use client::{Link, Neighbour};

/// The other orderers.
#[derive(Debug)]
pub(crate) struct Cluster {
    config: crate::Cluster,
    /// The certificate this node presents; without one it speaks plain text, and nobody listens.
    identity: Option<ClientTls>,
    metrics: Metrics,
    tasks: Tasks,
    neighbours: Mutex<BTreeMap<String, Arc<Neighbour>>>,
    links: Mutex<BTreeMap<(String, String), Arc<Link>>>,
    changes: watch::Sender<u64>,
}

impl Cluster {
    pub(crate) fn new(
        config: crate::Cluster,
        identity: Option<ClientTls>,
        metrics: Metrics,
        tasks: &Tasks,
    ) -> Self {
        Self {
            config,
            identity,
            metrics,
            tasks: tasks.clone(),
            neighbours: Mutex::default(),
            links: Mutex::default(),
            changes: watch::Sender::new(0),
        }
    }

    /// Sends a consensus message, or drops it. Never waits.
    pub(crate) fn send(&self, channel: &str, bundle: &Bundle, to: &Consenter, bytes: Bytes) {
        if !self.link(channel, bundle, to).send(channel, bytes) {
            self.metrics.dropped.inc();
        }
    }

    /// Queues an envelope for the leader; see [`Cluster::answer`].
    pub(crate) async fn forward(
        &self,
        channel: &str,
        bundle: &Bundle,
        to: &Consenter,
        accepted: &Accepted,
    ) -> Result<oneshot::Receiver<Verdict>, Rejection> {
        let link = self.link(channel, bundle, to);
        let queued =
            tokio::time::timeout(self.config.forward_timeout, link.forward(channel, accepted));
        queued.await.unwrap_or_else(|_| Err(failed("the queue is full")))
    }

    /// Waits for the leader's answer, for as long as that may take.
    pub(crate) async fn answer(&self, verdict: oneshot::Receiver<Verdict>) -> Verdict {
        match tokio::time::timeout(self.config.forward_timeout, verdict).await {
            Ok(Ok(verdict)) => verdict,
            Ok(Err(_)) => Err(failed("the stream broke")),
            Err(_) => Err(failed("no answer in time")),
        }
    }

    /// Says that a channel has a new configuration.
    pub(crate) fn configuration_changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    /// Follows changes of any channel's configuration.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Ends the streams of a channel that is served here no more.
    pub(crate) fn forget(&self, channel: &str) {
        self.links.lock().retain(|(of, _), _| of != channel);
    }

    fn link(&self, channel: &str, bundle: &Bundle, to: &Consenter) -> Arc<Link> {
        let roots = || orderer_roots(bundle);
        let neighbour = {
            let mut neighbours = self.neighbours.lock();
            let entry = neighbours.entry(to.address.clone());
            entry.or_insert_with(|| Arc::new(Neighbour::new(to.address.clone()))).clone()
        };
        neighbour.trust(channel, bundle.sequence(), roots);
        let mut links = self.links.lock();
        let link = links.entry((channel.to_owned(), to.address.clone()));
        link.or_insert_with(|| Link::start(neighbour, &self.config, &self.identity, &self.tasks))
            .clone()
    }
}

/// The TLS authorities of the organizations that order.
fn orderer_roots(bundle: &Bundle) -> Vec<CertificateDer<'static>> {
    let orgs = bundle.orderer().into_iter().flat_map(|orderer| orderer.orgs.values());
    let msps = orgs.filter_map(|org| bundle.msps().msp(&org.msp_id));
    msps.flat_map(|msp| msp.tls_roots().to_vec()).collect()
}

fn failed(reason: &str) -> Rejection {
    Rejection::unavailable(format!("forward to leader: {reason}"))
}
