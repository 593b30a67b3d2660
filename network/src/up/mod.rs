//! From a description to a running network, in steps that each leave alone what is done already.

mod chaincode;
mod channels;
mod start;

use std::time::{Duration, Instant};

pub(crate) use chaincode::{
    COMMIT_WITHIN, Deployed, connect_orderers, connect_peers, deploy, label, validation_parameter,
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

/// Brings everything in `gauze.toml` about.
pub(crate) async fn up(context: &mut Context) -> Result<Summary> {
    let begin = Instant::now();
    build(context).await?;
    plan(context)?;
    let mut started = start::all(context, Kind::Ca, "Start certificate authorities").await?;
    identities::ensure(context).await?;
    let step = context.progress.step("Make genesis blocks");
    for name in context.topology.channels.keys() {
        genesis::ensure(context, name)?;
    }
    step.done(list(context.topology.channels.keys()));
    started += start::all(context, Kind::Orderer, "Start orderers").await?;
    started += start::all(context, Kind::Peer, "Start peers").await?;
    for name in context.topology.channels.keys() {
        channels::join(context, name).await?;
    }
    let mut deployed = Vec::new();
    for (channel, described) in &context.topology.channels {
        for name in described.chaincode.keys() {
            deployed.push(deploy(context, channel, name, false).await?);
        }
    }
    Ok(Summary { took: begin.elapsed(), started, deployed })
}

async fn build(context: &Context) -> Result<()> {
    let step = context.progress.step("Build the programs of the nodes");
    let built = blocking(artifacts::build_programs).await?;
    step.done(if built { "" } else { "found beside this program" });
    Ok(())
}

/// Gives every node a name and ports, and writes them down.
fn plan(context: &mut Context) -> Result<()> {
    let step = context.progress.step("Assign ports");
    let before = context.inventory.clone();
    context.inventory.extend(&context.topology)?;
    if context.inventory != before {
        context.inventory.store(&context.layout.inventory())?;
    }
    for node in &context.inventory.nodes {
        nodes::write(&context.topology, &context.layout, node)?;
    }
    step.done(format!("{} nodes", context.inventory.nodes.len()));
    Ok(())
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
