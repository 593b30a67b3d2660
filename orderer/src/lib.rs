//! The ordering node.

#![forbid(unsafe_code)]

pub mod consensus;
