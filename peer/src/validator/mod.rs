//! Judges the transactions of a block: a pure function of the block, the state before it and the
//! configuration agreed on before it, equal on every peer and equal to Fabric's.
//!
//! The work is split where the state comes in. [`prepare`](Prepared::new) checks syntax, creators
//! and all signatures; it needs the configuration only, so the next blocks are prepared while one
//! is committed. [`judge`] looks at the state: ids used before, definitions, policies of chaincodes,
//! collections and keys. Whether a transaction's reads still hold is decided later, by the ledger.
//!
//! Certificates that have expired since make no difference here: the clock is no input.

mod before;
mod definitions;
mod effects;
mod endorsement;
mod judge;
mod policies;
mod prepare;
mod syntax;

pub use before::Before;
pub use effects::PrivateWrite;
pub use judge::{Verdict, check_capabilities, judge};
pub use policies::Policies;
pub use prepare::Prepared;

/// Why a block cannot be judged, so that the channel must stop.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Halt {
    /// The ledger cannot be read.
    #[error("read the ledger")]
    Ledger(#[from] ledger::Error),
    /// A definition names a validation plugin this peer does not have.
    #[error(
        "chaincode {chaincode} needs validation plugin {plugin}, which this peer does not have"
    )]
    Plugin {
        /// Name of the chaincode.
        chaincode: String,
        /// Name of the plugin.
        plugin: String,
    },
    /// A configuration transaction cannot be applied.
    #[error("apply the configuration in transaction {index}: {reason}")]
    Config {
        /// Position in the block.
        index: usize,
        /// What is wrong with it.
        reason: String,
    },
}
