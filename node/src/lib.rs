//! What every Gauze service stands on: configuration, tasks, TLS, gRPC and HTTP serving,
//! telemetry, metrics and the operations endpoint.
//!
//! This crate knows no ledger term at all. A binary is a call to [`run::main`] with a function
//! that builds its component from a typed configuration and a set of [`tasks::Tasks`].

#![forbid(unsafe_code)]

pub mod config;
pub mod grpc;
pub mod http;
pub mod metrics;
pub mod operations;
pub mod panics;
pub mod run;
mod server;
pub mod tasks;
pub mod telemetry;
pub mod tls;
