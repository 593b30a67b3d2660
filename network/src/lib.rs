//! The command line of Gauze: from one file, `gauze.toml`, to a running consortium, and the
//! commands to operate, use and look into it.
//!
//! `gauze` starts orderers, peers and certificate authorities as processes of their own and talks
//! to them as any operator would: over mutual TLS, with identities enrolled at the authorities.
//! It keeps keys, ports and process numbers in the state folder and nowhere else.

#![forbid(unsafe_code)]

mod artifacts;
mod bench;
mod cli;
mod commands;
mod context;
mod describe;
mod failure;
mod genesis;
mod identities;
mod inventory;
mod keys;
mod layout;
mod nodes;
mod output;
mod process;
mod progress;
mod story;
mod topology;
mod up;

pub use cli::main;
