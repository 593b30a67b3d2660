//! The library for applications: connect to a peer's gateway, run transactions, follow events.
//!
//! The shape is that of Fabric's Gateway SDKs: [`Gateway`] → [`Network`] (a channel) →
//! [`Contract`] (a chaincode). The client holds the key and signs; the peer it is connected to
//! finds endorsers, orders, and reports the outcome. [`admin`] holds what operators need besides:
//! chaincode lifecycle, joining channels, ledger queries, channel participation.
//!
//! ```no_run
//! # async fn example(roots: &[node::tls::CertificateDer<'static>]) -> Result<(), client::Error> {
//! use client::{Gateway, Signer};
//! let identity = msp::SigningIdentity::load("users/anna/msp".as_ref(), "HospitalMSP")
//!     .map_err(client::Error::identity)?;
//! let gateway = Gateway::connect("localhost:7051", roots, None, Signer::from(identity)).await?;
//! let contract = gateway.network("care").contract("ehr");
//! let answer = contract.evaluate("GetPatient", ["p-1"]).await?;
//! let outcome = contract.submit("RegisterPatient", ["p-2"]).await?;
//! println!("{} is in block {}", outcome.tx_id, outcome.block);
//! # let _ = answer; Ok(()) }
//! ```

#![forbid(unsafe_code)]

pub mod admin;
mod checkpoint;
mod commit;
mod contract;
mod deliver;
mod error;
mod events;
mod gateway;
mod network;
mod proposal;
mod signer;
mod transaction;

pub use checkpoint::{Checkpoint, FileCheckpoint};
pub use commit::{Commit, Outcome};
pub use contract::{Call, Contract};
pub use deliver::{BlockEvents, Start};
pub use error::{Class, Error, ErrorDetail, Failure, Stage};
pub use events::{ChaincodeEvent, ChaincodeEvents};
pub use gateway::{Gateway, Timeouts};
pub use network::Network;
pub use proposal::Proposal;
pub use signer::Signer;
pub use transaction::Transaction;

/// How peers judge a transaction; 0 is valid.
pub use proto::transaction::TxValidationCode;
