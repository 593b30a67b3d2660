//! The endorser: simulates what a client proposes and signs the outcome.

mod config;

pub use config::Config;
