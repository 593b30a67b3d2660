//! Transactions recorded on a real network are simulated again: what the endorsers signed there
//! must come out here, byte for byte.

mod contract;
mod peer;
mod queries;
mod replay;
