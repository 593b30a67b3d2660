//! The channels this orderer serves.
//!
//! A [`Channel`] is a chain of blocks and the part this node plays in it: consenter, or follower
//! that only replicates. The [`Registry`] holds them, joins new ones and removes old ones.

mod block_writer;
mod channel;
mod consenters;
mod lifecycle;
mod registry;

pub use block_writer::{BlockWriter, Error as WriteError, State, consenter_metadata};
pub use channel::{Channel, Info, Relation, Status};
pub use consenters::{Consenter, Consenters, Error as ConsentersError};
pub use registry::{JoinError, OpenError, Registry, RemoveError};

pub(crate) use lifecycle::Shared;
