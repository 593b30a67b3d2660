//! How blocks travel: from the node that has them to the node that wants them.
//!
//! [`server`] answers seek requests with the blocks of a channel, now and as they come; orderers
//! and peers serve with it. [`client`] follows a channel from the orderers its configuration
//! names, verifies every block ([`verify`]) and turns to another orderer when one fails, lies or
//! falls silent. Neither stores a block or looks inside a transaction.

#![forbid(unsafe_code)]

pub mod client;
pub mod seek;
pub mod server;
pub mod verify;

pub use verify::Verifier;
