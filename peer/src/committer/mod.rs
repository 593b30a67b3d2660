//! From a block on the wire to a block on disk: one pipeline per channel.
//!
//! ```text
//! deliver::client --> prepare (signatures, parallel, ahead) --> judge --> private data --> Ledger::commit --> tell
//! ```
//!
//! The pipeline of a channel fails alone: an error, or a panic, stops that channel, says so in its
//! state, its metrics and the health answer, and leaves the others at work.

mod config;
mod metrics;
mod pipeline;
mod run;

pub use config::Config;
pub use metrics::Metrics;
pub use pipeline::{Error, Pipeline};
pub use run::{Dependencies, run};
