//! Configuration updates: from what someone asks for to the next configuration.
//!
//! An update lists what it read and what it writes. It is applied if everything it read still has
//! its version, everything it writes has the next one, and the policy that guards each element it
//! changes is satisfied. [`propose`] does this at the orderer, [`validate`] repeats it at every
//! node; [`compute`] makes the update that leads from one configuration to another, [`sign`] and
//! [`envelope`] prepare it for submission.

mod authorize;
mod compute;
mod envelope;
pub mod tree;

use proto::common::{self, Config, ConfigEnvelope, ConfigUpdate, ConfigUpdateEnvelope, HeaderType};
use proto::envelope::Envelope;

use crate::{Bundle, config, policy};

pub use compute::compute;
pub use envelope::{envelope, sign};
pub use tree::TreeError;

/// Why an update is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A layer of the message does not decode.
    #[error("decode {0}")]
    Decode(&'static str),
    /// A part is missing.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// The update is for another channel.
    #[error("config update for channel '{update}' but envelope for channel '{channel}'")]
    Channel {
        /// Channel named in the update.
        update: String,
        /// The channel it was sent to.
        channel: String,
    },
    /// The read or write set is out of shape.
    #[error("bad {set}")]
    Tree {
        /// Which set.
        set: &'static str,
        /// What is wrong.
        #[source]
        source: TreeError,
    },
    /// Something the update read does not exist.
    #[error("existing config does not contain element for {0} but was in the read set")]
    NotInConfig(String),
    /// Something the update read has another version by now.
    #[error(
        "proposed update requires that key {key} be at version {read}, but it is currently at \
         version {current}"
    )]
    ReadVersion {
        /// The element.
        key: String,
        /// Version the update read.
        read: u64,
        /// Version it has.
        current: u64,
    },
    /// The update changes nothing.
    #[error("delta set was empty -- update would have no effect")]
    Empty,
    /// An element has no usable modification policy.
    #[error("invalid mod_policy for element {0}")]
    ModPolicy(String),
    /// A new element must start at version 0.
    #[error("attempted to set key {key} to version {version}, but key does not exist")]
    NewVersion {
        /// The element.
        key: String,
        /// Version the update gives it.
        version: u64,
    },
    /// A changed element must have the next version.
    #[error("attempt to set key {key} to version {version}, but key is at version {current}")]
    WriteVersion {
        /// The element.
        key: String,
        /// Version the update gives it.
        version: u64,
        /// Version it has.
        current: u64,
    },
    /// The policy that guards an element is not satisfied.
    #[error("policy for {key} not satisfied: {source}")]
    Policy {
        /// The element.
        key: String,
        /// What is missing.
        source: policy::Error,
    },
    /// An element that the result would need is missing.
    #[error("bad resulting config")]
    Result(#[source] TreeError),
    /// The resulting configuration breaks a rule.
    #[error("config update would lead to a bad configuration")]
    Config(#[from] config::Error),
    /// The configuration does not carry the next sequence number.
    #[error("config currently at sequence {current}, cannot validate config at sequence {next}")]
    Sequence {
        /// The current number.
        current: u64,
        /// The number found.
        next: u64,
    },
    /// The configuration is not what its update leads to.
    #[error("the update carried by the config does not lead to that config")]
    Mismatch,
    /// There is nothing to update.
    #[error("no differences detected between original and updated config")]
    NoDifference,
    /// The signer failed.
    #[error("sign config update")]
    Sign(#[source] msp::Error),
}

/// The configuration an update leads to, with the bundle made of it.
#[derive(Debug)]
pub struct Proposed {
    /// What goes into the config block.
    pub envelope: ConfigEnvelope,
    /// The same, compiled.
    pub bundle: Bundle,
}

/// Applies an envelope of type `CONFIG_UPDATE`. The submitter's own signature on the envelope is
/// the caller's concern.
pub fn propose(current: &Bundle, update: &common::Envelope) -> Result<Proposed, Error> {
    let root = authorize::apply(current, &update_of(current, update)?)?;
    let config =
        Config { sequence: current.sequence().saturating_add(1), channel_group: Some(root) };
    let bundle = Bundle::new(current.channel_id(), config.clone())?;
    current.check_transition(&bundle)?;
    let envelope = ConfigEnvelope { config: Some(config), last_update: Some(update.clone()) };
    Ok(Proposed { envelope, bundle })
}

/// Checks that a config block's content is what its update leads to from the current
/// configuration, and gives the bundle made of it.
pub fn validate(current: &Bundle, next: &ConfigEnvelope) -> Result<Bundle, Error> {
    let config = next.config.as_ref().ok_or(Error::Missing("config"))?;
    if Some(config.sequence) != current.sequence().checked_add(1) {
        return Err(Error::Sequence { current: current.sequence(), next: config.sequence });
    }
    let update = next.last_update.as_ref().ok_or(Error::Missing("last update"))?;
    let root = authorize::apply(current, &update_of(current, update)?)?;
    if config.channel_group.as_ref() != Some(&root) {
        return Err(Error::Mismatch);
    }
    let bundle = Bundle::new(current.channel_id(), config.clone())?;
    current.check_transition(&bundle)?;
    Ok(bundle)
}

/// The update in an envelope of type `CONFIG_UPDATE`.
fn update_of(current: &Bundle, update: &common::Envelope) -> Result<ConfigUpdateEnvelope, Error> {
    let envelope = Envelope::peel(update.clone()).map_err(|_| Error::Decode("envelope"))?;
    let header = envelope.channel_header;
    if header.r#type != HeaderType::ConfigUpdate as i32 {
        return Err(Error::Missing("header type CONFIG_UPDATE"));
    }
    if header.channel_id != current.channel_id() {
        let channel = current.channel_id().to_owned();
        return Err(Error::Channel { update: header.channel_id, channel });
    }
    proto::decode(envelope.data).map_err(|_| Error::Decode("config update envelope"))
}

/// The update an envelope carries, decoded.
pub fn decode(envelope: &ConfigUpdateEnvelope) -> Result<ConfigUpdate, Error> {
    proto::decode(envelope.config_update.clone()).map_err(|_| Error::Decode("config update"))
}
