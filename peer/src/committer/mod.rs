//! From a block on the wire to a block on disk: one pipeline per channel.
//!
//! ```text
//! deliver::client --> prepare (signatures, parallel, ahead) --> judge --> private data --> Ledger::stage
//!                                                                                  Ledger::sync --> tell
//! ```
//!
//! While a block is judged and staged, the signatures of the next ones are verified ([`queue`]).
//! When the pipeline is behind, several small blocks are staged before one sync; nobody hears of a
//! block before it is on disk.
//!
//! The pipeline of a channel fails alone: an error, or a panic, stops that channel, says so in its
//! state, its metrics and the health answer, and leaves the others at work.

mod ahead;
mod config;
mod metrics;
mod pipeline;
mod run;

pub use ahead::{Blocks, Feed, queue};
pub use config::Config;
pub use metrics::Metrics;
pub use pipeline::{Error, Pipeline};
pub use run::{Dependencies, commit_all, run};
