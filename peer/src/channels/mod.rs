//! The channels this peer has joined: for each its ledger, its agreed configuration and the news of
//! its commits.
//!
//! A [`Channel`] is what every other module of the peer holds on to. It does not move blocks: the
//! committer of the channel does, and tells the channel about each block it has made durable.

mod channel;
mod commits;
mod registry;

pub use channel::{Channel, State};
pub use commits::{CommitStatus, Commits, TooManyWaiters, Waiter};
pub use registry::{Channels, Error};
