//! Policies, configurations, updates and genesis, against what Fabric's own tools made.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod bundle;
mod dsl;
mod fixtures;
mod genesis;
mod policies;
mod updates;
