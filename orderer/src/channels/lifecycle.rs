//! A channel's life on this node: it follows until a configuration lists this node, then orders
//! until one does not, and so on.

use std::sync::Arc;

use ::channel::Bundle;
use bytes::Bytes;
use deliver::client::Client;
use msp::SigningIdentity;
use proto::block;
use proto::common::Block;
use tokio::sync::mpsc;

use super::block_writer::{self, BlockWriter, State};
use super::channel::{Channel, Inlet, Relation, Status};
use crate::cluster::Cluster;
use crate::consensus::driver::{Driver, Ended, Inbox, Setup};
use crate::message_processor::Processor;
use crate::metrics::Metrics;
use crate::onboarding::{Asker, Fetcher};

/// What all channels of a node share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) signer: SigningIdentity,
    pub(crate) processor: Processor,
    /// Client TLS certificate by which this node is known in consenter sets, as DER.
    pub(crate) certificate: Option<Bytes>,
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) replication: deliver::client::Config,
    /// Where other nodes reach this one.
    pub(crate) endpoint: String,
    pub(crate) asker: Asker,
    pub(crate) consensus: crate::Consensus,
    pub(crate) metrics: Metrics,
}

/// Runs a channel until its tasks are cancelled or it cannot go on.
pub(super) async fn run(channel: Arc<Channel>, shared: Arc<Shared>) {
    let stopped = shared.metrics.channel(&channel.id).stopped;
    stopped.set(0);
    let outcome = async {
        if !load_chain(&channel, &shared).await? {
            return Ok(());
        }
        shared.cluster.configuration_changed();
        while !channel.tasks.is_cancelled() {
            if onboarded(&channel) && shared.own_id(&channel.state()).is_some() {
                order(&channel, &shared).await?;
            } else {
                follow(&channel, &shared).await?;
            }
        }
        Ok::<(), String>(())
    };
    if let Err(reason) = outcome.await {
        stopped.set(1);
        channel.fail(reason);
    }
    channel.inlet.store(None);
    channel.ordering.send_replace(false);
}

impl Shared {
    /// This node's id in a consenter set.
    fn own_id(&self, state: &State) -> Option<u64> {
        let certificate = self.certificate.as_ref()?;
        state.consenters.by_certificate(certificate).map(|consenter| consenter.id)
    }

    /// The part this node plays under a configuration.
    pub(super) fn relation(&self, state: &State) -> Relation {
        if self.own_id(state).is_some() { Relation::Consenter } else { Relation::Follower }
    }

    /// Asks the other orderers of a channel for blocks.
    fn fetcher(&self, channel: &Channel) -> Fetcher {
        let state = channel.state();
        let own = self.own_id(&state).and_then(|id| state.consenters.get(id));
        let own = own.map(|consenter| consenter.address.clone());
        let (signer, security) = (self.signer.clone(), self.asker.security.clone());
        let client = Client::new(Arc::new(signer), security, self.replication.clone())
            .excluding(own.into_iter().chain([self.endpoint.clone()]));
        Fetcher { client: Arc::new(client), store: channel.store.clone() }
    }

    fn writer(&self, channel: &Channel) -> BlockWriter {
        BlockWriter::new(channel.store.clone(), self.signer.clone(), channel.state.clone())
    }
}

/// Whether the chain holds the block given at joining.
fn onboarded(channel: &Channel) -> bool {
    channel.store.height() > block::number(&channel.join_block)
}

/// Makes sure that there is a genesis block; false if that was cancelled.
async fn load_chain(channel: &Channel, shared: &Shared) -> Result<bool, String> {
    if channel.store.height() == 0 {
        let Some(genesis) = genesis(channel, shared).await else { return Ok(false) };
        let bundle = Bundle::from_join_block(&genesis).map_err(|e| text(&e))?;
        if bundle.channel_id() != channel.id {
            return Err("the genesis block is of another channel".to_owned());
        }
        channel.store.append(&genesis).map_err(|e| text(&e))?;
    }
    if let Some(state) = State::load(&channel.store).map_err(|e| text(&e))? {
        channel.state.store(Arc::new(state));
    }
    Ok(true)
}

async fn genesis(channel: &Channel, shared: &Shared) -> Option<Block> {
    if block::number(&channel.join_block) == 0 {
        return Some(channel.join_block.clone());
    }
    let bundle = channel.state().bundle.clone();
    loop {
        tokio::select! {
            () = channel.tasks.cancelled() => return None,
            found = shared.asker.genesis(&bundle) => if found.is_some() { return found },
        }
        tokio::select! {
            () = channel.tasks.cancelled() => return None,
            () = tokio::time::sleep(shared.asker.timeout) => {}
        }
    }
}

/// Takes part in ordering until stopped or evicted.
async fn order(channel: &Arc<Channel>, shared: &Shared) -> Result<(), String> {
    let state = channel.state();
    let Some(id) = shared.own_id(&state) else { return Ok(()) };
    let (submissions, submitted) = mpsc::channel(shared.consensus.submissions_max.max(1));
    let (messages, received) = mpsc::channel(shared.consensus.messages_max.max(1));
    let setup = Setup {
        channel: channel.id.clone(),
        id,
        genesis: genesis_ids(channel)?,
        directory: channel.directory.clone(),
        writer: shared.writer(channel),
        state: channel.state.clone(),
        processor: shared.processor.clone(),
        config: shared.consensus.clone(),
        cluster: shared.cluster.clone(),
        fetcher: shared.fetcher(channel),
        metrics: shared.metrics.channel(&channel.id),
        status: channel.consensus.clone(),
        tasks: channel.tasks.clone(),
    };
    channel.inlet.store(Some(Arc::new(Inlet { id, submissions, messages })));
    channel.enter(Relation::Consenter, Status::Active);
    let inbox = Inbox { submissions: submitted, messages: received };
    let runtime = tokio::runtime::Handle::current();
    let name = format!("consenter of {}", channel.id);
    let (ordering, mut status) = (channel.ordering.clone(), channel.consensus.subscribe());
    let mut work = channel.tasks.spawn_blocking(name, move || {
        let driver = Driver::open(setup)?;
        runtime.block_on(driver.run(inbox))
    });
    let ended = loop {
        tokio::select! {
            ended = &mut work => break ended,
            Ok(()) = status.changed() => {
                ordering.send_replace(status.borrow_and_update().leader.is_some());
            }
        }
    };
    channel.inlet.store(None);
    channel.ordering.send_replace(false);
    match ended {
        Ok(Ok(Ended::Stopped | Ended::Evicted)) => Ok(()),
        Ok(Err(error)) => Err(text(&error)),
        Err(_) => Err("the consenter panicked".to_owned()),
    }
}

fn genesis_ids(channel: &Channel) -> Result<Vec<u64>, String> {
    let genesis = channel.store.block(0).map_err(|e| text(&e))?.ok_or("block 0 is missing")?;
    let bundle = Bundle::from_block(&genesis).map_err(|e| text(&e))?;
    let state = State::of_config_block(&genesis, bundle).map_err(|e| text(&e))?;
    Ok(state.consenters.ids().collect())
}

/// Replicates until the newest configuration lists this node.
async fn follow(channel: &Arc<Channel>, shared: &Shared) -> Result<(), String> {
    let tasks = channel.tasks.child();
    let (sink, mut blocks) = mpsc::channel(64);
    shared.fetcher(channel).start(channel.state(), None, sink, &tasks);
    let metrics = shared.metrics.channel(&channel.id);
    // A follower knows no leader, but what it has is in order.
    channel.ordering.send_replace(true);
    let outcome = loop {
        channel.enter(
            shared.relation(&channel.state()),
            if onboarded(channel) { Status::Active } else { Status::Onboarding },
        );
        let next = tokio::select! {
            () = channel.tasks.cancelled() => break Ok(()),
            next = blocks.recv() => next,
        };
        let Some(block) = next else { break Ok(()) };
        if let Err(reason) = append(channel, shared, block).await {
            break Err(reason);
        }
        metrics.blocks.inc();
        metrics.height.set(i64::try_from(channel.store.height()).unwrap_or(i64::MAX));
        if onboarded(channel) && shared.own_id(&channel.state()).is_some() {
            tracing::info!(channel = %channel.id, "this node is a consenter now");
            break Ok(());
        }
    };
    tasks.cancel();
    outcome
}

async fn append(channel: &Channel, shared: &Shared, next: Block) -> Result<(), String> {
    let join = &channel.join_block;
    if block::number(&next) == block::number(join) && next.header != join.header {
        return Err("the chain of the other orderers does not lead to the join block".to_owned());
    }
    let (mut writer, config) = (shared.writer(channel), block::is_config(&next));
    let append = move || writer.append(&next).map_err(|e: block_writer::Error| text(&e));
    let name = format!("append to {}", channel.id);
    let appended = channel.tasks.spawn_blocking(name, append).await;
    appended.map_err(|_| "appending a block panicked".to_owned())??;
    if config {
        shared.cluster.configuration_changed();
    }
    Ok(())
}

/// An error and its causes in one line, and what the operator can do about it.
fn text(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    match ledger::remedy(error) {
        Some(remedy) => format!("{text}; {remedy}"),
        None => text,
    }
}
