//! The ordering node: takes envelopes, agrees with other orderers on their order, cuts them into
//! blocks and gives the blocks out. It never looks inside a transaction.
//!
//! An envelope's way: `broadcast` → [`message_processor`] (size, expiry, signature, config) →
//! [`block_cutter`] → [`consensus`] → [`channels`] (number, hash, sign, append) → `deliver`.

#![forbid(unsafe_code)]

pub mod block_cutter;
mod broadcast;
pub mod channels;
mod cluster;
mod config;
pub mod consensus;
pub mod message_processor;
mod metrics;
mod onboarding;
pub mod participation;
mod service;
mod start;

pub use config::{Admin, Broadcast, Cluster, Config, Consensus, Msp};
pub use start::{Error, Handle, start, start_with};
