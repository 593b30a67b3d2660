//! The peer's tests over several modules.

mod consortium;
mod gateway;
mod native;
mod network;
mod proposals;
mod recording;
mod replay;
mod system;
mod transactions;
mod verdicts;
