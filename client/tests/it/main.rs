//! The client against a scripted gateway over mutual TLS.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod gateway;
mod script;
