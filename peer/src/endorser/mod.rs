//! The endorser: simulates what a client proposes and signs the outcome.
//!
//! Nothing here changes the ledger. A proposal is checked (`check`), the chaincode runs in a
//! `transaction` that records its reads and writes through the `stub`, and what came of it is
//! signed (`respond`). Private writes are kept aside (`private`), and what was touched is told
//! to whoever plans further endorsements (`interest`).

mod caller;
mod check;
mod collections;
mod config;
mod error;
mod interest;
mod metrics;
mod private;
mod process;
mod respond;
mod service;
mod stub;
#[cfg(test)]
mod tests;
mod transaction;

use std::sync::Arc;

use msp::SigningIdentity;
use node::tasks::Tasks;
use tokio::sync::Semaphore;

use crate::channels::Channels;
use crate::lifecycle::Lifecycle;
use crate::system::{Access, Registry};

pub use config::Config;
pub use error::Error;
pub use metrics::Metrics;

/// What an endorser needs besides its configuration.
#[derive(Debug, Clone)]
pub struct Dependencies {
    /// The channels of this peer.
    pub channels: Arc<Channels>,
    /// Definitions and packages.
    pub lifecycle: Arc<Lifecycle>,
    /// The system chaincodes.
    pub system: Registry,
    /// Who may call what.
    pub access: Access,
    /// The identity that endorses.
    pub signer: Arc<SigningIdentity>,
    /// Where executions run.
    pub tasks: Tasks,
    /// What is counted.
    pub metrics: Metrics,
}

/// Endorses proposals. Clones are the same endorser.
#[derive(Debug, Clone)]
pub struct Endorser(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: Config,
    channels: Arc<Channels>,
    lifecycle: Arc<Lifecycle>,
    system: Registry,
    access: Access,
    signer: Arc<SigningIdentity>,
    tasks: Tasks,
    metrics: Metrics,
    /// Proposals accepted.
    requests: Semaphore,
    /// Proposals executed: more would only take turns on the same cores.
    executions: Arc<Semaphore>,
}

impl Endorser {
    /// An endorser with the given bounds.
    pub fn new(config: Config, dependencies: Dependencies) -> Self {
        let Dependencies { channels, lifecycle, system, access, signer, tasks, metrics } =
            dependencies;
        let requests = Semaphore::new(config.concurrency_max.min(Semaphore::MAX_PERMITS));
        let executions = config.executions_max.clamp(1, Semaphore::MAX_PERMITS);
        let executions = Arc::new(Semaphore::new(executions));
        Self(Arc::new(Inner {
            config,
            channels,
            lifecycle,
            system,
            access,
            signer,
            tasks,
            metrics,
            requests,
            executions,
        }))
    }

    /// The channels this endorser works on.
    pub fn channels(&self) -> &Arc<Channels> {
        &self.0.channels
    }
}
