//! The channels this peer has joined: for each its ledger, its agreed configuration and the news of
//! its commits.
//!
//! A [`Channel`] is what every other module of the peer holds on to. It does not move blocks: the
//! committer of the channel does, and tells the channel about each block it has made durable.
//!
//! A channel can be closed and opened again while the peer runs (`maintenance`). Each time it is
//! opened there is a new [`Channel`]; one that is being closed says so ([`Channel::closed`]), and
//! everyone who holds it for longer than a request must let go of it then. Keep a `Weak` or the
//! channel's id in what lives longer.

mod channel;
mod commits;
mod maintenance;
mod registry;
mod slot;
mod snapshot;
mod state;

pub use channel::Channel;
pub(crate) use channel::closed;
pub use commits::{CommitStatus, Commits, TooManyWaiters, Waiter};
pub use maintenance::Maintenance;
pub use registry::{Channels, Error, Status};
pub use state::{Operation, State, Work};
