//! The listeners and dialers of `node` over real sockets.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod authority;
mod echo;
mod grpc;
mod operations;
