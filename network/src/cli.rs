//! The command line: what can be said, and how it is carried out.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::commands::{bench, ca, chaincode, channel, demo, ledger, network, peer, snapshot};
use crate::context::Identity;
use crate::failure::{Exit, Result};
use crate::output::{Format, Output, pretty};
use crate::progress::{Progress, line};
use crate::topology::FILE_NAME;

const EXIT_CODES: &str = "\
Exit codes: 0 ok, 1 failed, 2 usage, 3 not found, 4 denied, 5 conflict, 6 unavailable, 7 timeout

Examples:
  gauze demo                                     a consortium and two stories, in one go
  gauze network init                             write a commented gauze.toml
  gauze network up                               build and start what it describes
  gauze network ps                               what runs where
  gauze chaincode query ehr GetPatient 0f…       ask the ledger
  gauze ledger block care newest                 look into a block
  gauze network down                             stop everything";

/// Builds, runs and uses a consortium ledger.
#[derive(Debug, Parser)]
#[command(name = "gauze", version, after_help = EXIT_CODES, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    command: Command,
}

/// Flags every command takes.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Globals {
    /// The description of the network.
    #[arg(long, short, global = true, default_value = FILE_NAME, env = "GAUZE_FILE", value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// The form of results.
    #[arg(long, short, global = true, default_value = "text", value_name = "FORMAT")]
    output: Format,
    /// Who acts; USER is `admin` when left out.
    #[arg(long = "as", global = true, value_name = "ORG/USER")]
    pub(crate) identity: Option<Identity>,
    /// No colours; the variable NO_COLOR does the same.
    #[arg(long, global = true)]
    no_color: bool,
    /// No progress reports.
    #[arg(long, short, global = true)]
    quiet: bool,
}

impl Globals {
    pub(crate) fn output(&self) -> Output {
        Output { format: self.output }
    }

    pub(crate) fn progress(&self) -> Progress {
        Progress::new(self.quiet)
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Describe, start, stop and watch a network.
    #[command(subcommand)]
    Network(network::Command),
    /// Look at channels, and let peers join them.
    #[command(subcommand)]
    Channel(channel::Command),
    /// Build, deploy and call chaincode.
    #[command(subcommand)]
    Chaincode(chaincode::Command),
    /// Look into ledgers.
    #[command(subcommand)]
    Ledger(ledger::Command),
    /// Administer the channels of running peers.
    #[command(subcommand)]
    Peer(peer::Command),
    /// Make, list and check snapshots of ledgers.
    #[command(subcommand)]
    Snapshot(snapshot::Command),
    /// Manage identities at certificate authorities.
    #[command(subcommand)]
    Ca(ca::Command),
    /// Measure this machine.
    #[command(subcommand)]
    Bench(bench::Command),
    /// Start a consortium and tell two true stories on it.
    Demo(demo::Command),
}

/// Runs the command line and returns its exit code.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    if cli.globals.no_color {
        console::set_colors_enabled(false);
        console::set_colors_enabled_stderr(false);
    }
    let format = cli.globals.output;
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            line(&format!("error: start the task runtime: {error}"));
            return ExitCode::from(Exit::Failed as u8);
        }
    };
    match runtime.block_on(execute(cli)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            match format {
                Format::Json => line(&pretty(&failure.to_json())),
                Format::Text => {
                    let mark = console::style("error:").red().bold().for_stderr();
                    line(&format!("{mark} {failure}"));
                }
            }
            ExitCode::from(failure.exit as u8)
        }
    }
}

async fn execute(cli: Cli) -> Result<()> {
    let globals = cli.globals;
    match cli.command {
        Command::Network(command) => network::run(command, &globals).await,
        Command::Channel(command) => channel::run(command, &globals).await,
        Command::Chaincode(command) => chaincode::run(command, &globals).await,
        Command::Ledger(command) => ledger::run(command, &globals).await,
        Command::Peer(command) => peer::run(command, &globals).await,
        Command::Snapshot(command) => snapshot::run(command, &globals).await,
        Command::Ca(command) => ca::run(command, &globals).await,
        Command::Bench(command) => bench::run(command, &globals).await,
        Command::Demo(command) => demo::run(command, &globals).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[track_caller]
    fn check(line: &str, good: bool) {
        let parsed = Cli::try_parse_from(line.split_whitespace());
        assert_eq!(parsed.is_ok(), good, "{line}");
    }

    #[test]
    fn lines_people_type() {
        check("gauze demo", true);
        check("gauze network up -o json", true);
        check("gauze --as hospital/physician chaincode query ehr GetPatient a", true);
        check("gauze chaincode invoke rx Ship --transient k=v --as maker", true);
        check("gauze ledger block care 7", true);
        check("gauze ledger block care sometimes", false);
        check("gauze peer rollback care 7 --yes", true);
        check("gauze peer rollback care", false);
        check("gauze ledger state care ehr k --at 7", true);
        check("gauze ledger state care ehr --prefix k", true);
        check("gauze ledger state care ehr", false);
        check("gauze ledger state care ehr --prefix k --at 7", false);
        check("gauze bench ledger --transactions 5000 --endorsements 1,3 -o json", true);
        check("gauze bench ledger --conflicts 1", false);
        check("gauze network fly", false);
        check("gauze --as / network ps", false);
    }
}
