//! The `orderer` program.

use std::process::ExitCode;

use node::run::{self, Program, Start};
use orderer::Config;

fn main() -> ExitCode {
    let program = Program {
        name: "orderer",
        about: "Orders the transactions of a consortium's channels into blocks",
        version: env!("CARGO_PKG_VERSION"),
        environment_prefix: "ORDERER",
        sample: include_str!("../sample.yaml"),
    };
    run::main(program, |config: &Config| &config.telemetry, start)
}

async fn start(start: Start<Config>) -> anyhow::Result<orderer::Handle> {
    Ok(orderer::start_with(start.config, start.tasks, start.operations).await?)
}
