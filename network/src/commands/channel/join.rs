//! `gauze channel join`: a peer joins a channel.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use client::admin::Peer;
use serde_json::json;

use crate::commands::snapshot;
use crate::context::Context;
use crate::failure::{Exit, Explain, Failure, Result};
use crate::genesis;
use crate::inventory::{Kind, Node};

/// How often a peer is asked whether it has joined.
const ASK_AGAIN: Duration = Duration::from_millis(100);

#[derive(Debug, Args)]
pub(crate) struct Join {
    /// The channel.
    channel: String,
    /// The peer.
    #[arg(long, value_name = "NODE")]
    peer: String,
    /// The folder of a snapshot, on the peer's machine; without it, all blocks are fetched.
    #[arg(long, value_name = "DIR")]
    snapshot: Option<PathBuf>,
}

pub(super) async fn run(context: &Context, flags: &Join) -> Result<()> {
    let channel = flags.channel.as_str();
    let node = context.inventory.node(&flags.peer)?;
    if node.kind != Kind::Peer {
        return Err(Failure::usage(format!("{} is no peer", node.name)));
    }
    let peer = context.peer(node, &context.actor_of(&node.organization)).await?;
    let what = || format!("{} joins channel {channel}", node.name);
    match &flags.snapshot {
        Some(directory) => by_snapshot(context, node, &peer, channel, directory).await?,
        None => peer.join(&genesis::ensure(context, channel)?).await.explain(what)?,
    }
    let height = peer.chain_info(channel).await.explain(what)?.height;
    let json = json!({ "channel": channel, "peer": node.name, "height": height });
    context
        .output
        .show(json, || format!("{} has joined {channel}, its height is {height}.", node.name));
    Ok(())
}

async fn by_snapshot(
    context: &Context,
    node: &Node,
    peer: &Peer,
    channel: &str,
    directory: &Path,
) -> Result<()> {
    let directory =
        std::path::absolute(directory).explain(|| format!("find {}", directory.display()))?;
    let what = || format!("{} joins channel {channel} by {}", node.name, directory.display());
    let step = context.progress.step(format!("Check {}", directory.display()));
    // The peer checks it as well, but says what is wrong only in its log.
    let (found, _) = snapshot::check(&directory, &step).await?;
    if found.metadata().channel_name != channel {
        let why = format!("the snapshot is of channel {}", found.metadata().channel_name);
        return Err(Failure::new(Exit::Conflict, what()).because(why));
    }
    step.done(format!("block {}", found.last_block()));
    let step = context.progress.step(format!("{} imports the snapshot", node.name));
    peer.join_by_snapshot(&directory).await.explain(what)?;
    while peer.join_under_way().await.explain(what)?.is_some() {
        tokio::time::sleep(ASK_AGAIN).await;
    }
    if !peer.channels().await.explain(what)?.iter().any(|joined| joined == channel) {
        return Err(Failure::new(Exit::Failed, what())
            .because("the peer could not import the snapshot; its log says why")
            .next(format!("gauze network logs {}", node.name)));
    }
    step.done("");
    Ok(())
}
