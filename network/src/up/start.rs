//! Starting and stopping node processes.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::future::{join_all, try_join_all};

use crate::artifacts;
use crate::context::Context;
use crate::failure::{Exit, Failure, Result};
use crate::identities;
use crate::inventory::{Kind, Node};
use crate::process::{Process, tail};

/// A node that has not become healthy by then has failed.
const HEALTHY_WITHIN: Duration = Duration::from_secs(60);
/// A node asked to stop has this long before it is killed.
const GRACE: Duration = Duration::from_secs(12);

/// Starts the nodes of a kind that do not run, and waits until all are healthy.
pub(super) async fn all(context: &Context, kind: Kind, title: &str) -> Result<usize> {
    let nodes: Vec<&Node> = context.inventory.of_kind(kind).collect();
    if nodes.is_empty() {
        return Ok(0);
    }
    let step = context.progress.step(title);
    let program = artifacts::program(kind)?;
    let mut started = 0;
    for node in &nodes {
        if Process::find(&context.layout.process(&node.name)).is_some() {
            continue;
        }
        step.detail(node.name.as_str());
        refuse_busy_ports(node)?;
        let folder = context.layout.node(&node.name);
        let config = context.layout.config(&node.name);
        let environment = match kind {
            Kind::Ca => identities::bootstrap_environment(context, &node.organization)?,
            _ => Vec::new(),
        };
        let arguments = ["--config", &config.to_string_lossy()];
        let log = context.layout.log(&node.name);
        let note = context.layout.process(&node.name);
        Process::start(&program, &arguments, &environment, &folder, &log, &note)?;
        started += 1;
    }
    try_join_all(nodes.iter().map(|node| until_healthy(context, node))).await?;
    let running = nodes.len() - started;
    step.done(match (started, running) {
        (_, 0) => format!("{started}"),
        (0, _) => format!("{running} already running"),
        _ => format!("{started}, {running} already running"),
    });
    Ok(started)
}

fn refuse_busy_ports(node: &Node) -> Result<()> {
    let busy = node.busy_ports();
    if busy.is_empty() {
        return Ok(());
    }
    let ports: Vec<_> = busy.iter().map(ToString::to_string).collect();
    Err(Failure::new(Exit::Conflict, format!("{} cannot start", node.name))
        .because(format!("another program has taken port {}", ports.join(", ")))
        .next("stop that program, or `gauze network down --purge` and start over on other ports"))
}

async fn until_healthy(context: &Context, node: &Node) -> Result<()> {
    let begin = Instant::now();
    loop {
        let last = match healthy(node).await {
            Ok(()) => return Ok(()),
            Err(why) => why,
        };
        let log = context.layout.log(&node.name);
        if Process::find(&context.layout.process(&node.name)).is_none() {
            return Err(Failure::new(Exit::Failed, format!("{} ended while starting", node.name))
                .because(tail(&log, 8).replace('\n', "\n        "))
                .next(format!("gauze network logs {}", node.name)));
        }
        if begin.elapsed() > HEALTHY_WITHIN {
            return Err(Failure::new(Exit::Timeout, format!("{} is not healthy", node.name))
                .because(last)
                .next(format!("gauze network logs {}", node.name)));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Asks a node's operations endpoint how it is.
pub(crate) async fn healthy(node: &Node) -> std::result::Result<(), String> {
    let address = format!("127.0.0.1:{}", node.operations_port);
    let request = http::Request::builder().uri("/healthz").body(Bytes::new());
    let request = request.map_err(|error| error.to_string())?;
    let sending = node::http::send(&address, None, request);
    let answer = tokio::time::timeout(Duration::from_secs(3), sending).await;
    let answer = answer.map_err(|_| "no answer from its operations endpoint".to_owned())?;
    let answer = answer.map_err(|error| error.to_string())?;
    if answer.status().is_success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(answer.body()).into_owned())
}

/// Stops every running node, peers first; returns how many there were.
pub(crate) async fn stop_all(context: &Context) -> usize {
    stop(context, |_| true).await
}

/// Stops the running nodes that are `meant`.
pub(super) async fn stop(context: &Context, meant: impl Fn(&Node) -> bool) -> usize {
    let mut stopped = 0;
    for kind in [Kind::Peer, Kind::Orderer, Kind::Ca] {
        let nodes = context.inventory.of_kind(kind).filter(|node| meant(node));
        let running = nodes.filter_map(|node| {
            let note = context.layout.process(&node.name);
            Process::find(&note).map(|process| (process, note))
        });
        let stopping = running.map(|(process, note)| async move {
            process.stop(GRACE).await;
            let _ = std::fs::remove_file(note);
        });
        stopped += join_all(stopping).await.len();
    }
    stopped
}
