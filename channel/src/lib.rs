//! What a consortium has agreed on: configuration, policies, configuration updates, genesis.
//!
//! A [`Bundle`] is an immutable snapshot of a channel's configuration with everything compiled:
//! organizations ([`msp::Manager`]), policies, typed sections. A config block replaces it; the way
//! there is [`update`]. Everything here is a pure function of its input: no I/O, no clock, except
//! that [`genesis`] stamps the block it makes.

#![forbid(unsafe_code)]

pub mod acl;
mod bundle;
mod channel_id;
pub mod config;
pub mod duration;
pub mod genesis;
pub mod policy;
mod signed_data;
pub mod update;

pub use bundle::{Bundle, Endpoints, config_envelope};
pub use channel_id::{ChannelIdError, validate_channel_id};
pub use config::{Application, ApplicationOrg, Error, Orderer, OrdererOrg};
pub use policy::Policy;
pub use signed_data::SignedData;
