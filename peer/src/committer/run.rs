//! The tasks of the commit pipelines: one that fetches and prepares, one that commits, for every
//! channel that is joined.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Weak};

use deliver::Verifier;
use deliver::client::{Client, Verified};
use node::operations::Health;
use node::tasks::Tasks;
use proto::common::Block;

use super::{Blocks, Config, Feed, Metrics, Pipeline, queue};
use crate::channels::{Channel, Channels, State};
use crate::private_data::Member;
use crate::validator::Prepared;

/// What the committers need of the rest of the peer.
#[derive(Debug, Clone)]
pub struct Dependencies {
    /// Bounds.
    pub config: Config,
    /// Fetches blocks from orderers.
    pub client: Arc<Client>,
    /// Which private data this peer holds.
    pub member: Member,
    /// Where is counted.
    pub metrics: Metrics,
    /// Where a stopped channel is reported.
    pub health: Health,
}

/// Runs a committer for every channel, those joined now and those joined or opened later.
pub async fn run(channels: Arc<Channels>, with: Dependencies, tasks: Tasks) {
    let mut started: BTreeMap<String, Weak<Channel>> = BTreeMap::new();
    let mut known = BTreeSet::new();
    let mut changes = channels.watch();
    let cancelled = tasks.cancelled();
    tokio::pin!(cancelled);
    loop {
        changes.borrow_and_update();
        report(&channels, &with, &mut known);
        for channel in channels.list() {
            let running = started.get(channel.id());
            if running.is_some_and(|running| running.as_ptr() == Arc::as_ptr(&channel)) {
                continue;
            }
            started.insert(channel.id().to_owned(), Arc::downgrade(&channel));
            let name = format!("committer {}", channel.id());
            tasks.spawn(name, commit(channel, with.clone(), tasks.clone()));
        }
        tokio::select! {
            () = &mut cancelled => return,
            changed = changes.changed() => if changed.is_err() { return },
        }
    }
}

/// Keeps the health answer to the joined channels. What an administrator does to a channel is no
/// illness: nobody should restart the peer for it.
fn report(channels: &Channels, with: &Dependencies, known: &mut BTreeSet<String>) {
    let now: BTreeSet<_> = channels.statuses().into_iter().map(|status| status.id).collect();
    for id in known.difference(&now) {
        with.health.remove(&format!("channel {id}"));
    }
    for id in &now {
        let Some(state) = channels.watch_state(id) else { continue };
        with.health.register(format!("channel {id}"), move || match &*state.borrow() {
            State::Failed { reason } => Err(reason.clone()),
            _ => Ok(()),
        });
    }
    *known = now;
}

/// The committer of one channel. It ends with the peer, when the channel is closed, or when the
/// channel cannot go on.
async fn commit(channel: Arc<Channel>, with: Dependencies, tasks: Tasks) {
    with.metrics.height(channel.id(), channel.height());
    with.metrics.stopped(channel.id(), false);
    let (feed, blocks) = queue(with.config.blocks_ahead_max);
    let pipeline = Pipeline::new(channel.clone(), with.member.clone(), with.metrics.clone());
    let (group, closing) = (tasks.clone(), channel.watch_closing());
    let config = with.config.clone();
    let mut committing = tasks.spawn_blocking(format!("commit {}", channel.id()), move || {
        commit_all(pipeline, blocks, &config, || group.is_cancelled() || *closing.borrow())
    });
    let fetching = fetch(channel.clone(), with.client.clone(), feed, tasks.clone());
    let (fetched, committed) = tokio::select! {
        committed = &mut committing => (Ok(()), committed),
        fetched = fetching => (fetched, committing.await),
    };
    let reason = match (committed, fetched) {
        _ if channel.is_closing() => return,
        (Err(_), _) => "the committer panicked; the log says where; restart the peer".to_owned(),
        (Ok(Err(error)), _) => with_remedy(&error),
        (Ok(Ok(())), Err(reason)) => reason,
        (Ok(Ok(())), Ok(())) => return,
    };
    tracing::error!(channel = channel.id(), height = channel.height(), reason, "channel stopped");
    with.metrics.stopped(channel.id(), true);
    channel.fail(reason);
}

/// Commits what is prepared until there is no more or `stop` says so. What is ready at a time goes
/// to disk together.
pub fn commit_all(
    mut pipeline: Pipeline,
    mut blocks: Blocks,
    config: &Config,
    stop: impl Fn() -> bool,
) -> Result<(), super::Error> {
    while let Some((block, prepared)) = blocks.wait()? {
        if stop() {
            return Ok(());
        }
        let staged = stage_ready(&mut pipeline, &mut blocks, config, (block, prepared));
        // What was staged before a failure is as good as any.
        let synced = pipeline.sync();
        staged.and(synced)?;
    }
    Ok(())
}

fn stage_ready(
    pipeline: &mut Pipeline,
    blocks: &mut Blocks,
    config: &Config,
    first: (Block, Prepared),
) -> Result<(), super::Error> {
    let mut next = Some(first);
    let mut bytes = 0;
    while let Some((block, prepared)) = next {
        bytes += proto::block::envelopes(&block).iter().map(|it| it.len()).sum::<usize>();
        pipeline.stage(block, prepared)?;
        let full = pipeline.staged() >= config.group_blocks_max || bytes >= config.group_bytes_max;
        next = if full { None } else { blocks.ready()? };
    }
    Ok(())
}

/// Follows the channel, and verifies the signatures in its blocks ahead of their commit.
async fn fetch(
    channel: Arc<Channel>,
    client: Arc<Client>,
    feed: Feed,
    tasks: Tasks,
) -> Result<(), String> {
    // The newest block itself may not be here: the channel may have been joined by a snapshot.
    let info = channel.ledger().info().map_err(|error| describe(&error))?;
    let mut bundle = channel.bundle();
    let verifier = Verifier::new(bundle.clone(), info.height, info.current_block_hash);
    let mut stream = client.follow(verifier, &tasks);
    loop {
        let verified = tokio::select! {
            verified = stream.next() => verified,
            () = channel.closed() => return Ok(()),
        };
        let Some(Verified { block, bundle: next, .. }) = verified else { break };
        let sent = tokio::select! {
            sent = feed.send(block, bundle) => sent,
            () = channel.closed() => return Ok(()),
        };
        if !sent {
            // The other task says why.
            return Ok(());
        }
        bundle = next;
    }
    stream.failure().map_or(Ok(()), |error| Err(describe(error)))
}

/// An error with its causes, and what the operator can do about it.
fn with_remedy(error: &super::Error) -> String {
    match ledger::remedy(error) {
        Some(remedy) => format!("{}; {remedy}", describe(error)),
        None => describe(error),
    }
}

/// An error and its causes in one line.
fn describe(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
