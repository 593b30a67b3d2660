//! The rounds of gossip: saying that this peer is alive, how far it is, and dialing who is missing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use msp::SigningIdentity;
use node::tasks::Tasks;
use node::tls::CertificateDer;
use node::tls::ClientTls;
use parking_lot::Mutex;
use proto::gossip::gossip_message::Content;
use proto::gossip::{Envelope, MembershipRequest};
use tokio::time::{MissedTickBehavior, interval};

use super::connections::Connections;
use super::message::unsigned;
use super::myself::Myself;
use super::service::pull_request;
use super::{Config, Metrics, Table, Trust, dial};
use crate::channels::{Channel, Channels};
use crate::discovery::{Membership, PeerInfo};

/// The chaincodes of a channel this peer can run, with their versions.
pub type ChaincodesOf = Arc<dyn Fn(&Channel) -> BTreeMap<String, String> + Send + Sync>;

/// How this peer shows itself in TLS sessions, and whom it believes there.
#[derive(Debug)]
pub struct Tls {
    /// Hash of the certificate of the peer's listener.
    pub server_hash: [u8; 32],
    /// What it presents when it dials.
    pub client: ClientTls,
    /// Authorities trusted for peers of the own organization, besides those of its MSP.
    pub roots: Vec<CertificateDer<'static>>,
}

/// What gossip needs of the rest of the peer.
pub struct Dependencies {
    /// Who this peer is.
    pub signer: Arc<SigningIdentity>,
    /// Where others reach it.
    pub endpoint: String,
    /// Whose word counts.
    pub trust: Trust,
    /// The joined channels.
    pub channels: Arc<Channels>,
    /// What this peer can run.
    pub chaincodes: ChaincodesOf,
    /// `None`: plain text, for tests and closed networks.
    pub tls: Option<Tls>,
    /// Where it counts.
    pub metrics: Metrics,
}

impl std::fmt::Debug for Dependencies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dependencies").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

pub(super) struct Shared {
    pub(super) config: Config,
    pub(super) myself: Myself,
    pub(super) trust: Trust,
    pub(super) channels: Arc<Channels>,
    pub(super) table: Mutex<Table>,
    pub(super) connections: Connections,
    /// Endpoints being dialed, or connected after dialing.
    pub(super) dialing: Mutex<BTreeSet<String>>,
    pub(super) tls: Option<Tls>,
    pub(super) metrics: Metrics,
    chaincodes: ChaincodesOf,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("myself", &self.myself).finish_non_exhaustive()
    }
}

/// Gossip at work; clones are the same.
#[derive(Debug, Clone)]
pub struct Gossip {
    shared: Arc<Shared>,
}

impl Gossip {
    /// Begins to gossip.
    pub fn start(config: Config, with: Dependencies, tasks: &Tasks) -> Result<Self, msp::Error> {
        let shared = Arc::new(Shared {
            myself: Myself::new(with.signer, with.endpoint)?,
            trust: with.trust,
            channels: with.channels,
            table: Mutex::new(Table::new(config.peers_max, config.alive_expiration)),
            connections: Connections::new(config.connections_max, with.metrics.clone()),
            dialing: Mutex::default(),
            tls: with.tls,
            metrics: with.metrics,
            chaincodes: with.chaincodes,
            config,
        });
        tasks.spawn("gossip", rounds(shared.clone(), tasks.clone()));
        Ok(Self { shared })
    }

    /// What is counted.
    pub fn metrics(&self) -> &Metrics {
        &self.shared.metrics
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// This peer's state on `channel`, as new as it can be.
    fn local(&self, channel: &str) -> Option<PeerInfo> {
        let myself = &self.shared.myself;
        let mut info = PeerInfo {
            msp_id: myself.msp_id().to_owned(),
            endpoint: myself.endpoint().to_owned(),
            identity: myself.identity().clone(),
            is_local: true,
            alive: myself.alive(),
            ..PeerInfo::default()
        };
        if !channel.is_empty() {
            let joined = self.shared.channels.get(channel)?;
            let height = joined.height();
            if myself.state(channel).is_none_or(|said| said.height != height) {
                self.shared.say_state(&joined);
            }
            let said = myself.state(channel)?;
            info.height = said.height;
            info.chaincodes = said.chaincodes;
            info.state_info = Some(said.envelope);
        }
        Some(info)
    }
}

impl Membership for Gossip {
    fn peers(&self, channel: &str) -> Vec<PeerInfo> {
        let Some(local) = self.local(channel) else {
            return Vec::new();
        };
        let mut peers = vec![local];
        let table = self.shared.table.lock();
        for entry in table.living() {
            let state = entry.channels.get(channel);
            if channel.is_empty() || state.is_some() {
                peers.push(PeerInfo {
                    msp_id: entry.alive.msp_id.clone(),
                    endpoint: entry.alive.endpoint.clone(),
                    identity: entry.alive.identity.clone(),
                    height: state.map_or(0, |state| state.height),
                    chaincodes: state.map(|state| state.chaincodes.clone()).unwrap_or_default(),
                    is_local: false,
                    alive: entry.alive.envelope.clone(),
                    state_info: state.map(|state| state.envelope.clone()),
                });
            }
        }
        drop(table);
        peers.retain(|peer| {
            channel.is_empty()
                || peer.is_local
                || self.shared.trust.in_channel(&peer.msp_id, channel)
        });
        peers
    }
}

async fn rounds(shared: Arc<Shared>, tasks: Tasks) {
    let cancelled = tasks.cancelled();
    tokio::pin!(cancelled);
    let [mut alive, mut news, mut missing] = [
        shared.config.alive_interval,
        shared.config.news_interval,
        shared.config.reconnect_interval,
    ]
    .map(|period| {
        let mut ticks = interval(period.max(std::time::Duration::from_millis(10)));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        ticks
    });
    loop {
        tokio::select! {
            () = &mut cancelled => return,
            _ = alive.tick() => shared.say_alive(),
            _ = missing.tick() => {
                shared.ask_around();
                dial::missing(&shared, &tasks);
            }
            _ = news.tick() => {
                let shared = shared.clone();
                let said = tasks.spawn_blocking("gossip news", move || shared.say_news());
                // A panic is counted by the task group; the next round tries again.
                drop(said.await);
            }
        }
    }
}

impl Shared {
    pub(super) fn handshake(&self, tls_hash: Option<[u8; 32]>) -> Result<Envelope, msp::Error> {
        self.myself.handshake(tls_hash.as_ref().map_or(&[], |hash| hash.as_slice()))
    }

    fn say_alive(&self) {
        {
            let mut table = self.table.lock();
            table.expire(Instant::now());
            self.metrics.peers.set(i64::try_from(table.living().count()).unwrap_or(i64::MAX));
        }
        match self.myself.renew_alive() {
            Ok(envelope) => self.connections.send(&envelope, |_| true),
            Err(error) => tracing::error!(%error, "sign alive message"),
        }
        for channel in self.channels.list() {
            self.say_known_state(&channel);
        }
    }

    /// Asks everyone who else is there.
    fn ask_around(&self) {
        let request =
            MembershipRequest { self_information: Some(self.myself.alive()), known: Vec::new() };
        self.connections.send(&unsigned(Content::MemReq(request)), |_| true);
    }

    fn say_news(&self) {
        for channel in self.channels.list() {
            self.say_state(&channel);
        }
    }

    /// Tells the members of a channel how far this peer is, if that is news.
    pub(super) fn say_state(&self, channel: &Channel) {
        let first = self.myself.state(channel.id()).is_none();
        let chaincodes = (self.chaincodes)(channel);
        match self.myself.renew_state(channel.id(), channel.height(), chaincodes) {
            Ok(Some(envelope)) => self.tell_members(channel.id(), &envelope),
            Ok(None) => {}
            Err(error) => tracing::error!(%error, "sign state info"),
        }
        if first {
            self.tell_members(channel.id(), &pull_request(self, channel.id()));
        }
    }

    /// Repeats what was said last, for those who missed it.
    fn say_known_state(&self, channel: &Channel) {
        if let Some(said) = self.myself.state(channel.id()) {
            self.tell_members(channel.id(), &said.envelope);
        }
    }

    fn tell_members(&self, channel: &str, envelope: &Envelope) {
        self.connections.send(envelope, |remote| self.trust.in_channel(&remote.msp_id, channel));
    }
}
