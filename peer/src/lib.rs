//! The peer: endorses proposals, validates and commits blocks, and serves what it holds.
//!
//! A block's way: `deliver::client` fetches and verifies it, [`validator`] judges each transaction,
//! [`committer`] has it written by the ledger and tells everyone who waits ([`channels`],
//! [`events`]). The peer never creates a block.

#![forbid(unsafe_code)]

pub mod admin;
mod causes;
pub mod channels;
pub mod committer;
pub mod config;
pub mod discovery;
pub mod endorser;
pub mod events;
pub mod gateway;
pub mod gossip;
pub mod lifecycle;
pub mod private_data;
pub mod snapshots;
mod start;
pub mod system;
pub mod validator;
pub mod verify;

pub use config::Config;
pub use start::{Error, Handle, start, start_with};
