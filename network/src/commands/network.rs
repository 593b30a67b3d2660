//! `gauze network`: describe, start, stop and watch a network.

use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::time::Duration;

use clap::{Args, Subcommand};
use futures::future::join_all;
use serde_json::{Value, json};

use crate::cli::Globals;
use crate::context::{Context, admin_of};
use crate::failure::{Exit, Explain, Failure, Result};
use crate::inventory::{Inventory, Kind, Node};
use crate::layout::Layout;
use crate::output::{bold, faint, table};
use crate::process::{Process, tail};
use crate::progress::seconds;
use crate::topology::{SAMPLE, Topology};
use crate::up;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write a commented description of a network to start from.
    #[command(
        after_help = "Examples:\n  gauze network init\n  gauze --file lab/gauze.toml network init"
    )]
    Init(Init),
    /// Build and start what the description says; what runs already is left alone.
    #[command(
        after_help = "Examples:\n  gauze network up\n  gauze network up --nodes-only   start what is new, to join channels by hand\n  gauze network up --output json"
    )]
    Up(Up),
    /// Stop all nodes; ledgers and keys are kept.
    #[command(
        after_help = "Examples:\n  gauze network down\n  gauze network down --purge   also forget ledgers and keys"
    )]
    Down(Down),
    /// Show what runs where.
    #[command(after_help = "Examples:\n  gauze network ps\n  gauze network ps --output json")]
    Ps,
    /// Show what a node has logged.
    #[command(
        after_help = "Examples:\n  gauze network logs peer0.hospital\n  gauze network logs orderer0.orderer -n 200 --follow"
    )]
    Logs(Logs),
}

#[derive(Debug, Args)]
pub(crate) struct Init {
    /// Replace a description that exists.
    #[arg(long)]
    force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Up {
    /// Start nodes, but let them join no channel, and deploy nothing.
    #[arg(long)]
    nodes_only: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Down {
    /// Delete the state folder: ledgers, keys, certificates, logs.
    #[arg(long)]
    purge: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Logs {
    /// The node, such as `peer0.hospital`.
    node: String,
    /// How many lines.
    #[arg(long, short = 'n', default_value_t = 50)]
    lines: usize,
    /// Go on with what is logged from now on.
    #[arg(long)]
    follow: bool,
}

pub(crate) async fn run(command: Command, globals: &Globals) -> Result<()> {
    match command {
        Command::Init(flags) => init(&flags, globals),
        Command::Up(flags) => up(&flags, globals).await,
        Command::Down(flags) => down(&flags, globals).await,
        Command::Ps => ps(globals).await,
        Command::Logs(flags) => logs(&flags, globals).await,
    }
}

fn init(flags: &Init, globals: &Globals) -> Result<()> {
    write_sample(&globals.file, flags.force)?;
    let json = json!({ "file": globals.file });
    globals
        .output()
        .show(json, || format!("Wrote {}. Next: gauze network up", bold(globals.file.display())));
    Ok(())
}

/// Writes the sample description.
pub(crate) fn write_sample(file: &Path, force: bool) -> Result<()> {
    if file.exists() && !force {
        return Err(Failure::new(Exit::Conflict, format!("{} exists", file.display()))
            .next("gauze network up, or gauze network init --force to replace it"));
    }
    let what = || format!("write {}", file.display());
    if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).explain(what)?;
    }
    std::fs::write(file, SAMPLE).explain(what)
}

async fn up(flags: &Up, globals: &Globals) -> Result<()> {
    let mut context = Context::load(globals)?;
    let summary = up::up(&mut context, flags.nodes_only).await?;
    let deployed: Vec<Value> = summary
        .deployed
        .iter()
        .map(|chaincode| {
            json!({
                "channel": chaincode.channel, "chaincode": chaincode.name,
                "sequence": chaincode.sequence, "packageId": chaincode.package_id,
                "block": chaincode.block,
            })
        })
        .collect();
    let json = json!({
        "started": summary.started, "seconds": summary.took.as_secs_f64(),
        "chaincode": deployed, "state": context.layout.root(),
    });
    context.output.show(json, || {
        format!(
            "{} is up ({}).\nNext: gauze network ps, gauze chaincode list, gauze demo",
            bold(&context.topology.name),
            seconds(summary.took)
        )
    });
    Ok(())
}

async fn down(flags: &Down, globals: &Globals) -> Result<()> {
    let context = Context::load(globals)?;
    let step = context.progress.step("Stop nodes");
    let stopped = up::stop_all(&context).await;
    step.done(stopped.to_string());
    if flags.purge {
        let root = context.layout.root();
        // Only a folder this program made is deleted, whatever `state` says.
        if context.layout.inventory().exists() {
            std::fs::remove_dir_all(root).explain(|| format!("delete {}", root.display()))?;
        }
    }
    let json = json!({ "stopped": stopped, "purged": flags.purge });
    context.output.show(json, || match flags.purge {
        true => format!("Stopped {stopped} nodes; keys and ledgers are deleted."),
        false => format!("Stopped {stopped} nodes. Next: gauze network up"),
    });
    Ok(())
}

async fn ps(globals: &Globals) -> Result<()> {
    let context = Context::load(globals)?;
    context.require_nodes()?;
    let rows = join_all(context.inventory.nodes.iter().map(|node| status(&context, node))).await;
    let json = Value::from(rows.iter().map(Status::to_json).collect::<Vec<_>>());
    context.output.show(json, || {
        let headings = ["NODE", "ORG", "ROLE", "STATE", "PID", "PORT", "HEIGHT", "RSS"];
        table(&headings, &rows.iter().map(Status::row).collect::<Vec<_>>())
    });
    Ok(())
}

struct Status<'a> {
    node: &'a Node,
    process: Option<Process>,
    healthy: std::result::Result<(), String>,
    heights: BTreeMap<String, u64>,
}

async fn status<'a>(context: &Context, node: &'a Node) -> Status<'a> {
    let process = Process::find(&context.layout.process(&node.name));
    let healthy = match process {
        Some(_) => up::healthy(node).await,
        None => Err("stopped".to_owned()),
    };
    let heights = match healthy {
        Ok(()) => heights(context, node).await.unwrap_or_default(),
        Err(_) => BTreeMap::new(),
    };
    Status { node, process, healthy, heights }
}

/// How many blocks a node has, per channel.
async fn heights(context: &Context, node: &Node) -> Result<BTreeMap<String, u64>> {
    let what = || format!("ask {} for its channels", node.name);
    match node.kind {
        Kind::Ca => Ok(BTreeMap::new()),
        Kind::Orderer => {
            let participation = context.participation(node)?;
            let mut heights = BTreeMap::new();
            for listed in participation.list().await.explain(what)? {
                let info = participation.channel(&listed.name).await.explain(what)?;
                heights.insert(info.name, info.height);
            }
            Ok(heights)
        }
        Kind::Peer => {
            let peer = context.peer(node, &admin_of(&node.organization)).await?;
            let mut heights = BTreeMap::new();
            for channel in peer.channels().await.explain(what)? {
                let info = peer.chain_info(&channel).await.explain(what)?;
                heights.insert(channel, info.height);
            }
            Ok(heights)
        }
    }
}

impl Status<'_> {
    fn state(&self) -> &str {
        match (&self.process, &self.healthy) {
            (None, _) => "stopped",
            (Some(_), Ok(())) => "running",
            (Some(_), Err(_)) => "unhealthy",
        }
    }

    fn resident(&self) -> Option<u64> {
        self.process.and_then(|process| process.resident_bytes())
    }

    fn row(&self) -> Vec<String> {
        let style = match self.state() {
            "running" => console::Style::new().green(),
            "stopped" => console::Style::new().dim(),
            _ => console::Style::new().red(),
        };
        let heights = self.heights.iter().map(|(channel, height)| format!("{channel}:{height}"));
        vec![
            self.node.name.clone(),
            self.node.organization.clone(),
            self.node.kind.name().to_owned(),
            style.apply_to(self.state()).to_string(),
            self.process.map_or_else(String::new, |process| process.pid.to_string()),
            self.node.port.to_string(),
            heights.collect::<Vec<_>>().join(" "),
            self.resident().map_or_else(String::new, |bytes| format!("{} MB", bytes >> 20)),
        ]
    }

    fn to_json(&self) -> Value {
        json!({
            "node": self.node.name, "organization": self.node.organization,
            "role": self.node.kind.name(), "state": self.state(),
            "pid": self.process.map(|process| process.pid), "port": self.node.port,
            "operationsPort": self.node.operations_port, "adminPort": self.node.admin_port,
            "heights": self.heights, "residentBytes": self.resident(),
            "problem": self.healthy.as_ref().err(),
        })
    }
}

async fn logs(flags: &Logs, globals: &Globals) -> Result<()> {
    let topology = Topology::load(&globals.file)?;
    let file = std::path::absolute(&globals.file)
        .explain(|| format!("find {}", globals.file.display()))?;
    let folder = file.parent().map(Path::to_path_buf).unwrap_or_default();
    let layout = Layout::new(folder.join(&topology.state));
    let inventory = Inventory::load(&layout.inventory())?;
    let log = layout.log(&inventory.node(&flags.node)?.name);
    let output = globals.output();
    let text = tail(&log, flags.lines);
    output.show(json!({ "node": flags.node, "lines": text.lines().collect::<Vec<_>>() }), || {
        text.clone()
    });
    if !flags.follow {
        return Ok(());
    }
    let what = || format!("follow {}", log.display());
    let mut open = std::fs::File::open(&log).explain(what)?;
    open.seek(SeekFrom::End(0)).explain(what)?;
    loop {
        let mut more = Vec::new();
        open.read_to_end(&mut more).explain(what)?;
        if more.is_empty() {
            tokio::time::sleep(Duration::from_millis(200)).await;
        } else {
            output.say(faint(String::from_utf8_lossy(&more).trim_end()));
        }
    }
}
