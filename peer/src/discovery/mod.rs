//! Discovery: tells clients and gateways who is on a channel, how it is configured, and which sets
//! of peers can endorse what they are about to do.
//!
//! [`Planner`] finds the endorsers of a call and how many of them are needed ([`layouts`]); the
//! gateway of this peer asks it directly, others ask through [`Service`]. Who is alive comes from
//! gossip, behind [`Membership`].

pub mod layouts;
mod membership;
mod planner;
mod question;
mod service;

pub use layouts::Layout;
pub use membership::{Membership, PeerInfo};
pub use planner::{Descriptor, Error, Planner, by_height};
pub use service::Service;
