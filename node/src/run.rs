//! The main function of every service: flags, configuration, telemetry, run, drain.

use std::future::Future;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::{Arg, ArgAction, ArgMatches, Command};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::signal::unix::{SignalKind, signal};

use crate::operations::{Health, Operations};
use crate::tasks::Tasks;
use crate::{config, metrics, telemetry};

/// Tasks have this long to finish after SIGTERM or SIGINT.
pub const GRACE: Duration = Duration::from_secs(10);

/// What a binary says about itself.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// The name of the binary, as typed.
    pub name: &'static str,
    /// One line for `--help`.
    pub about: &'static str,
    /// The version for `--version` and `/version`.
    pub version: &'static str,
    /// Environment variables `<PREFIX>_A__B` set `a.b`.
    pub environment_prefix: &'static str,
    /// The commented sample configuration that `--sample` prints.
    pub sample: &'static str,
}

/// What a service is started with.
#[derive(Clone, Debug)]
pub struct Start<C> {
    /// The loaded configuration.
    pub config: C,
    /// Where everything is spawned.
    pub tasks: Tasks,
    /// Metrics, health, version and log filter, to be handed to `operations::serve`.
    pub operations: Operations,
}

/// Runs a service until SIGTERM or SIGINT: parses flags, loads the configuration, installs
/// telemetry (`log` says where its configuration is), calls `start`, then waits and drains.
/// What `start` returns is kept until the tasks have ended.
pub fn main<C, H, F, R>(program: Program, log: fn(&C) -> &telemetry::Config, start: F) -> ExitCode
where
    C: Serialize + DeserializeOwned + Default,
    F: FnOnce(Start<C>) -> R,
    R: Future<Output = anyhow::Result<H>>,
{
    let matches = command(program).get_matches();
    if matches.get_flag("sample") {
        print(program.sample);
        return ExitCode::SUCCESS;
    }
    match execute(program, &matches, log, start) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report(program.name, &error);
            ExitCode::FAILURE
        }
    }
}

fn command(program: Program) -> Command {
    Command::new(program.name)
        .about(program.about)
        .version(program.version)
        .arg(
            Arg::new("config")
                .long("config")
                .short('c')
                .value_name("FILE")
                .value_parser(clap::value_parser!(PathBuf))
                .help("Configuration file (YAML)"),
        )
        .arg(
            Arg::new("set")
                .long("set")
                .value_name("KEY.PATH=VALUE")
                .action(ArgAction::Append)
                .value_parser(config::parse_set)
                .help("Overrides one configuration value; may be given several times"),
        )
        .arg(
            Arg::new("sample")
                .long("sample")
                .action(ArgAction::SetTrue)
                .help("Prints a commented configuration with all defaults, and ends"),
        )
        .arg(
            Arg::new("check")
                .long("check")
                .action(ArgAction::SetTrue)
                .help("Loads the configuration, prints it as it would be used, and ends"),
        )
        .after_help(format!(
            "Environment variables {0}_A__B=value set a.b and lie between file and --set.\n\n\
             Examples:\n  {1} --sample > {1}.yaml\n  {1} --config {1}.yaml\n  \
             {1} --config {1}.yaml --set telemetry.filter=debug",
            program.environment_prefix, program.name
        ))
}

fn execute<C, H, F, R>(
    program: Program,
    matches: &ArgMatches,
    log: fn(&C) -> &telemetry::Config,
    start: F,
) -> anyhow::Result<()>
where
    C: Serialize + DeserializeOwned + Default,
    F: FnOnce(Start<C>) -> R,
    R: Future<Output = anyhow::Result<H>>,
{
    let file = matches.get_one::<PathBuf>("config").map(PathBuf::as_path);
    let sets: Vec<(String, String)> =
        matches.get_many("set").map(|sets| sets.cloned().collect()).unwrap_or_default();
    let config: C = config::load(file, program.environment_prefix, &sets)?;
    if matches.get_flag("check") {
        print(&serde_yaml_ng::to_string(&config)?);
        return Ok(());
    }
    let handle = telemetry::init(log(&config))?;
    let operations = Operations {
        metrics: metrics::Registry::new(),
        health: Health::default(),
        version: program.version.to_owned(),
        log: Some(handle),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("start the task runtime")?;
    let outcome = runtime.block_on(run(program, config, operations, start));
    runtime.shutdown_timeout(Duration::from_secs(1));
    outcome
}

async fn run<C, H, F, R>(
    program: Program,
    config: C,
    operations: Operations,
    start: F,
) -> anyhow::Result<()>
where
    F: FnOnce(Start<C>) -> R,
    R: Future<Output = anyhow::Result<H>>,
{
    let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listen for SIGINT")?;
    let tasks = Tasks::new();
    tracing::info!(version = program.version, "{} starting", program.name);
    let starting = start(Start { config, tasks: tasks.clone(), operations });
    let running = tokio::select! {
        started = starting => started,
        _ = terminate.recv() => return Ok(()),
        _ = interrupt.recv() => return Ok(()),
    };
    let handle = match running {
        Ok(handle) => handle,
        Err(error) => {
            tasks.shutdown(GRACE).await;
            return Err(error);
        }
    };
    tracing::info!("{} ready", program.name);
    tokio::select! {
        () = tasks.cancelled() => {}
        _ = terminate.recv() => tracing::info!("SIGTERM: stopping"),
        _ = interrupt.recv() => tracing::info!("SIGINT: stopping"),
    }
    tokio::select! {
        _ = tasks.shutdown(GRACE) => {}
        _ = terminate.recv() => tracing::warn!("second signal: stopping at once"),
        _ = interrupt.recv() => tracing::warn!("second signal: stopping at once"),
    }
    drop(handle);
    match tasks.fatal_reason() {
        Some(reason) => Err(anyhow::anyhow!(reason)),
        None => {
            tracing::info!("{} stopped", program.name);
            Ok(())
        }
    }
}

/// Failing to start is told to the person at the terminal, log format or not.
#[expect(clippy::print_stderr, reason = "the last word of a failing process")]
fn report(name: &str, error: &anyhow::Error) {
    eprintln!("{name}: {error:#}");
}

#[expect(clippy::print_stdout, reason = "output the user asked for")]
fn print(text: &str) {
    print!("{text}");
}
