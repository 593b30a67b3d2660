//! Whole networks, started by the command `gauze` as its users start them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod fabric_gateway;
mod faults;
mod lab;
mod refusals;
mod tour;
