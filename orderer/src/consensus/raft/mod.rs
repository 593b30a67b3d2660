//! Raft, by raft-rs, behind the pure [`Consenter`](super::Consenter) interface.
//!
//! - [`core`]: drives raft-rs by its asynchronous Ready interface: what a leader sends may leave
//!   before its own disk has it, what promises durability leaves only after [`Input::Persisted`](super::Input).
//! - [`log`]: the log in memory, as raft-rs reads it, and how write-ahead records rebuild it.
//! - [`wire`]: our own messages. raft-rs's own encoding never sees a byte from the network.
//! - [`validate`]: raft-rs aborts on impossible messages by design; they are refused here first.

mod core;
mod log;
#[cfg(test)]
mod tests;
mod validate;
mod wire;

pub use self::core::{Options, Raft};
pub use self::log::Error;
