//! The ledger as its callers see it, on recorded chains and on chains of its own.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod admin;
mod chain;
mod crash;
mod faults;
mod history;
mod joining;
mod manager;
mod model;
mod mvcc;
mod oracle;
mod past;
mod private_data;
mod simulation;
mod simulator;
mod snapshot;
mod vectors;
