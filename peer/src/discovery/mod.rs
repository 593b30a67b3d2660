//! Discovery: tells clients and gateways who is on a channel, how it is configured, and which sets
//! of peers can endorse what they are about to do.
//!
//! [`layouts`] computes which endorsements satisfy given policies. Who is alive comes from gossip,
//! behind [`Membership`].

pub mod layouts;
mod membership;

pub use membership::{Membership, PeerInfo};
