//! Orderers in this process, over real sockets with mutual TLS and real files.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test says what failed by panicking"
)]

mod cluster;
mod faults;
mod http;
mod membership;
mod network;
mod ordering;
mod participation;
mod processor;
mod speed;
