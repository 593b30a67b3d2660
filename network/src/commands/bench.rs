//! `gauze bench`: measure this machine.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use clap::{Args, Subcommand};
use serde_json::json;

use crate::bench::{Outcome, Shape, stage_rows};
use crate::cli::Globals;
use crate::failure::{Explain, Failure, Result};
use crate::output::{bold, table};
use crate::progress::Step;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// How fast a peer on this machine follows a channel.
    ///
    /// Generates a chain with real keys, replays it through the verification, validation and commit
    /// of a peer, and compares that with verifying the same signatures and nothing else. Build with
    /// `--release` for numbers that mean something, and leave the machine alone meanwhile.
    #[command(
        after_help = "Examples:\n  gauze bench ledger                                       the table of docs/benchmark.md, some minutes\n  gauze bench ledger --transactions 5000                   a quick look\n  gauze bench ledger --endorsements 2 --block-size 500     one row\n  gauze bench ledger --keys 10000 --conflicts 0.05         keys are written again, 5 % in vain\n  gauze bench ledger --dir /data/bench --output json       on a certain disk, for a program"
    )]
    Ledger(Ledger),
}

#[derive(Debug, Args)]
pub(crate) struct Ledger {
    /// Transactions of each chain.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..))]
    transactions: u64,
    /// Endorsements of a transaction; several are measured one after the other.
    #[arg(long, value_delimiter = ',', default_value = "1,2,3", value_name = "N,…")]
    endorsements: Vec<usize>,
    /// Transactions in a block; several are measured one after the other.
    #[arg(long, value_delimiter = ',', default_value = "10,100,500", value_name = "N,…")]
    block_size: Vec<u64>,
    /// Bytes of the value a transaction writes.
    #[arg(long, default_value_t = 100)]
    value_bytes: usize,
    /// Keys that are written in turn. Each transaction has a key of its own when left out.
    #[arg(long)]
    keys: Option<u64>,
    /// Share of the transactions, from 0 to 1, that have read something outdated.
    #[arg(long, default_value_t = 0.0, value_parser = share)]
    conflicts: f64,
    /// Transactions that are replayed before, without being counted.
    #[arg(long, default_value_t = 2_000)]
    warm_up: u64,
    /// Where chains are kept for the next time, and the ledger grows. A folder in the system's
    /// place for temporary files, removed afterwards, when left out.
    #[arg(long)]
    dir: Option<PathBuf>,
}

fn share(text: &str) -> std::result::Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| "expected a number".to_owned())?;
    if (0.0..1.0).contains(&share) { Ok(share) } else { Err("expected 0 to 1".to_owned()) }
}

pub(crate) async fn run(command: Command, globals: &Globals) -> Result<()> {
    match command {
        Command::Ledger(flags) => ledger(&flags, globals).await,
    }
}

async fn ledger(flags: &Ledger, globals: &Globals) -> Result<()> {
    let temporary = std::env::temp_dir().join(format!("gauze-bench-{}", std::process::id()));
    let dir = flags.dir.clone().unwrap_or_else(|| temporary.clone());
    let outcomes = measure(flags, &dir, globals).await;
    if flags.dir.is_none() && temporary.exists() {
        let removed = std::fs::remove_dir_all(&temporary);
        removed.explain(|| format!("remove {}", temporary.display()))?;
    }
    show(&outcomes?, globals);
    Ok(())
}

async fn measure(flags: &Ledger, dir: &std::path::Path, globals: &Globals) -> Result<Vec<Outcome>> {
    if flags.warm_up > 0 {
        let shape = Shape { transactions: flags.warm_up, ..flags.shape(1, 100) };
        one(&shape, "warm up", dir, globals).await?;
    }
    let mut outcomes = Vec::new();
    for &endorsements in &flags.endorsements {
        for &block_size in &flags.block_size {
            let shape = flags.shape(endorsements, block_size);
            let title = format!("{endorsements} endorsements, {block_size} in a block");
            outcomes.push(one(&shape, &title, dir, globals).await?);
        }
    }
    Ok(outcomes)
}

impl Ledger {
    fn shape(&self, endorsements: usize, block_size: u64) -> Shape {
        Shape {
            transactions: self.transactions,
            endorsements,
            block_size,
            value_bytes: self.value_bytes,
            keys: self.keys.unwrap_or(self.transactions.max(block_size)),
            conflicts: self.conflicts,
        }
    }
}

async fn one(
    shape: &Shape,
    title: &str,
    dir: &std::path::Path,
    globals: &Globals,
) -> Result<Outcome> {
    let step = globals.progress().step(title);
    let outcome = crate::bench::run(shape, dir, &percent(&step)).await;
    let outcome = outcome.map_err(|error| {
        let what = format!("measure {title}");
        Failure::new(crate::failure::Exit::Failed, what).because(format!("{error:#}"))
    })?;
    let note = format!("{:.0} tx/s, {:.2} of the limit", outcome.rate(), outcome.ratio());
    step.done(note);
    Ok(outcome)
}

/// Shows how far something is, with a bar, whenever it has moved by a percent.
fn percent(step: &Step) -> impl Fn(&str, u64, u64) + Sync + '_ {
    let shown = AtomicU64::new(u64::MAX);
    move |what, done, all| {
        let percent = 100 * done / all.max(1);
        if shown.swap(percent, Ordering::Relaxed) != percent {
            let filled = usize::try_from(percent / 5).unwrap_or(20).min(20);
            let bar = format!("{}{}", "━".repeat(filled), "╌".repeat(20 - filled));
            step.detail(format!("{what} {bar} {percent} %"));
        }
    }
}

fn show(outcomes: &[Outcome], globals: &Globals) {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let release = !cfg!(debug_assertions);
    let json = json!({
        "cores": cores,
        "optimized": release,
        "results": outcomes.iter().map(Outcome::to_json).collect::<Vec<_>>(),
    });
    globals.output().show(json, || text(outcomes, cores, release));
}

fn text(outcomes: &[Outcome], cores: usize, release: bool) -> String {
    let headings = [
        "ENDORSEMENTS",
        "BLOCK",
        "TX/S",
        "LIMIT TX/S",
        "RATIO",
        "CPU µs/TX",
        "LIMIT µs/TX",
        "CPU RATIO",
    ];
    let row = |outcome: &Outcome| {
        vec![
            outcome.shape.endorsements.to_string(),
            outcome.shape.block_size.to_string(),
            format!("{:.0}", outcome.rate()),
            format!("{:.0}", outcome.limit_rate()),
            format!("{:.2}", outcome.ratio()),
            format!("{:.1}", outcome.cpu()),
            format!("{:.1}", outcome.limit_cpu()),
            format!("{:.2}", outcome.cpu_ratio()),
        ]
    };
    let rows: Vec<_> = outcomes.iter().map(row).collect();
    let mut text = format!("{cores} cores\n{}\n", table(&headings, &rows));
    if !release {
        text.push_str("\nThis build is not optimized; build with --release.\n");
    }
    for outcome in outcomes {
        let (endorsements, size) = (outcome.shape.endorsements, outcome.shape.block_size);
        let title = bold(format!("{endorsements} endorsements, {size} in a block"));
        let parts = table(&["PART", "CPU µs/TX", "SHARE"], &stage_rows(outcome));
        text.push_str(&format!("\n{title}\n{parts}\n"));
    }
    text
}
