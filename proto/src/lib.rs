//! The words of Gauze: Fabric's messages and services, and pure functions over them.
//!
//! The types are generated from the `.proto` files in `fabric/` (Fabric's names and numbers), the
//! error model of gRPC, and `gauze/` (what Fabric has no message for). The functions in
//! [`block`], [`envelope`] and [`transaction`] say what is hashed, what is signed, and which bytes
//! are well formed. They do no I/O and hold no state. Feature `grpc` adds client and server stubs.

#![forbid(unsafe_code)]

/// What the compiler made of the `.proto` files, one module per protobuf package.
#[allow(
    missing_debug_implementations,
    unreachable_pub,
    clippy::all,
    clippy::allow_attributes_without_reason,
    clippy::too_many_lines,
    clippy::disallowed_types,
    clippy::allow_attributes_without_reason,
    clippy::too_many_lines,
    reason = "generated code"
)]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/generated.rs"));
}

pub use generated::*;

/// Fabric's package `protos`, under the name everyone uses for it.
pub use generated::protos as peer;

pub mod block;
mod decode;
pub mod envelope;
pub mod transaction;

pub use decode::decode;

use sha2::{Digest, Sha256};

/// SHA-256 of `bytes`.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// SHA-256 of the concatenation of `parts`.
pub fn sha256_all<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}
