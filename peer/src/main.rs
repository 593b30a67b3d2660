//! The peer's process.

use std::process::ExitCode;

use node::run::{Program, Start};

const PROGRAM: Program = Program {
    name: "peer",
    about: "Endorses proposals, validates and commits blocks, and serves what it holds",
    version: env!("CARGO_PKG_VERSION"),
    environment_prefix: "PEER",
    sample: include_str!("../sample.yaml"),
};

fn main() -> ExitCode {
    node::run::main(
        PROGRAM,
        |config: &peer::Config| &config.telemetry,
        async |Start { config, tasks, operations }| {
            Ok(peer::start_with(config, tasks, operations).await?)
        },
    )
}
