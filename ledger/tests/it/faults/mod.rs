//! Whatever happens to the process, the disk or the files: a ledger comes back with the truth, or
//! says what is wrong.
//!
//! Failpoints are global, so every test that sets one does it in a process of its own: the test
//! binary starts itself again (`process`).

#![allow(clippy::print_stdout, reason = "a process tells the one that started it what it met")]

mod answers;
mod blocked;
mod flips;
mod full;
mod kills;
mod process;
mod script;
mod torn;

use std::path::Path;

use ledger::{Config, Ledger};

use crate::vectors;

/// Small segments, so that there are several of each log.
fn config() -> Config {
    let mut config = vectors::config();
    config.blocks.segment_bytes_max = 3_000;
    config.blocks.index_cache_bytes = 1 << 20;
    config.private_data.segment_bytes_max = 400;
    config.private_data.transient_blocks_max = 4;
    config.state.cache_bytes = 1 << 20;
    // Every block reaches the database.
    config.state.lag_blocks_max = 1;
    config
}

fn open(dir: &Path) -> Result<Ledger, ledger::Error> {
    Ledger::open(dir, "test", config())
}

/// An error with all its causes.
fn describe(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
