//! Tests for contracts: a channel in the test's own process, without a network.
//!
//! ```no_run
//! # use gauze_chaincode::prelude::*;
//! # #[contract(name = "basic", version = "1")] struct Basic;
//! # #[transactions] impl Basic {}
//! use gauze_testing::{Network, NO_ARGS};
//!
//! let net = Network::new().orgs(["HospitalMSP", "PharmacyMSP"]).deploy::<Basic>("basic");
//! let ana = net.user("HospitalMSP", "ana").attribute("role", "physician");
//! net.as_(&ana).submit("CreateAsset", ["a1", "blue", "5", "Ana", "300"]).unwrap();
//! let asset: serde_json::Value = net.as_(&ana).evaluate("ReadAsset", ["a1"]).unwrap().json();
//! let refused = net.as_(&ana).submit("CreateAsset", ["a1", "red", "5", "Ben", "1"]).unwrap_err();
//! assert_eq!(refused.code(), "ASSET_EXISTS");
//! ```
//!
//! Contracts run natively, as `cargo test` compiled them, or as the WebAssembly component a peer
//! would run ([`Network::deploy_wasm`]); everything else is the same: the real ledger with its
//! read-write sets, version checks and history, and the limits of the real runtime.
//!
//! [`Session::submit`] makes a block of one transaction. To see what happens to transactions that
//! race, endorse several with [`Session::endorse`] and put them into one block with
//! [`Network::commit`]. Time stands still until [`Network::advance`] moves it.
//!
//! There is one peer, a member of all private collections; endorsement policies and collection
//! membership are not checked. Tests of those need a network.

#![forbid(unsafe_code)]

pub mod build;
mod call;
mod certificate;
mod chain;
mod native;
mod network;
mod session;
mod stub;
mod user;

pub use call::{CallError, Committed, Endorsed, Event, Reply};
pub use native::Native;
pub use network::Network;
pub use session::Session;
pub use user::User;

pub use proto::peer::TxValidationCode;

/// For functions without parameters.
pub const NO_ARGS: [&str; 0] = [];
