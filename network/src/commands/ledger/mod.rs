//! `gauze ledger`: look into ledgers.

mod past;
mod read;
mod verify;
mod writes;

use clap::Subcommand;

use crate::cli::Globals;
use crate::context::Context;
use crate::failure::Result;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// How many blocks a channel has, and the hash of the last one.
    #[command(
        after_help = "Examples:\n  gauze ledger height care\n  gauze --as pharmacy ledger height care"
    )]
    Height(read::Height),
    /// Show a block: hashes, signers, transactions, what they changed.
    #[command(
        after_help = "Examples:\n  gauze ledger block care newest\n  gauze ledger block care 0\n  gauze ledger block pharma 7 --output json"
    )]
    Block(read::BlockFlags),
    /// Show a transaction: who, what, endorsers, verdict, changes.
    #[command(after_help = "Examples:\n  gauze ledger tx care 5f3c…")]
    Tx(read::Tx),
    /// Verify the ledger of a peer of Gauze or Fabric from its files.
    #[command(long_about = verify::ABOUT, after_help = verify::EXAMPLES)]
    Verify(verify::Flags),
    /// Show who wrote a key when, newest first.
    #[command(
        after_help = "Examples:\n  gauze ledger history care ehr p-17\n  gauze ledger history care ehr grant/p-17/3 --composite --limit 5\n  gauze ledger history care ehr p-17 --before 120:4 --output json"
    )]
    History(past::History),
    /// Show a key, now or at an earlier height, or list keys.
    #[command(
        after_help = "Examples:\n  gauze ledger state care ehr p-17\n  gauze ledger state care ehr p-17 --at 120\n  gauze ledger state care ehr --prefix grant/p-17 --composite\n  gauze ledger state care ehr --from p-10 --to p-20 --limit 5"
    )]
    State(past::State),
    /// Show which keys changed between two heights, and how.
    #[command(
        after_help = "Examples:\n  gauze ledger diff care 100 120\n  gauze ledger diff care 100 120 --chaincode ehr --key p-\n  gauze ledger diff care 0 12 --output json"
    )]
    Diff(past::Diff),
}

pub(crate) async fn run(command: Command, globals: &Globals) -> Result<()> {
    let context = || Context::load(globals);
    match command {
        Command::Height(flags) => read::height(&context()?, &flags).await,
        Command::Block(flags) => read::block(&context()?, &flags).await,
        Command::Tx(flags) => read::transaction(&context()?, &flags).await,
        Command::Verify(flags) => verify::run(flags, globals).await,
        Command::History(flags) => past::history(&context()?, &flags).await,
        Command::State(flags) => past::state(&context()?, &flags).await,
        Command::Diff(flags) => past::diff(&context()?, &flags).await,
    }
}
