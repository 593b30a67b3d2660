//! `gauze snapshot`: make, list and check snapshots of ledgers.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::{Args, Subcommand};
use client::admin::Peer;
use ledger::snapshot::{Contents, Snapshot, SnapshotConfig};
use serde_json::{Value, json};

use crate::cli::Globals;
use crate::commands::channel::first_peer;
use crate::context::Context;
use crate::failure::{Exit, Explain, Failure, Result};
use crate::inventory::Node;
use crate::output::{bold, short, table};
use crate::progress::Step;
use crate::up::blocking;

/// How often a peer is asked whether a snapshot is there.
const ASK_AGAIN: Duration = Duration::from_millis(100);
/// Records after which the progress of a check is shown again.
const RECORDS_SHOWN: u64 = 10_000;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a snapshot of a channel's ledger on a peer, now or when a block is committed.
    #[command(
        after_help = "Examples:\n  gauze snapshot create care\n  gauze snapshot create care --at 5000 --peer peer0.hospital\n  gauze --output json snapshot create pharma"
    )]
    Create(Create),
    /// List the snapshots of a channel that a peer has, and those that are to come.
    #[command(
        after_help = "Examples:\n  gauze snapshot list care\n  gauze snapshot list care --peer peer0.pharmacy"
    )]
    List(OfPeer),
    /// Withdraw the request for a snapshot of a block to come.
    #[command(after_help = "Examples:\n  gauze snapshot cancel care 5000")]
    Cancel(Cancel),
    /// Check every file of a snapshot, and show what is in it.
    #[command(
        after_help = "Examples:\n  gauze snapshot verify gauze/nodes/peer0.hospital/data/snapshots/completed/care/120\n  gauze --output json snapshot verify /backup/care"
    )]
    Verify(Verify),
}

#[derive(Debug, Args)]
pub(crate) struct OfPeer {
    /// The channel.
    channel: String,
    /// The peer; one of the caller's organization when left out.
    #[arg(long, value_name = "NODE")]
    peer: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Create {
    #[command(flatten)]
    of: OfPeer,
    /// When this block is committed, instead of now.
    #[arg(long, value_name = "BLOCK")]
    at: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct Cancel {
    #[command(flatten)]
    of: OfPeer,
    /// The block.
    block: u64,
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The folder of the snapshot.
    directory: PathBuf,
}

pub(crate) async fn run(command: Command, globals: &Globals) -> Result<()> {
    match command {
        Command::Create(flags) => create(&Context::load(globals)?, &flags).await,
        Command::List(flags) => list(&Context::load(globals)?, &flags).await,
        Command::Cancel(flags) => cancel(&Context::load(globals)?, &flags).await,
        Command::Verify(flags) => verify(&flags.directory, globals).await,
    }
}

/// The peer, as an admin of its organization.
async fn connect<'a>(context: &'a Context, of: &OfPeer) -> Result<(&'a Node, Peer)> {
    let node = match &of.peer {
        Some(name) => context.inventory.node(name)?,
        None => first_peer(context, &of.channel)?,
    };
    let peer = context.peer(node, &context.actor_of(&node.organization)).await?;
    Ok((node, peer))
}

/// Where a peer puts the snapshots of a channel.
fn completed(context: &Context, node: &Node, channel: &str) -> PathBuf {
    context.layout.data(&node.name).join("snapshots").join("completed").join(channel)
}

async fn create(context: &Context, flags: &Create) -> Result<()> {
    let channel = flags.of.channel.as_str();
    let (node, peer) = connect(context, &flags.of).await?;
    let what = || format!("snapshot of {channel} on {}", node.name);
    let step = context.progress.step(what());
    let newest = peer.chain_info(channel).await.explain(what)?.height.saturating_sub(1);
    peer.request_snapshot(channel, flags.at.unwrap_or(0)).await.explain(what)?;
    if let Some(block) = flags.at.filter(|block| *block > newest) {
        step.done(format!("when block {block} is committed"));
        let json =
            json!({ "channel": channel, "peer": node.name, "block": block, "pending": true });
        context
            .output
            .show(json, || format!("Block {block} of {channel} will be kept by {}.", node.name));
        return Ok(());
    }
    let folder = completed(context, node, channel);
    let (block, place) = until_made(&peer, channel, newest, &folder, &what).await?;
    step.done(format!("block {block}"));
    let found = open(&place)?;
    context.output.show(summary(&found, &node.name), || text(&found));
    Ok(())
}

/// Waits for the snapshot of block `newest` or of one that came just after it.
async fn until_made(
    peer: &Peer,
    channel: &str,
    newest: u64,
    folder: &Path,
    what: &impl Fn() -> String,
) -> Result<(u64, PathBuf)> {
    let begin = Instant::now();
    loop {
        let pending = peer.pending_snapshots(channel).await.explain(what)?;
        let height = peer.chain_info(channel).await.explain(what)?.height;
        if !pending.iter().any(|block| (newest..height).contains(block)) {
            break;
        }
        tokio::time::sleep(ASK_AGAIN.max(begin.elapsed() / 20)).await;
    }
    let found = blocks(folder).into_iter().find(|block| *block >= newest);
    let block = found.ok_or_else(|| {
        Failure::new(Exit::Failed, what())
            .because("the peer could not write it; its log says why")
            .next(format!("gauze network logs --follow, and look into {}", folder.display()))
    })?;
    Ok((block, folder.join(block.to_string())))
}

/// The blocks with a complete snapshot, ascending.
fn blocks(folder: &Path) -> Vec<u64> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut blocks: Vec<u64> =
        entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    blocks.sort_unstable();
    blocks
}

pub(crate) fn open(directory: &Path) -> Result<Snapshot> {
    Snapshot::open(directory, &SnapshotConfig::default())
        .map_err(|error| refused(directory, &error))
}

fn refused(directory: &Path, error: &ledger::snapshot::Error) -> Failure {
    let what = format!("{} is not a sound snapshot", directory.display());
    let mut why = error.to_string();
    if let Some(cause) = std::error::Error::source(error) {
        why = format!("{why}: {cause}");
    }
    Failure::new(Exit::Failed, what).because(why).next("gauze snapshot create CHANNEL")
}

fn summary(snapshot: &Snapshot, peer: &str) -> Value {
    let metadata = snapshot.metadata();
    json!({
        "channel": metadata.channel_name, "block": metadata.last_block_number, "peer": peer,
        "blockHash": metadata.last_block_hash, "hash": snapshot.hash(),
        "commitHash": snapshot.commit_hash().map(hex::encode), "directory": snapshot.dir(),
    })
}

fn text(snapshot: &Snapshot) -> String {
    let metadata = snapshot.metadata();
    let commit_hash = snapshot.commit_hash().map(hex::encode).unwrap_or_default();
    format!(
        "{} at block {}\n  snapshot hash  {}\n  block hash     {}\n  commit hash    {commit_hash}\n  \
         folder         {}",
        bold(&metadata.channel_name),
        metadata.last_block_number,
        snapshot.hash(),
        metadata.last_block_hash,
        snapshot.dir().display()
    )
}

async fn list(context: &Context, flags: &OfPeer) -> Result<()> {
    let channel = flags.channel.as_str();
    let (node, peer) = connect(context, flags).await?;
    let what = || format!("snapshots of {channel} on {}", node.name);
    let pending = peer.pending_snapshots(channel).await.explain(what)?;
    let folder = completed(context, node, channel);
    let made: Vec<Snapshot> = blocks(&folder)
        .iter()
        .map(|block| open(&folder.join(block.to_string())))
        .collect::<Result<_>>()?;
    let json = json!({
        "channel": channel, "peer": node.name, "pending": pending,
        "snapshots": made.iter().map(|it| summary(it, &node.name)).collect::<Vec<_>>(),
    });
    context.output.show(json, || {
        let row = |it: &Snapshot| {
            let folder = it.dir().display().to_string();
            vec![it.last_block().to_string(), short(it.hash()).to_owned(), folder]
        };
        let mut rows: Vec<_> = made.iter().map(row).collect();
        rows.extend(pending.iter().map(|block| vec![block.to_string(), "to come".to_owned()]));
        table(&["BLOCK", "HASH", "FOLDER"], &rows)
    });
    Ok(())
}

async fn cancel(context: &Context, flags: &Cancel) -> Result<()> {
    let (channel, block) = (flags.of.channel.as_str(), flags.block);
    let (node, peer) = connect(context, &flags.of).await?;
    let what = || format!("cancel the snapshot of {channel} at block {block} on {}", node.name);
    peer.cancel_snapshot(channel, block).await.explain(what)?;
    let json = json!({ "channel": channel, "peer": node.name, "block": block });
    context.output.show(json, || format!("Block {block} of {channel} will not be kept."));
    Ok(())
}

async fn verify(directory: &Path, globals: &Globals) -> Result<()> {
    let step = globals.progress().step(format!("Check {}", directory.display()));
    let (snapshot, contents) = check(directory, &step).await?;
    step.done(format!("{} keys", contents.public_keys.values().sum::<u64>()));
    let mut json = summary(&snapshot, "");
    if let Some(fields) = json.as_object_mut() {
        fields.remove("peer");
        let private = contents.private_keys.iter();
        let private = private.map(|((namespace, collection), keys)| {
            json!({ "chaincode": namespace, "collection": collection, "keys": keys })
        });
        fields.insert("keys".into(), json!(contents.public_keys));
        fields.insert("privateHashes".into(), private.collect::<Vec<_>>().into());
        fields.insert("transactions".into(), contents.transactions.into());
        fields.insert("collectionConfigs".into(), contents.collection_configs.into());
    }
    globals.output().show(json, || text(&snapshot) + "\n" + &counts(&contents));
    Ok(())
}

/// Reads and checks all of a snapshot, showing how far it is.
pub(crate) async fn check(directory: &Path, step: &Step) -> Result<(Snapshot, Contents)> {
    let snapshot = open(directory)?;
    let directory = directory.to_owned();
    let (sender, mut receiver) = tokio::sync::watch::channel(("", 0));
    let checking = blocking(move || {
        let mut tell = |kind, records: u64| {
            if records.is_multiple_of(RECORDS_SHOWN) {
                sender.send_replace((kind, records));
            }
        };
        let contents = snapshot.verify(&mut tell).map_err(|error| refused(&directory, &error))?;
        Ok((snapshot, contents))
    });
    tokio::pin!(checking);
    loop {
        tokio::select! {
            checked = &mut checking => return checked,
            Ok(()) = receiver.changed() => {
                let (kind, records) = *receiver.borrow_and_update();
                step.detail(format!("{kind}, {records} records"));
            }
        }
    }
}

fn counts(contents: &Contents) -> String {
    let public = contents.public_keys.iter().map(|(namespace, keys)| {
        let name = if namespace.is_empty() { "(channel configuration)" } else { namespace };
        vec![name.to_owned(), keys.to_string()]
    });
    let private = contents.private_keys.iter().map(|((namespace, collection), keys)| {
        vec![format!("{namespace}/{collection}, hashes"), keys.to_string()]
    });
    let transactions = vec!["transaction ids".to_owned(), contents.transactions.to_string()];
    let rows: Vec<_> = public.chain(private).chain([transactions]).collect();
    table(&["CONTENTS", "COUNT"], &rows)
}
