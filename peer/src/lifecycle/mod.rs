//! Chaincode lifecycle: which chaincode a channel has agreed on, which packages this peer holds,
//! and therefore what it can run.
//!
//! Definitions and approvals are state in the namespace `_lifecycle`, written by transactions like
//! any other: [`Chaincode`] is the system chaincode that simulates them. [`definitions`] reads what
//! was committed, for the validator and everyone else. [`Packages`] keeps what was installed on
//! this peer. [`Lifecycle`] brings the two together: approved and installed means it runs.

pub mod approvals;
mod chaincode;
mod check;
pub mod definition;
pub mod definitions;
mod functions;
mod packages;
mod resolve;
pub mod state;
mod views;

pub use chaincode::Chaincode;
#[cfg(test)]
pub(crate) use chaincode::replay;
pub use definition::{Definition, Parameters};
pub use packages::{Config, Packages};
pub use resolve::{Lifecycle, Runnable};

/// Why lifecycle state cannot be read or a change of it is refused. Texts are Fabric's.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No definition of this name is committed.
    #[error("namespace {0} is not defined")]
    NotDefined(String),
    /// The package is not on this peer.
    #[error("chaincode install package '{0}' not found")]
    PackageNotFound(String),
    /// The request breaks a rule.
    #[error("{0}")]
    Refused(String),
    /// What lies in state or in the package store is not what belongs there.
    #[error("{0}")]
    Corrupt(String),
    /// The ledger failed.
    #[error("ledger")]
    Ledger(#[from] ledger::Error),
    /// The state could not be read.
    #[error("state")]
    State(#[from] ledger::state::Error),
    /// The simulator refused or failed.
    #[error("simulation")]
    Simulator(#[from] ledger::simulator::Error),
    /// The package store failed.
    #[error("package store")]
    Io(#[from] std::io::Error),
    /// The package cannot be read or its code is refused.
    #[error("could not install chaincode package")]
    Runtime(#[from] runtime::Error),
}
