//! The certificate authority as a program.

use std::process::ExitCode;

use anyhow::Context;
use node::run::{Program, Start};

const PROGRAM: Program = Program {
    name: "ca",
    about: "Certificate authority of a Gauze organization",
    version: env!("CARGO_PKG_VERSION"),
    environment_prefix: "CA",
    sample: include_str!("../sample.yaml"),
};

fn main() -> ExitCode {
    node::run::main(
        PROGRAM,
        |config: &ca::Config| &config.telemetry,
        |Start { config, tasks, operations }| async move {
            ca::start_with(config, &tasks, operations).await.context("start the authority")
        },
    )
}
