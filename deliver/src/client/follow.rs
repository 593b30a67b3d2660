//! Following a channel through one orderer after the other.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use node::tasks::Tasks;
use proto::block;
use proto::common::Block;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::connection::{Connection, Error};
use super::endpoints::{Choice, Endpoint, Endpoints};
use super::{Client, Verified};
use crate::seek;
use crate::verify::{self, Verifier, verify_signatures};

/// Why following through one orderer ended.
#[derive(Debug)]
enum Ended {
    /// Nobody wants more blocks.
    Cancelled,
    /// The orderer failed.
    Failed(Error),
    /// The orderer sent a block that does not verify.
    Lied(verify::Error),
    /// The orderers have signed a configuration that cannot be used here.
    Unusable(verify::Error),
    /// Verifying the orderer's block ended in a caught panic.
    Broken,
    /// The orderer is silent, and another has more.
    Silent,
    /// The orderer is no longer one of the channel's.
    Retired,
}

pub(super) struct Follower {
    client: Arc<Client>,
    verifier: Verifier,
    blocks: mpsc::Sender<Verified>,
    tasks: Tasks,
    endpoints: Endpoints,
}

impl Follower {
    pub(super) fn new(
        client: Arc<Client>,
        verifier: Verifier,
        blocks: mpsc::Sender<Verified>,
        tasks: Tasks,
    ) -> Self {
        let mut endpoints = Endpoints::default();
        endpoints.update(verifier.bundle(), &client.excluded);
        Self { client, verifier, blocks, tasks, endpoints }
    }

    fn channel_id(&self) -> &str {
        self.verifier.bundle().channel_id()
    }

    /// Follows until nobody wants more, or until a configuration cannot be used: `failure` is then
    /// set before the stream of blocks ends.
    pub(super) async fn run(mut self, failure: Arc<OnceLock<verify::Error>>) {
        let (cancelled, blocks) = (self.tasks.cancelled(), self.blocks.clone());
        tokio::select! {
            () = cancelled => {}
            () = blocks.closed() => {}
            ended = self.follow_all() => if let Some(error) = ended {
                failure.get_or_init(|| error);
            }
        }
    }

    async fn follow_all(&mut self) -> Option<verify::Error> {
        loop {
            let endpoint = match self.endpoints.choose(Instant::now(), None) {
                Choice::Ask(endpoint) => endpoint,
                Choice::Wait(time) => {
                    sleep(time).await;
                    continue;
                }
                Choice::Nobody => {
                    tracing::warn!(channel = self.channel_id(), "no orderers to follow");
                    sleep(self.client.config.backoff_max).await;
                    continue;
                }
            };
            match self.follow(&endpoint).await {
                Ended::Cancelled => return None,
                Ended::Unusable(error) => return Some(error),
                ended => self.judge(&endpoint.address, &ended),
            }
        }
    }

    /// Remembers how an orderer behaved.
    fn judge(&mut self, source: &str, ended: &Ended) {
        let (channel, next) = (self.channel_id().to_owned(), self.verifier.next());
        let (config, now) = (&self.client.config, Instant::now());
        match ended {
            Ended::Cancelled | Ended::Unusable(_) => {}
            Ended::Failed(error) => {
                tracing::info!(%channel, source, next, %error, "orderer failed");
                self.endpoints.failed(source, config, now);
            }
            Ended::Lied(error) => {
                let cause = std::error::Error::source(error).map(ToString::to_string);
                tracing::error!(%channel, source, next, %error, cause, "orderer sent a bad block");
                self.endpoints.distrust(source, config, now);
            }
            Ended::Broken => self.endpoints.distrust(source, config, now),
            Ended::Silent => {
                tracing::warn!(%channel, source, next, "orderer is silent, others have more");
                self.endpoints.failed(source, config, now);
            }
            Ended::Retired => tracing::info!(%channel, source, "orderer left the channel"),
        }
    }

    /// Follows through one orderer as long as that goes well.
    async fn follow(&mut self, endpoint: &Endpoint) -> Ended {
        let (source, next) = (&endpoint.address, self.verifier.next());
        let seek = seek::follow(next);
        let opened = Connection::open(&self.client, endpoint, self.channel_id(), &seek).await;
        let mut connection = match opened {
            Ok(connection) => connection,
            Err(error) => return Ended::Failed(error),
        };
        tracing::info!(channel = self.channel_id(), source, next, "following");
        let mut suspected = false;
        loop {
            let config = &self.client.config;
            let patience = if suspected { config.silence_grace } else { config.silence };
            match timeout(patience, connection.block()).await {
                Ok(Ok(block)) => match self.accept(block, source).await {
                    Ok(()) => suspected = false,
                    Err(ended) => return ended,
                },
                Ok(Err(error)) => return Ended::Failed(error),
                Err(_) if suspected => return Ended::Silent,
                Err(_) => suspected = self.others_have_more(source).await,
            }
        }
    }

    /// Verifies a block and hands it on.
    async fn accept(&mut self, block: Block, source: &str) -> Result<(), Ended> {
        let mut verifier = self.verifier.clone();
        let work = move || {
            let result = verifier.verify(&block);
            (verifier, block, result)
        };
        let name = format!("verify block of {}", self.channel_id());
        let verified = self.tasks.spawn_blocking(name, work).await;
        let (verifier, block, result) = verified.map_err(|_| Ended::Broken)?;
        result.map_err(|error| match error {
            // The signatures come first: the orderers stand by this configuration.
            verify::Error::Config { .. } | verify::Error::NotConfig { .. } => {
                Ended::Unusable(error)
            }
            _ => Ended::Lied(error),
        })?;
        self.endpoints.succeeded(source);
        let reconfigured = !Arc::ptr_eq(verifier.bundle(), self.verifier.bundle());
        self.verifier = verifier;
        let bundle = Arc::clone(self.verifier.bundle());
        if reconfigured {
            self.endpoints.update(&bundle, &self.client.excluded);
        }
        let verified = Verified { block, bundle, source: source.to_owned() };
        self.blocks.send(verified).await.map_err(|_| Ended::Cancelled)?;
        if self.endpoints.contains(source) { Ok(()) } else { Err(Ended::Retired) }
    }

    /// Asks another orderer whether it has the block we wait for. Its word counts only if the
    /// header it shows is signed as it should be.
    async fn others_have_more(&mut self, source: &str) -> bool {
        let Choice::Ask(other) = self.endpoints.choose(Instant::now(), Some(source)) else {
            return false;
        };
        let seek = seek::newest_header();
        let ask = async {
            let opened = Connection::open(&self.client, &other, self.channel_id(), &seek);
            opened.await?.block().await
        };
        let asked = timeout(self.client.config.connect_timeout.saturating_mul(2), ask).await;
        match asked.unwrap_or(Err(Error::Timeout)) {
            Ok(block) => {
                block::number(&block) >= self.verifier.next()
                    && verify_signatures(self.verifier.bundle(), &block).is_ok()
            }
            Err(error) => {
                let channel = self.channel_id();
                tracing::debug!(channel, source = other.address, %error, "asking for news failed");
                self.endpoints.failed(&other.address, &self.client.config, Instant::now());
                false
            }
        }
    }
}
