//! Delivering and following over real sockets with mutual TLS, and the verifier on recorded
//! chains.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod access;
mod chain;
mod consortium;
mod follow;
mod orderer;
mod recorded;
mod seeking;
