//! `gauze chaincode`: build, deploy and call chaincode.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use client::admin::{Definition, Parties};
use futures::future::try_join_all;
use serde_json::{Value, json};

use crate::artifacts;
use crate::cli::Globals;
use crate::context::{Context, admin_of};
use crate::failure::{Exit, Explain, Failure, Result};
use crate::output::{bold, faint, payload, payload_json, short, table};
use crate::topology::Chaincode;
use crate::up::{self, blocking};

mod lifecycle;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Compile a chaincode to a WebAssembly module.
    #[command(after_help = "Examples:\n  gauze chaincode build ehr")]
    Build(Name),
    /// Compile and package a chaincode; prints the package id organizations approve.
    #[command(
        after_help = "Examples:\n  gauze chaincode package ehr\n  gauze chaincode package rx --to rx.tar.gz"
    )]
    Package(Package),
    /// Install the package on the peers of an organization (of all members without --org).
    #[command(
        after_help = "Examples:\n  gauze chaincode install ehr\n  gauze chaincode install ehr --org hospital"
    )]
    Install(PerOrg),
    /// Approve the definition in the name of an organization (of all members without --org).
    #[command(
        after_help = "Examples:\n  gauze chaincode approve ehr --org hospital\n  gauze chaincode approve ehr --sequence 2"
    )]
    Approve(PerOrg),
    /// Commit a definition that enough organizations have approved.
    #[command(
        after_help = "Examples:\n  gauze chaincode commit ehr\n  gauze chaincode commit ehr --sequence 2"
    )]
    Commit(Commit),
    /// Package, install, approve by every member, and commit, as far as something has changed.
    #[command(
        after_help = "Examples:\n  gauze chaincode deploy ehr       after changing its source: the next sequence"
    )]
    Deploy(Name),
    /// List committed chaincode and who has approved it.
    #[command(
        after_help = "Examples:\n  gauze chaincode list\n  gauze chaincode list --channel care --output json"
    )]
    List(List),
    /// Run a transaction: endorse, order, wait for the block.
    #[command(
        after_help = "Examples:\n  gauze --as hospital/registrar chaincode invoke ehr RegisterPatient 0f… 9a… Europe/Oslo\n  gauze chaincode invoke rx Ship '{…}' --transient price=@price.json"
    )]
    Invoke(Call),
    /// Ask a question; nothing is written.
    #[command(
        after_help = "Examples:\n  gauze chaincode query ehr GetPatient 0f…\n  gauze --as pharmacy chaincode query rx Verify '{…}'"
    )]
    Query(Call),
}

/// A chaincode of `gauze.toml`.
#[derive(Debug, Args)]
pub(crate) struct Name {
    /// The chaincode.
    name: String,
    /// The channel, when several have it.
    #[arg(long)]
    channel: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Package {
    #[command(flatten)]
    name: Name,
    /// Also write the package here.
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct PerOrg {
    #[command(flatten)]
    name: Name,
    /// Only this organization.
    #[arg(long)]
    org: Option<String>,
    /// The definition's sequence; the next one when left out.
    #[arg(long)]
    sequence: Option<i64>,
}

#[derive(Debug, Args)]
pub(crate) struct Commit {
    #[command(flatten)]
    name: Name,
    /// The definition's sequence; the next one when left out.
    #[arg(long)]
    sequence: Option<i64>,
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only this channel.
    #[arg(long)]
    channel: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Call {
    /// The chaincode.
    name: String,
    /// The function.
    function: String,
    /// Its arguments; put `--` before those that begin with a dash.
    arguments: Vec<String>,
    /// The channel, when several have it.
    #[arg(long)]
    channel: Option<String>,
    /// Data for the endorsers only, as NAME=TEXT or NAME=@FILE.
    #[arg(long, value_name = "NAME=VALUE", value_parser = transient)]
    transient: Vec<(String, String)>,
    /// Organizations that run it, instead of those the gateway chooses.
    #[arg(long, value_name = "ORG", value_delimiter = ',')]
    orgs: Vec<String>,
    /// The call that initializes the chaincode.
    #[arg(long)]
    init: bool,
}

fn transient(text: &str) -> std::result::Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=TEXT or NAME=@FILE".to_owned()),
    }
}

pub(crate) async fn run(command: Command, globals: &Globals) -> Result<()> {
    let context = Context::load(globals)?;
    match command {
        Command::Build(name) => build(&context, &name).await,
        Command::Package(flags) => package(&context, &flags).await,
        Command::Install(flags) => lifecycle::install(&context, &flags).await,
        Command::Approve(flags) => lifecycle::approve(&context, &flags).await,
        Command::Commit(flags) => lifecycle::commit(&context, &flags).await,
        Command::Deploy(name) => deploy(&context, &name).await,
        Command::List(flags) => list(&context, &flags).await,
        Command::Invoke(call) => invoke(&context, &call).await,
        Command::Query(call) => query(&context, &call).await,
    }
}

/// Channel and description of a chaincode named on the command line.
fn find<'a>(context: &'a Context, name: &Name) -> Result<(&'a str, &'a Chaincode)> {
    context.topology.chaincode(&name.name, name.channel.as_deref())
}

async fn build(context: &Context, name: &Name) -> Result<()> {
    let (_, described) = find(context, name)?;
    let step = context.progress.step(format!("Compile {}", name.name));
    let source = artifacts::resolve(&context.folder, &described.source)?;
    let module = blocking(move || artifacts::compile(&source)).await?;
    let bytes = std::fs::metadata(&module).map(|metadata| metadata.len()).unwrap_or(0);
    step.done("");
    let json = json!({ "module": module, "bytes": bytes });
    context.output.show(json, || format!("{} ({} KB)", module.display(), bytes >> 10));
    Ok(())
}

/// Packages and returns package id and bytes.
async fn packaged(context: &Context, name: &Name) -> Result<(String, bytes::Bytes)> {
    let (_, described) = find(context, name)?;
    let step = context.progress.step(format!("Package {}", name.name));
    let bytes = up::package(context, &name.name, described).await?;
    let id = runtime::package::package_id(&up::label(&name.name, described), &bytes);
    step.done("");
    Ok((id, bytes))
}

async fn package(context: &Context, flags: &Package) -> Result<()> {
    let (id, bytes) = packaged(context, &flags.name).await?;
    let (_, described) = find(context, &flags.name)?;
    let kept = context.layout.package(&up::label(&flags.name.name, described));
    if let Some(path) = &flags.to {
        std::fs::write(path, &bytes).explain(|| format!("write {}", path.display()))?;
    }
    let file = flags.to.as_ref().unwrap_or(&kept);
    let json = json!({ "packageId": id, "file": file, "bytes": bytes.len() });
    context.output.show(json, || format!("{id}\n{} ({} KB)", file.display(), bytes.len() >> 10));
    Ok(())
}

async fn deploy(context: &Context, name: &Name) -> Result<()> {
    let (channel, _) = find(context, name)?;
    let done = up::deploy(context, channel, &name.name, true, &BTreeSet::new()).await?;
    let json = json!({
        "channel": done.channel, "chaincode": done.name, "sequence": done.sequence,
        "packageId": done.package_id, "block": done.block,
    });
    context.output.show(json, || match done.block {
        Some(block) => format!(
            "{} on {} is at sequence {} (block {block}).",
            bold(&done.name),
            done.channel,
            done.sequence
        ),
        None => format!("Nothing to do: sequence {} is what you have.", done.sequence),
    });
    Ok(())
}

async fn list(context: &Context, flags: &List) -> Result<()> {
    let mut rows = Vec::new();
    for channel in context.topology.channels.keys() {
        if flags.channel.as_ref().is_some_and(|wanted| wanted != channel) {
            continue;
        }
        let node = super::channel::first_peer(context, channel)?;
        let peer = context.peer(node, &context.actor(channel)?).await?;
        let what = || format!("list the chaincode of channel {channel}");
        for found in peer.committed_all(channel).await.explain(what)? {
            let approval = peer.committed(channel, &found.name).await.explain(what)?;
            let organizations = approval.map(|approval| approval.organizations).unwrap_or_default();
            rows.push((channel.clone(), found, organizations));
        }
    }
    if let Some(wanted) = &flags.channel {
        context.topology.channel(wanted)?;
    }
    let json = rows.iter().map(|(channel, found, organizations)| {
        json!({
            "channel": channel, "chaincode": found.name, "version": found.version,
            "sequence": found.sequence, "initRequired": found.init_required,
            "approvals": organizations,
        })
    });
    context.output.show(Value::from(json.collect::<Vec<_>>()), || {
        let row = |(channel, found, organizations): &(
            String,
            Definition,
            std::collections::BTreeMap<String, bool>,
        )| {
            let approved = organizations.iter().filter(|(_, approved)| **approved);
            vec![
                channel.clone(),
                found.name.clone(),
                found.version.clone(),
                found.sequence.to_string(),
                approved.map(|(id, _)| id.clone()).collect::<Vec<_>>().join(", "),
            ]
        };
        let headings = ["CHANNEL", "CHAINCODE", "VERSION", "SEQUENCE", "APPROVED BY"];
        table(&headings, &rows.iter().map(row).collect::<Vec<_>>())
    });
    Ok(())
}

async fn prepare(context: &Context, call: &Call) -> Result<(String, client::Call)> {
    // A chaincode that `gauze.toml` does not have may still be on the channel.
    let channel = match &call.channel {
        Some(channel) => channel.clone(),
        None => context.topology.chaincode(&call.name, None)?.0.to_owned(),
    };
    let actor = context.actor(&channel)?;
    let gateway = context.gateway(&channel, &actor).await?;
    let contract = gateway.network(&channel).contract(&call.name);
    let mut prepared = contract.call(&call.function).args(&call.arguments);
    for (name, value) in &call.transient {
        let value = match value.strip_prefix('@') {
            Some(path) => std::fs::read(path).explain(|| format!("read {path}"))?,
            None => value.clone().into_bytes(),
        };
        prepared = prepared.transient(name, value);
    }
    for organization in &call.orgs {
        prepared = prepared.organizations([&context.topology.organization(organization)?.msp_id]);
    }
    Ok((channel, if call.init { prepared.init() } else { prepared }))
}

async fn invoke(context: &Context, call: &Call) -> Result<()> {
    let (channel, prepared) = prepare(context, call).await?;
    let what = || format!("{}.{} on channel {channel} failed", call.name, call.function);
    let done = prepared.submit().await.explain(what)?;
    let json = json!({
        "txId": done.tx_id, "block": done.block, "code": done.code.as_str_name(),
        "result": payload_json(&done.result),
    });
    context.output.show(json, || {
        let note = faint(format!("tx {} in block {}", done.tx_id, done.block));
        match done.result.is_empty() {
            true => note,
            false => format!("{}\n{note}", payload(&done.result)),
        }
    });
    Ok(())
}

async fn query(context: &Context, call: &Call) -> Result<()> {
    let (channel, prepared) = prepare(context, call).await?;
    let what = || format!("{}.{} on channel {channel} failed", call.name, call.function);
    let answer = prepared.evaluate().await.explain(what)?;
    context.output.show(payload_json(&answer), || payload(&answer));
    Ok(())
}
