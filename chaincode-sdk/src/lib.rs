//! Write chaincode for Gauze in plain Rust.
//!
//! ```
//! use gauze_chaincode::prelude::*;
//!
//! #[derive(Serialize, Deserialize, Schema, Record)]
//! #[record(key = "grant/{patient}/{id}")]
//! struct Grant {
//!     patient: String,
//!     id: String,
//!     grantee: String,
//! }
//!
//! #[derive(ContractError, Debug)]
//! enum Fault {
//!     #[code("NOT_OWNER", "{patient} is not yours to share")]
//!     NotOwner { patient: String },
//! }
//!
//! /// Who may read whose records.
//! #[contract(name = "consent", version = "1.0.0")]
//! struct Consent;
//!
//! #[transactions]
//! impl Consent {
//!     /// Grants read access.
//!     #[submit]
//!     fn grant(tx: &mut Tx, grant: Grant) -> Result<()> {
//!         if tx.caller()?.attribute("patient") != Some(&grant.patient) {
//!             return Err(Fault::NotOwner { patient: grant.patient }.into());
//!         }
//!         tx.insert(&grant)
//!     }
//!
//!     /// All grants of a patient.
//!     #[evaluate]
//!     fn grants(tx: &Tx, patient: &str) -> Result<Vec<Grant>> {
//!         tx.list(Grant::all().under(patient))?.collect()
//!     }
//! }
//! # fn main() {}
//! ```
//!
//! The same code runs natively under `cargo test` (package `chaincode-sdk-testing`) and as a
//! WebAssembly component in the peer. `README.md` of this package is the author's guide.

#![deny(unsafe_code)]

// The macros name this crate from outside; its own tests use them, too.
extern crate self as gauze_chaincode;

pub mod argument;
pub mod caller;
pub mod composite;
pub mod contract;
pub mod error;
#[cfg(target_arch = "wasm32")]
pub mod guest;
pub mod host;
pub mod interface;
pub mod policy;
pub mod private;
pub mod range;
pub mod record;
pub mod schema;
pub mod timestamp;
pub mod tx;

#[cfg(test)]
mod tests;

pub use argument::Raw;
pub use caller::Caller;
pub use contract::{Contract, Response};
pub use error::{Error, Result};
pub use gauze_chaincode_macros::{ContractError, Record, Schema, contract, transactions};
pub use record::{Key, Prefix, Record};
pub use schema::Schema;
pub use timestamp::Timestamp;
pub use tx::{Paged, Tx};

/// All an author usually needs.
pub mod prelude {
    pub use serde::{Deserialize, Serialize};

    pub use crate::argument::Raw;
    pub use crate::caller::Caller;
    pub use crate::error::{Error, Result};
    pub use crate::policy::{self, Role};
    pub use crate::record::{Key, Prefix, Record};
    pub use crate::schema::Schema;
    pub use crate::timestamp::Timestamp;
    pub use crate::tx::{Paged, Tx};
    pub use crate::{ContractError, contract, ensure, transactions};
    pub use gauze_chaincode_macros::{Record, Schema};
}

/// Returns early with an error unless a condition holds.
#[macro_export]
macro_rules! ensure {
    ($condition:expr, $error:expr $(,)?) => {
        if !$condition {
            return ::core::result::Result::Err(::core::convert::Into::into($error));
        }
    };
}
