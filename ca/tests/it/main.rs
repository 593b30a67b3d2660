//! The authority over real sockets with TLS, on a temporary registry.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod authentication;
mod enrolling;
mod folders;
mod managing;
mod persistence;
mod process;
mod registering;
mod revoking;
mod running;
