//! The peer's tests over several modules.

#![allow(clippy::unwrap_used, clippy::panic, unreachable_pub, reason = "tests fail by panicking")]

mod administration;
mod codes;
mod consortium;
mod crash;
mod discovery;
mod following;
mod gateway;
mod membership;
mod native;
mod network;
mod ordering;
mod peers;
mod proposals;
mod recording;
mod replay;
mod signatures;
mod snapshots;
mod system;
mod transactions;
mod verify;
