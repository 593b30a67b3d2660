//! Orderers and peers join their channels.

use std::time::{Duration, Instant};

use client::Class;
use client::admin::Position;
use futures::future::try_join_all;

use crate::context::{Context, admin_of};
use crate::failure::{Exit, Explain, Failure, Result};
use crate::genesis;
use crate::inventory::Node;

/// Orderers have this long to elect a leader.
const LEADER_WITHIN: Duration = Duration::from_secs(60);

/// Makes all orderers and peers of a channel join it, and waits until it can be used.
pub(super) async fn join(context: &Context, name: &str) -> Result<()> {
    let step = context.progress.step(format!("Create channel {name}"));
    let genesis = genesis::ensure(context, name)?;
    let orderers = context.orderers_of(name)?;
    try_join_all(orderers.iter().map(|node| orderer_joins(context, node, name, &genesis))).await?;
    step.detail("peers");
    let peers: Vec<&Node> =
        context.peers_of(name)?.into_iter().flat_map(|(_, peers)| peers).collect();
    try_join_all(peers.iter().map(|node| peer_joins(context, node, name, &genesis))).await?;
    step.detail("waiting for a leader");
    until_ordering(context, name).await?;
    step.done(format!("{} orderers, {} peers", orderers.len(), peers.len()));
    Ok(())
}

async fn orderer_joins(
    context: &Context,
    node: &Node,
    name: &str,
    genesis: &proto::common::Block,
) -> Result<()> {
    let participation = context.participation(node)?;
    let what = || format!("{} joins channel {name}", node.name);
    let joined = participation.list().await.explain(what)?;
    if joined.iter().any(|channel| channel.name == name) {
        return Ok(());
    }
    match participation.join(genesis).await {
        Err(error) if error.class() == Class::Conflict => Ok(()),
        other => other.map(drop).explain(what),
    }
}

async fn peer_joins(
    context: &Context,
    node: &Node,
    name: &str,
    genesis: &proto::common::Block,
) -> Result<()> {
    let peer = context.peer(node, &admin_of(&node.organization)).await?;
    let what = || format!("{} joins channel {name}", node.name);
    if peer.channels().await.explain(what)?.iter().any(|joined| joined == name) {
        return Ok(());
    }
    peer.join(genesis).await.explain(what)
}

/// Waits until an orderer gives out blocks, which it does only when there is a leader.
async fn until_ordering(context: &Context, name: &str) -> Result<()> {
    let begin = Instant::now();
    let admin = context.actor(name)?;
    loop {
        let mut last = None;
        for node in context.orderers_of(name)? {
            let orderer = context.orderer(node, &admin).await?;
            match orderer.block(name, Position::Newest).await {
                Ok(_) => return Ok(()),
                Err(error) => last = Some(error),
            }
        }
        if begin.elapsed() > LEADER_WITHIN {
            let why = last.map(|error| error.to_string()).unwrap_or_default();
            return Err(Failure::new(Exit::Timeout, format!("channel {name} has no leader"))
                .because(why)
                .next("gauze network logs orderer0.orderer"));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
