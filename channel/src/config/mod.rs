//! The typed sections of a channel's configuration, and the rules each must keep.
//!
//! Unknown groups and values are refused: a node that does not understand what the others agreed
//! on must stop rather than diverge.

mod application;
pub mod capabilities;
mod channel;
pub(crate) mod orderer;
pub(crate) mod organization;
pub mod raft;
pub(crate) mod values;

use crate::channel_id::ChannelIdError;
use crate::policy;
use crate::update::TreeError;

pub use application::{Application, ApplicationOrg};
pub use capabilities::Capabilities;
pub use channel::Channel;
pub use orderer::{BatchSize, Orderer, OrdererOrg, State};

/// Names of groups, values and policies.
pub mod key {
    /// Group of the organizations that use the channel.
    pub const APPLICATION: &str = "Application";
    /// Group of the organizations that order.
    pub const ORDERER: &str = "Orderer";
    /// Group of a system channel, which is refused.
    pub const CONSORTIUMS: &str = "Consortiums";
    /// What all nodes must understand.
    pub const CAPABILITIES: &str = "Capabilities";
    /// Name of the hash function.
    pub const HASHING_ALGORITHM: &str = "HashingAlgorithm";
    /// Width of the hash tree over a block's data.
    pub const BLOCK_DATA_HASHING_STRUCTURE: &str = "BlockDataHashingStructure";
    /// Addresses of all orderers, superseded by those of each organization.
    pub const ORDERER_ADDRESSES: &str = "OrdererAddresses";
    /// Name of the consortium a system channel created the channel for.
    pub const CONSORTIUM: &str = "Consortium";
    /// Which consensus, with its own settings.
    pub const CONSENSUS_TYPE: &str = "ConsensusType";
    /// Limits of a block.
    pub const BATCH_SIZE: &str = "BatchSize";
    /// How long a message may wait for others.
    pub const BATCH_TIMEOUT: &str = "BatchTimeout";
    /// How many channels may exist.
    pub const CHANNEL_RESTRICTIONS: &str = "ChannelRestrictions";
    /// Left from an ordering service that no longer exists.
    pub const KAFKA_BROKERS: &str = "KafkaBrokers";
    /// Consenters with their identities, for byzantine fault tolerance.
    pub const ORDERERS: &str = "Orderers";
    /// An organization's certificates.
    pub const MSP: &str = "MSP";
    /// Addresses of an organization's orderers.
    pub const ENDPOINTS: &str = "Endpoints";
    /// Peers through which organizations find each other.
    pub const ANCHOR_PEERS: &str = "AnchorPeers";
    /// Who may use which resource.
    pub const ACLS: &str = "ACLs";
    /// Policy that blocks must satisfy.
    pub const BLOCK_VALIDATION: &str = "BlockValidation";
}

/// Why a configuration is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The channel's name is not one.
    #[error("bad channel ID")]
    ChannelId(#[from] ChannelIdError),
    /// A block that should hold a configuration does not.
    #[error("block holds no configuration: {0}")]
    NotConfig(&'static str),
    /// A part is missing.
    #[error("configuration has no {0}")]
    Missing(&'static str),
    /// The tree itself is out of shape.
    #[error("bad configuration tree")]
    Tree(#[from] TreeError),
    /// A value does not decode.
    #[error("decode value {key} of {group}")]
    Decode {
        /// Path of the group.
        group: String,
        /// The value's key.
        key: String,
    },
    /// A value nobody knows.
    #[error("unexpected key {key} in {group}")]
    UnexpectedKey {
        /// Path of the group.
        group: String,
        /// The value's key.
        key: String,
    },
    /// A group that may not exist there.
    #[error("disallowed group {0}")]
    DisallowedGroup(String),
    /// A capability this node does not have.
    #[error("{section} capability {name} is required but not supported")]
    UnsupportedCapability {
        /// Whose capability.
        section: &'static str,
        /// Its name.
        name: String,
    },
    /// Capabilities of other sections need those of the orderer section.
    #[error("cannot enable {0} capabilities without orderer support first")]
    CapabilitiesWithoutOrderer(&'static str),
    /// A value breaks its rule.
    #[error("{0}")]
    Invalid(String),
    /// An organization's certificates are refused.
    #[error("MSP of {group}")]
    Msp {
        /// Path of the organization's group.
        group: String,
        /// Why.
        #[source]
        source: msp::SetupError,
    },
    /// Two groups define the same organization differently.
    #[error("attempted to define two different versions of MSP: {0}")]
    TwoVersions(String),
    /// A policy does not compile.
    #[error(transparent)]
    Policy(#[from] policy::CompileError),
    /// The step from the current configuration to this one is not allowed.
    #[error("{0}")]
    Transition(String),
}
