//! The ordering node: takes envelopes, agrees with other orderers on their order, cuts them into
//! blocks and gives the blocks out. It never looks inside a transaction.
//!
//! An envelope's way: [`broadcast`] → [`message_processor`] (size, expiry, signature, config) →
//! [`block_cutter`] → [`consensus`] → [`channels`] (number, hash, sign, append) → `deliver`.

#![forbid(unsafe_code)]

pub mod block_cutter;
mod config;
pub mod consensus;

use std::net::SocketAddr;

use node::operations::Operations;
use node::tasks::Tasks;

pub use config::{Admin, Broadcast, Cluster, Config, Consensus, Deliver, Msp};

/// Why an orderer could not be started.
#[derive(Debug, thiserror::Error)]
pub enum Error {}

/// A running orderer.
#[derive(Debug)]
pub struct Handle {
    /// Where gRPC is served.
    pub address: SocketAddr,
    /// Where channel participation is served, if it is.
    pub admin_address: Option<SocketAddr>,
    /// Where metrics and health are served, if they are.
    pub operations_address: Option<SocketAddr>,
}

/// Starts an orderer; it runs until `tasks` is shut down.
pub async fn start(config: Config, tasks: Tasks) -> Result<Handle, Error> {
    start_with(config, tasks, Operations::default()).await
}

/// As [`start`], reporting to operations that the caller set up.
pub async fn start_with(_: Config, _: Tasks, _: Operations) -> Result<Handle, Error> {
    todo!("channels and services")
}
