//! One channel, as the services see it.

use std::error::Error as StdError;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ::channel::Bundle;
use arc_swap::{ArcSwap, ArcSwapOption};
use bytes::Bytes;
use ledger::block_store::BlockStore;
use node::tasks::Tasks;
use parking_lot::RwLock;
use proto::common::Block;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot, watch};

use super::State;
use crate::cluster::Cluster;
use crate::consensus::driver::{Submission, Verdict};
use crate::consensus::{self, NodeId};
use crate::message_processor::{Accepted, Rejection};

/// Pause before an envelope is tried at another leader.
const RETRY_PAUSE: Duration = Duration::from_millis(50);
/// How often an envelope is tried at another leader.
const RETRIES_MAX: u32 = 20;

/// The part a node plays in a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Relation {
    /// Takes part in ordering.
    Consenter,
    /// Replicates.
    Follower,
}

/// How a channel is doing on this node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It works.
    Active,
    /// Blocks before the one given at joining are being fetched.
    Onboarding,
    /// It is being stopped.
    Inactive,
    /// It stopped on an error; the log and the health check say which.
    Failed,
}

/// What channel participation tells about a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Info {
    /// Its name.
    pub name: String,
    /// Where this information is found.
    pub url: String,
    /// The part this node plays.
    pub consensus_relation: Relation,
    /// How it is doing.
    pub status: Status,
    /// Number of blocks.
    pub height: u64,
}

/// Where a running consenter takes what is to be ordered.
#[derive(Debug, Clone)]
pub(crate) struct Inlet {
    pub(crate) id: NodeId,
    pub(crate) submissions: mpsc::Sender<Submission>,
    pub(crate) messages: mpsc::Sender<(NodeId, Bytes)>,
}

/// A channel on this node.
#[derive(Debug)]
pub struct Channel {
    pub(crate) id: String,
    pub(crate) directory: PathBuf,
    pub(crate) store: Arc<BlockStore>,
    pub(crate) state: Arc<ArcSwap<State>>,
    /// The block given at joining.
    pub(crate) join_block: Block,
    pub(crate) phase: RwLock<(Relation, Status, Option<String>)>,
    pub(crate) inlet: ArcSwapOption<Inlet>,
    /// What the consenter knows about its cluster.
    pub(crate) consensus: watch::Sender<consensus::Status>,
    /// Whether envelopes can be ordered now.
    pub(crate) ordering: watch::Sender<bool>,
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) tasks: Tasks,
}

impl Channel {
    /// Its name.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its blocks.
    pub fn store(&self) -> &Arc<BlockStore> {
        &self.store
    }

    /// What its newest block says.
    pub fn state(&self) -> Arc<State> {
        self.state.load_full()
    }

    /// Who leads, as far as this node knows.
    pub fn consensus(&self) -> watch::Receiver<consensus::Status> {
        self.consensus.subscribe()
    }

    /// What channel participation tells.
    pub fn info(&self) -> Info {
        let (consensus_relation, status, _) = *self.phase.read();
        Info {
            name: self.id.clone(),
            url: format!("/participation/v1/channels/{}", self.id),
            consensus_relation,
            status,
            height: self.store.height(),
        }
    }

    /// Why the channel stopped, if it did.
    pub fn failure(&self) -> Option<String> {
        self.phase.read().2.clone()
    }

    pub(crate) fn enter(&self, relation: Relation, status: Status) {
        *self.phase.write() = (relation, status, None);
    }

    pub(crate) fn fail(&self, reason: String) {
        tracing::error!(channel = %self.id, %reason, "channel stopped");
        let mut phase = self.phase.write();
        phase.1 = Status::Failed;
        phase.2 = Some(reason);
    }

    /// Has an accepted envelope ordered, here or at the leader. When this returns the envelope has
    /// its place in the queue; the verdict comes once its block is final.
    pub(crate) async fn order(
        self: &Arc<Self>,
        accepted: Accepted,
    ) -> impl Future<Output = Verdict> + use<> {
        let mut attempt = self.enqueue(&accepted).await;
        let channel = Arc::clone(self);
        async move {
            for _ in 0..RETRIES_MAX {
                let verdict = match attempt {
                    Ok(verdict) => channel.settle(verdict).await,
                    Err(rejection) => Err(rejection),
                };
                // Nothing was ordered: somebody else leads, or will in a moment.
                if !verdict.as_ref().is_err_and(Rejection::is_not_leader) {
                    return verdict;
                }
                tokio::time::sleep(RETRY_PAUSE).await;
                attempt = channel.enqueue(&accepted).await;
            }
            Err(Rejection::unavailable("no Raft leader"))
        }
    }

    /// Has an envelope ordered that another orderer forwarded, if this node leads.
    pub(crate) async fn order_here(
        self: &Arc<Self>,
        accepted: Accepted,
    ) -> impl Future<Output = Verdict> + use<> {
        let inlet = self.inlet.load_full();
        let leads = |inlet: &Inlet| self.consensus.borrow().leader == Some(inlet.id);
        let attempt = match inlet.filter(|inlet| leads(inlet)) {
            Some(inlet) => submit(&inlet, accepted).await,
            None => Err(Rejection::not_leader()),
        };
        async move { attempt?.await.map_err(|_| stopping())? }
    }

    /// Gives an envelope to the leader as far as this node knows.
    async fn enqueue(&self, accepted: &Accepted) -> Result<Pending, Rejection> {
        let Some(inlet) = self.inlet.load_full() else {
            let starting =
                self.phase.read().1 == Status::Active && self.phase.read().0 == Relation::Consenter;
            let info =
                if starting { "no Raft leader" } else { "this node does not order this channel" };
            return Err(Rejection::unavailable(info));
        };
        let Some(leader) = self.consensus.borrow().leader else {
            return Err(Rejection::unavailable("no Raft leader"));
        };
        if leader == inlet.id {
            return submit(&inlet, accepted.clone()).await.map(Pending::Here);
        }
        let state = self.state.load_full();
        let Some(consenter) = state.consenters.get(leader) else {
            return Err(Rejection::unavailable("the Raft leader is not known here"));
        };
        let forwarded = self.cluster.forward(&self.id, &state.bundle, consenter, accepted).await;
        forwarded.map(Pending::Forwarded)
    }

    async fn settle(&self, pending: Pending) -> Verdict {
        match pending {
            Pending::Here(verdict) => verdict.await.map_err(|_| stopping())?,
            Pending::Forwarded(verdict) => self.cluster.answer(verdict).await,
        }
    }
}

/// An envelope that has its place in a queue.
enum Pending {
    Here(oneshot::Receiver<Verdict>),
    Forwarded(oneshot::Receiver<Verdict>),
}

fn stopping() -> Rejection {
    Rejection::unavailable("the channel is being stopped")
}

async fn submit(
    inlet: &Inlet,
    accepted: Accepted,
) -> Result<oneshot::Receiver<Verdict>, Rejection> {
    let (reply, verdict) = oneshot::channel();
    let submission = Submission { accepted, reply };
    inlet.submissions.send(submission).await.map_err(|_| stopping())?;
    Ok(verdict)
}

impl deliver::server::Channel for Channel {
    fn heights(&self) -> watch::Receiver<u64> {
        self.store.watch()
    }

    fn block(&self, number: u64) -> Result<Block, Box<dyn StdError + Send + Sync>> {
        match self.store.block(number)? {
            Some(block) => Ok(block),
            None => Err(format!("block {number} is missing").into()),
        }
    }

    fn bundle(&self) -> Arc<Bundle> {
        self.state.load().bundle.clone()
    }

    fn ordering(&self) -> Option<watch::Receiver<bool>> {
        Some(self.ordering.subscribe())
    }
}
