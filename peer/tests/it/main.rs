//! The peer's tests over several modules.

mod consortium;
mod recording;
mod replay;
mod system;
mod transactions;
mod verdicts;
