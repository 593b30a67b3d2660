//! Following a channel: every block, verified, in order, from whichever orderer has it.
//!
//! The orderers are those the channel's configuration names, and each is trusted only as far as
//! its organization's TLS authorities go. A block that does not verify is never handed on; the
//! orderer that sent it is left alone for a while and another is asked. An orderer that falls
//! silent while others have news is left, too.

mod connection;
mod endpoints;
mod follow;

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use channel::Bundle;
use msp::SigningIdentity;
use node::tasks::Tasks;
use node::tls::ClientTls;
use proto::common::Block;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::{Verifier, verify};

/// Times and bounds of following.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How long connecting may take.
    #[serde(with = "node::config::duration")]
    pub connect_timeout: Duration,
    /// How long an orderer is left alone after its first failure; doubled with each further one.
    #[serde(with = "node::config::duration")]
    pub backoff_min: Duration,
    /// How long an orderer is left alone at most after failures.
    #[serde(with = "node::config::duration")]
    pub backoff_max: Duration,
    /// How long an orderer is left alone that sent a block which does not verify.
    #[serde(with = "node::config::duration")]
    pub distrust: Duration,
    /// After how much silence another orderer is asked for news.
    #[serde(with = "node::config::duration")]
    pub silence: Duration,
    /// How long a silent orderer has left to send what another one is known to have.
    #[serde(with = "node::config::duration")]
    pub silence_grace: Duration,
    /// How many verified blocks wait for a reader who is slow.
    pub buffered_blocks_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            backoff_min: Duration::from_millis(100),
            backoff_max: Duration::from_secs(10),
            distrust: Duration::from_secs(60),
            silence: Duration::from_secs(10),
            silence_grace: Duration::from_secs(3),
            buffered_blocks_max: 8,
        }
    }
}

/// How connections are secured.
#[derive(Debug, Clone)]
pub enum Security {
    /// Not at all.
    Plain,
    /// By TLS; with a certificate of our own where one is required.
    Tls(Option<ClientTls>),
}

/// Who follows, and how.
#[derive(Debug)]
pub struct Client {
    signer: Arc<SigningIdentity>,
    security: Security,
    config: Config,
    /// Addresses that are not asked: our own.
    excluded: BTreeSet<String>,
}

/// A block that verified.
#[derive(Debug, Clone)]
pub struct Verified {
    /// The block.
    pub block: Block,
    /// The configuration as of this block: the new one if it is a config block.
    pub bundle: Arc<Bundle>,
    /// Address of the orderer that sent it.
    pub source: String,
}

/// The verified blocks of a channel, in order. Dropping it ends the following.
#[derive(Debug)]
pub struct Blocks {
    receiver: mpsc::Receiver<Verified>,
    failure: Arc<OnceLock<verify::Error>>,
}

impl Blocks {
    /// The next block; `None` once the following was cancelled or has failed for good.
    pub async fn next(&mut self) -> Option<Verified> {
        self.receiver.recv().await
    }

    /// Why following ended by itself: the orderers agreed on a configuration that cannot be used
    /// here, so that no later block can be trusted.
    pub fn failure(&self) -> Option<&verify::Error> {
        self.failure.get()
    }
}

impl Client {
    /// A client that asks as `signer`.
    pub fn new(signer: Arc<SigningIdentity>, security: Security, config: Config) -> Self {
        Self { signer, security, config, excluded: BTreeSet::new() }
    }

    /// Does not ask at these addresses.
    #[must_use]
    pub fn excluding(mut self, addresses: impl IntoIterator<Item = String>) -> Self {
        self.excluded.extend(addresses);
        self
    }

    /// Follows the channel of `verifier` from the block it expects. Ends when `tasks` is
    /// cancelled or the result is dropped.
    pub fn follow(self: &Arc<Self>, verifier: Verifier, tasks: &Tasks) -> Blocks {
        let (sender, receiver) = mpsc::channel(self.config.buffered_blocks_max.max(1));
        let channel_id = verifier.bundle().channel_id().to_owned();
        let failure = Arc::<OnceLock<_>>::default();
        let follower = follow::Follower::new(Arc::clone(self), verifier, sender, tasks.clone());
        tasks.spawn(format!("follow {channel_id}"), follower.run(Arc::clone(&failure)));
        Blocks { receiver, failure }
    }
}
