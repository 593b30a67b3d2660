//! `gauze ledger`: look into ledgers.

mod read;
mod verify;

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
}

pub(crate) async fn run(command: Command, globals: &Globals) -> Result<()> {
    let context = || Context::load(globals);
    match command {
        Command::Height(flags) => read::height(&context()?, &flags).await,
        Command::Block(flags) => read::block(&context()?, &flags).await,
        Command::Tx(flags) => read::transaction(&context()?, &flags).await,
        Command::Verify(flags) => verify::run(flags, globals).await,
    }
}
