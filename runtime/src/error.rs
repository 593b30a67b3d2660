//! Why a package is refused or a call has no response.

use crate::package;

/// A bound of [`wasm::Config`](crate::wasm::Config), by the name the operator knows it under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The configuration field.
    pub name: &'static str,
    /// Its value.
    pub value: u64,
}

impl std::fmt::Display for Limit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of {}", self.name, self.value)
    }
}

/// Why a package is refused or a call has no response.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The package cannot be read.
    #[error(transparent)]
    Package(#[from] package::Error),
    /// No package with this id is installed.
    #[error("chaincode package '{0}' is not installed")]
    NotInstalled(String),
    /// The module breaks a rule; nothing was installed.
    #[error("chaincode module refused: {0}")]
    Module(String),
    /// The call consumed more than it may.
    #[error("chaincode exceeded {0}")]
    Limit(Limit),
    /// The chaincode ended by a trap.
    #[error("chaincode trapped: {0}")]
    Trap(String),
    /// The call took too long on this machine; another peer may see it succeed.
    #[error("chaincode ran longer than {0} on this peer")]
    Deadline(Limit),
    /// This peer failed while serving the chaincode.
    #[error("chaincode host failed: {0}")]
    Host(String),
}
