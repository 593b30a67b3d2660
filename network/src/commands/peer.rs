//! `gauze peer`: what a running peer does with its channels.

use std::io::{BufRead, IsTerminal, Write};

use clap::{Args, Subcommand};
use client::admin::{ChannelState, ChannelStatus, Operation, Peer, Work};
use serde_json::{Value, json};

use crate::cli::Globals;
use crate::commands::channel::first_peer;
use crate::context::Context;
use crate::failure::{Exit, Explain, Failure, Result};
use crate::inventory::{Kind, Node};
use crate::output::{bold, table};
use crate::progress::Step;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// What the channels of the peers are doing.
    #[command(
        after_help = "Examples:\n  gauze peer status\n  gauze peer status care --output json\n  gauze peer status --peer peer0.hospital"
    )]
    Status(Status),
    /// Stop a channel on a peer and close its ledger, until it is resumed; also after a restart.
    #[command(after_help = "Examples:\n  gauze peer pause care --peer peer0.hospital")]
    Pause(Channel),
    /// Start a channel again that was paused, or has failed and was mended.
    #[command(after_help = "Examples:\n  gauze peer resume care --peer peer0.hospital")]
    Resume(Channel),
    /// Derive state, history and indexes of a channel from its blocks again.
    #[command(
        after_help = "Examples:\n  gauze peer rebuild care --peer peer0.hospital\n  gauze --as hospital peer rebuild care --yes"
    )]
    Rebuild(Destructive),
    /// Remove the blocks behind one from a peer; it fetches them again.
    #[command(
        after_help = "Examples:\n  gauze peer rollback care 120 --peer peer0.hospital      block 120 stays\n  gauze --as hospital peer rollback care 120 --yes"
    )]
    Rollback(Rollback),
    /// Remove all blocks but the first from a peer; it fetches them again.
    #[command(after_help = "Examples:\n  gauze peer reset care --peer peer0.hospital --yes")]
    Reset(Destructive),
    /// Remove a channel from a peer, with its private data.
    #[command(after_help = "Examples:\n  gauze peer unjoin care --peer peer0.hospital --yes")]
    Unjoin(Destructive),
}

#[derive(Debug, Args)]
pub(crate) struct Status {
    /// Only this channel.
    channel: Option<String>,
    /// Only this peer.
    #[arg(long, value_name = "NAME")]
    peer: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Channel {
    /// The channel.
    channel: String,
    /// The peer; the first one of the acting organization when left out.
    #[arg(long, value_name = "NAME")]
    peer: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Destructive {
    #[command(flatten)]
    at: Channel,
    /// Do not ask.
    #[arg(long, short)]
    yes: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Rollback {
    /// The channel.
    channel: String,
    /// The newest block that stays.
    block: u64,
    /// The peer; the first one of the acting organization when left out.
    #[arg(long, value_name = "NAME")]
    peer: Option<String>,
    /// Do not ask.
    #[arg(long, short)]
    yes: bool,
}

pub(crate) async fn run(command: Command, globals: &Globals) -> Result<()> {
    let context = Context::load(globals)?;
    let (at, operation, yes) = match command {
        Command::Status(flags) => return status(&context, &flags).await,
        Command::Pause(at) => (at, Operation::Pause, true),
        Command::Resume(at) => (at, Operation::Resume, true),
        Command::Rebuild(Destructive { at, yes }) => (at, Operation::Rebuild, yes),
        Command::Reset(Destructive { at, yes }) => (at, Operation::Reset, yes),
        Command::Unjoin(Destructive { at, yes }) => (at, Operation::Unjoin, yes),
        Command::Rollback(Rollback { channel, block, peer, yes }) => {
            (Channel { channel, peer }, Operation::Rollback(block), yes)
        }
    };
    operate(&context, &at, operation, yes).await
}

/// The peer that is named, or one of the acting organization.
fn node<'a>(context: &'a Context, at: &Channel) -> Result<&'a Node> {
    let Some(name) = &at.peer else { return first_peer(context, &at.channel) };
    let node = context.inventory.node(name)?;
    match node.kind {
        Kind::Peer => Ok(node),
        _ => Err(Failure::usage(format!("{name} is no peer")).next("gauze network ps")),
    }
}

async fn connect(context: &Context, node: &Node) -> Result<Peer> {
    context.peer(node, &context.administrator(&node.organization)).await
}

async fn operate(context: &Context, at: &Channel, operation: Operation, yes: bool) -> Result<()> {
    let node = node(context, at)?;
    let what = format!("{} channel {} on {}", operation.name(), at.channel, node.name);
    if !yes {
        confirm(&what, operation)?;
    }
    let peer = connect(context, node).await?;
    let step = context.progress.step(what.clone());
    let report = |work: &Work| tell(&step, work);
    let outcome = peer.operate(&at.channel, operation, report).await.explain(|| what)?;
    step.done(outcome.as_ref().map_or_else(|| "gone".to_owned(), in_words));
    let mut json =
        outcome.as_ref().map_or(json!({ "channel": at.channel, "state": "gone" }), to_json);
    json["peer"] = node.name.clone().into();
    context.output.show(json, || match &outcome {
        Some(status) => format!("{} on {}: {}", bold(&at.channel), node.name, in_words(status)),
        None => format!("{} is gone from {}", bold(&at.channel), node.name),
    });
    Ok(())
}

fn tell(step: &Step, work: &Work) {
    match work.total {
        0 => step.detail("waiting for requests to end"),
        total => step.measure(work.done, total),
    }
}

/// Asks before something is taken away.
fn confirm(what: &str, operation: Operation) -> Result<()> {
    let consequence = match operation {
        Operation::Unjoin => "the peer's copy of the ledger and its private data are deleted",
        Operation::Rebuild => "the channel is not served on this peer meanwhile",
        _ => "the blocks are fetched again; the channel is not served on this peer meanwhile",
    };
    let refused = || Failure::new(Exit::Usage, format!("{what}: not confirmed")).next("add --yes");
    if !std::io::stdin().is_terminal() {
        return Err(refused());
    }
    let mut stderr = std::io::stderr();
    let asked =
        write!(stderr, "{what}: {consequence}. Go on? [y/N] ").and_then(|()| stderr.flush());
    asked.explain(|| "ask".to_owned())?;
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).explain(|| "read the answer".to_owned())?;
    match line.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(refused()),
    }
}

async fn status(context: &Context, flags: &Status) -> Result<()> {
    context.require_nodes()?;
    let channel = flags.channel.clone().unwrap_or_default();
    let mut rows = Vec::new();
    let wanted = |node: &&Node| flags.peer.as_ref().is_none_or(|name| *name == node.name);
    for node in context.inventory.of_kind(Kind::Peer).filter(wanted) {
        let told = match connect(context, node).await {
            Ok(peer) => {
                let what = || format!("status of {}", node.name);
                peer.channel_statuses(&channel).await.explain(what)
            }
            Err(failure) => Err(failure),
        };
        rows.push((node.name.clone(), told));
    }
    if rows.is_empty() {
        let name = flags.peer.clone().unwrap_or_default();
        return Err(
            Failure::not_found(format!("there is no peer `{name}`")).next("gauze network ps")
        );
    }
    let json = rows.iter().map(|(node, told)| match told {
        Ok(channels) => {
            json!({ "peer": node, "channels": channels.iter().map(to_json).collect::<Vec<_>>() })
        }
        Err(failure) => json!({ "peer": node, "error": failure.to_json()["error"] }),
    });
    context
        .output
        .show(json.collect(), || table(&["PEER", "CHANNEL", "HEIGHT", "STATE"], &lines(&rows)));
    Ok(())
}

fn lines(rows: &[(String, Result<Vec<ChannelStatus>>)]) -> Vec<Vec<String>> {
    let mut lines = Vec::new();
    for (node, told) in rows {
        match told {
            Ok(channels) => lines.extend(channels.iter().map(|status| {
                let height = status.height.to_string();
                vec![node.clone(), status.channel.clone(), height, in_words(status)]
            })),
            Err(failure) => {
                let why = failure.why.clone().unwrap_or_else(|| failure.what.clone());
                lines.push(vec![node.clone(), "-".into(), "-".into(), why]);
            }
        }
    }
    lines
}

fn state_name(status: &ChannelStatus) -> &'static str {
    match status.state() {
        ChannelState::Running => "running",
        ChannelState::Paused => "paused",
        ChannelState::Rebuilding => "rebuilding",
        ChannelState::Failed => "failed",
    }
}

fn in_words(status: &ChannelStatus) -> String {
    match (&status.work, status.to_regain) {
        (Some(work), _) => format!("{}, {} of {}", work.operation, work.done, work.total),
        (None, 0) if status.reason.is_empty() => state_name(status).to_owned(),
        (None, 0) => format!("{}: {}", state_name(status), status.reason),
        (None, to_regain) => {
            format!("{}, {} of {to_regain} blocks", state_name(status), status.height)
        }
    }
}

fn to_json(status: &ChannelStatus) -> Value {
    let work = status
        .work
        .as_ref()
        .map(|work| json!({ "operation": work.operation, "done": work.done, "total": work.total }));
    json!({
        "channel": status.channel, "state": state_name(status), "height": status.height,
        "reason": Some(&status.reason).filter(|reason| !reason.is_empty()),
        "work": work,
        "toRegain": Some(status.to_regain).filter(|height| *height > 0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(status: ChannelStatus, words: &str) {
        assert_eq!(in_words(&status), words);
    }

    #[test]
    fn states_are_told_in_words() {
        let status = |state: ChannelState| ChannelStatus {
            state: state.into(),
            height: 3,
            ..ChannelStatus::default()
        };
        check(status(ChannelState::Paused), "paused");
        let failed = ChannelStatus { reason: "disk full".into(), ..status(ChannelState::Failed) };
        check(failed, "failed: disk full");
        let behind = ChannelStatus { to_regain: 9, ..status(ChannelState::Running) };
        check(behind, "running, 3 of 9 blocks");
        let work = Some(Work { operation: "rebuild".into(), done: 1, total: 2 });
        check(ChannelStatus { work, ..status(ChannelState::Rebuilding) }, "rebuild, 1 of 2");
    }
}
