//! Whole networks: the real programs, started by the real `gauze`, on free ports of this machine.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod cli;
mod demo;
mod fabric_gateway;
mod faults;
mod growing;
mod harness;
mod hostile;
mod snapshots;
mod verify;
