//! The gateway: does for a client what it takes to have a transaction endorsed, ordered and
//! committed, and tells it what became of it.

mod config;

pub use config::Config;
