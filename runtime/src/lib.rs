//! The chaincode runtime: what a peer executes when it endorses, and the walls around it.
//!
//! [`ChaincodeRuntime`] installs and loads packages, [`Chaincode`] is one loaded package, and
//! [`Stub`] is the ledger's side of one call: the endorser implements it over a simulator, the
//! author's test harness over memory. [`wasm::Engine`] is the implementation: WebAssembly
//! components without WASI, metered by fuel, with fresh memory for each call. [`package`] reads
//! and writes Fabric's package format.
//!
//! The runtime knows no ledger, no identity and no network; what a call may read or write is
//! decided behind [`Stub`], how much it may consume is decided here.

#![deny(unsafe_code)]

pub mod chaincode;
pub mod conformance;
pub mod error;
pub mod package;
pub mod rules;
pub mod session;
pub mod stub;
pub mod wasm;

pub use chaincode::{Budget, Chaincode, ChaincodeRuntime, Invocation};
pub use error::{Error, Limit};
pub use package::Package;
pub use session::Session;
pub use stub::{
    Batch, Caller, HistoryBatch, KeyModification, KeyValue, Level, NestedCall, Page, Stub,
    StubError,
};
