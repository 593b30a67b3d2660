//! The commands, one file per group.

pub(crate) mod bench;
pub(crate) mod ca;
pub(crate) mod chaincode;
pub(crate) mod channel;
pub(crate) mod demo;
pub(crate) mod ledger;
pub(crate) mod network;
pub(crate) mod peer;
pub(crate) mod snapshot;
