//! From a description to a running network, in steps that each leave alone what is done already.

mod chaincode;
mod channels;
mod start;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures::future::try_join_all;

pub(crate) use chaincode::{
    COMMIT_WITHIN, Deployed, connect_orderers, connect_peers, definition, deploy, label, package,
};
pub(crate) use start::{healthy, stop_all};

use crate::context::Context;
use crate::failure::Result;
use crate::inventory::Kind;
use crate::{artifacts, genesis, identities, nodes};

/// What `up` did.
#[derive(Debug)]
pub(crate) struct Summary {
    pub(crate) took: Duration,
    pub(crate) started: usize,
    pub(crate) deployed: Vec<Deployed>,
}

/// Brings everything in `gauze.toml` about; with `nodes_only`, nodes but no channels and chaincode.
pub(crate) async fn up(context: &mut Context, nodes_only: bool) -> Result<Summary> {
    let begin = Instant::now();
    let changed = plan(context)?;
    let context = &*context;
    build(context).await?;
    // A node that runs under another configuration is started anew.
    start::stop(context, |node| changed.contains(&node.name)).await;
    if nodes_only {
        let started = start_nodes(context).await?;
        return Ok(Summary { took: begin.elapsed(), started, deployed: Vec::new() });
    }
    // Compiling chaincode and starting nodes do not need each other.
    let (started, prepared) =
        tokio::try_join!(nodes_and_channels(context), chaincode::prepare(context))?;
    let all = context.topology.channels.iter().flat_map(|(channel, described)| {
        let prepared = &prepared;
        described.chaincode.keys().map(move |name| deploy(context, channel, name, false, prepared))
    });
    let deployed = try_join_all(all).await?;
    Ok(Summary { took: begin.elapsed(), started, deployed })
}

async fn nodes_and_channels(context: &Context) -> Result<usize> {
    let started = start_nodes(context).await?;
    let names = context.topology.channels.keys();
    try_join_all(names.map(|name| channels::join(context, name))).await?;
    Ok(started)
}

async fn start_nodes(context: &Context) -> Result<usize> {
    let mut started = start::all(context, Kind::Ca, "Start certificate authorities").await?;
    identities::ensure(context).await?;
    let names = || context.topology.channels.keys();
    let step = context.progress.step("Make genesis blocks");
    for name in names() {
        genesis::ensure(context, name)?;
    }
    step.done(list(names()));
    started += start::all(context, Kind::Orderer, "Start orderers").await?;
    started += start::all(context, Kind::Peer, "Start peers").await?;
    Ok(started)
}

async fn build(context: &Context) -> Result<()> {
    let step = context.progress.step("Build the programs of the nodes");
    let kinds = context.inventory.nodes.iter().map(|node| node.kind).collect();
    let built = blocking(move || artifacts::build_programs(&kinds)).await?;
    step.done(if built { "" } else { "found beside this program" });
    Ok(())
}

/// Gives every node a name and ports, and writes them down; returns the nodes whose configuration
/// is new.
fn plan(context: &mut Context) -> Result<BTreeSet<String>> {
    let step = context.progress.step("Assign ports");
    let before = context.inventory.clone();
    context.inventory.extend(&context.topology)?;
    if context.inventory != before {
        context.inventory.store(&context.layout.inventory())?;
    }
    let mut changed = BTreeSet::new();
    for node in &context.inventory.nodes {
        if nodes::write(&context.topology, &context.layout, node)? {
            changed.insert(node.name.clone());
        }
    }
    step.done(format!("{} nodes", context.inventory.nodes.len()));
    Ok(changed)
}

/// Runs work that blocks (a compiler) without holding up the spinner.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(crate::failure::Failure::new(
            crate::failure::Exit::Failed,
            "an unexpected failure inside gauze",
        )
        .because(error)),
    }
}

fn list<'a>(names: impl Iterator<Item = &'a String>) -> String {
    names.cloned().collect::<Vec<_>>().join(", ")
}
