//! The immutable snapshot of a channel's configuration.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use proto::block;
use proto::common::application_policy::Type;
use proto::common::{ApplicationPolicy, Block, Config, ConfigEnvelope, ConfigGroup, HeaderType};
use proto::envelope::Envelope;

use crate::config::organization::Organizations;
use crate::config::values::Group;
use crate::config::{Application, Channel, Error, Orderer, key};
use crate::policy::{self, Policy};
use crate::update::tree;
use crate::{SignedData, validate_channel_id};

/// A channel's configuration at one sequence number, checked and compiled. It never changes; a
/// config block makes a new one.
pub struct Bundle {
    channel_id: String,
    config: Config,
    channel: Channel,
    application: Option<Application>,
    orderer: Option<Orderer>,
    msps: Arc<msp::Manager>,
    policies: policy::Manager,
}

/// Where the orderers of one organization are reached, and whom to trust there.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Endpoints {
    /// MSP ID of the organization; empty for addresses that belong to no organization.
    pub msp_id: String,
    /// Addresses, as `host:port`.
    pub addresses: Vec<String>,
    /// MSP IDs of the organizations whose TLS authorities may have issued the server's
    /// certificate.
    pub trusted: Vec<String>,
}

impl fmt::Debug for Bundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bundle")
            .field("channel_id", &self.channel_id)
            .field("sequence", &self.config.sequence)
            .finish_non_exhaustive()
    }
}

impl Bundle {
    /// Checks and compiles a configuration.
    pub fn new(channel_id: impl Into<String>, config: Config) -> Result<Self, Error> {
        let channel_id = channel_id.into();
        validate_channel_id(&channel_id)?;
        let root = config.channel_group.as_ref().ok_or(Error::Missing("channel group"))?;
        tree::map(root)?;
        check_groups(root)?;
        let channel = Channel::read(Group { path: "/Channel", group: root })?;
        let mut organizations = Organizations::new(channel.msp_version());
        let application = root
            .groups
            .get(key::APPLICATION)
            .map(|group| {
                let group = Group { path: "/Channel/Application", group };
                Application::read(group, &mut organizations)
            })
            .transpose()?;
        let orderer = root
            .groups
            .get(key::ORDERER)
            .map(|group| {
                let group = Group { path: "/Channel/Orderer", group };
                Orderer::read(group, &mut organizations, channel.v3())
            })
            .transpose()?;
        let failed = |source| Error::Msp { group: "/Channel".into(), source };
        let msps = Arc::new(msp::Manager::new(organizations.into_msps()).map_err(failed)?);
        let policies = policy::Manager::new(root, &msps)?;
        Ok(Self { channel_id, channel, application, orderer, msps, policies, config })
    }

    /// The configuration a config envelope carries.
    pub fn from_envelope(channel_id: &str, envelope: &ConfigEnvelope) -> Result<Self, Error> {
        Self::new(channel_id, envelope.config.clone().ok_or(Error::Missing("config"))?)
    }

    /// The configuration a config block carries.
    pub fn from_block(block: &Block) -> Result<Self, Error> {
        let (channel_id, envelope) = config_envelope(block)?;
        Self::from_envelope(&channel_id, &envelope)
    }

    /// Like [`Self::from_block`], with the checks a node makes before it joins a channel.
    pub fn from_join_block(block: &Block) -> Result<Self, Error> {
        block.metadata.as_ref().ok_or(Error::NotConfig("it has no metadata"))?;
        block::verify_data_hash(block)
            .map_err(|_| Error::NotConfig("its data hash does not match the data"))?;
        let bundle = Self::from_block(block)?;
        bundle.application().ok_or(Error::Missing("Application group"))?;
        Ok(bundle)
    }

    /// The channel's name.
    pub fn channel_id(&self) -> &str {
        &self.channel_id
    }

    /// How many updates led here.
    pub fn sequence(&self) -> u64 {
        self.config.sequence
    }

    /// The configuration itself.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The root group.
    pub fn root(&self) -> &ConfigGroup {
        static EMPTY: std::sync::LazyLock<ConfigGroup> =
            std::sync::LazyLock::new(ConfigGroup::default);
        self.config.channel_group.as_ref().unwrap_or(&EMPTY)
    }

    /// The organizations of the channel.
    pub fn msps(&self) -> &Arc<msp::Manager> {
        &self.msps
    }

    /// What is agreed on for the whole channel.
    pub fn channel(&self) -> &Channel {
        &self.channel
    }

    /// The section of the organizations that use the channel.
    pub fn application(&self) -> Option<&Application> {
        self.application.as_ref()
    }

    /// The section of the organizations that order.
    pub fn orderer(&self) -> Option<&Orderer> {
        self.orderer.as_ref()
    }

    /// All policies.
    pub fn policies(&self) -> &policy::Manager {
        &self.policies
    }

    /// Whether there is a policy of that name.
    pub fn has_policy(&self, path: &str) -> bool {
        self.policies.policy(path).is_ok()
    }

    /// The policy of a name, as `/Channel/Application/Writers`.
    pub fn policy(&self, path: &str) -> Result<Policy, policy::Error> {
        self.policies.policy(path)
    }

    /// Evaluates the policy of a name on signatures; an unknown policy is never satisfied.
    pub fn evaluate(&self, path: &str, signatures: &[SignedData]) -> Result<(), policy::Error> {
        self.policy(path)?.evaluate(signatures)
    }

    /// A policy of a chaincode definition or a collection. References are resolved now, against
    /// this configuration.
    pub fn application_policy(&self, policy: &ApplicationPolicy) -> Result<Policy, policy::Error> {
        match policy.r#type.as_ref().ok_or(policy::Error::EmptyRule)? {
            Type::SignaturePolicy(envelope) => Policy::signature(envelope, &self.msps),
            Type::ChannelConfigPolicyReference(path) => self.policy(path),
        }
    }

    /// Like [`Self::application_policy`], for the encoded policy.
    pub fn application_policy_bytes(&self, bytes: &[u8]) -> Result<Policy, policy::Error> {
        let policy = proto::decode::<ApplicationPolicy>(Bytes::copy_from_slice(bytes))
            .map_err(|_| policy::Error::Decode("application policy"))?;
        self.application_policy(&policy)
    }

    /// Where the channel's orderers are reached, by organization. The addresses of the whole
    /// channel serve only if no organization has its own.
    pub fn orderer_endpoints(&self) -> Vec<Endpoints> {
        let Some(orderer) = &self.orderer else { return Vec::new() };
        let own: Vec<_> = orderer
            .orgs
            .values()
            .filter(|org| !org.endpoints.is_empty())
            .map(|org| Endpoints {
                msp_id: org.msp_id.clone(),
                addresses: org.endpoints.clone(),
                trusted: vec![org.msp_id.clone()],
            })
            .collect();
        if !own.is_empty() || self.channel.orderer_addresses.is_empty() {
            return own;
        }
        vec![Endpoints {
            msp_id: String::new(),
            addresses: self.channel.orderer_addresses.clone(),
            trusted: orderer.orgs.values().map(|org| org.msp_id.clone()).collect(),
        }]
    }

    /// Checks that `next` may follow this configuration: sections stay, none comes that may not,
    /// and no organization changes its MSP ID.
    pub fn check_transition(&self, next: &Self) -> Result<(), Error> {
        if let Some(orderer) = &self.orderer {
            let missing = "current config has orderer section, but new config does not";
            let next = next.orderer.as_ref().ok_or(Error::Transition(missing.into()))?;
            for (name, org) in &orderer.orgs {
                same_msp_id("orderer", name, &org.msp_id, next.orgs.get(name).map(|o| &o.msp_id))?;
            }
        }
        if let Some(application) = &self.application {
            let missing = "current config has application section, but new config does not";
            let next = next.application.as_ref().ok_or(Error::Transition(missing.into()))?;
            for (name, org) in &application.orgs {
                let next = next.orgs.get(name).map(|org| &org.msp_id);
                same_msp_id("application", name, &org.msp_id, next)?;
            }
        }
        Ok(())
    }
}

fn same_msp_id(
    section: &str,
    name: &str,
    current: &str,
    next: Option<&String>,
) -> Result<(), Error> {
    match next {
        Some(next) if next != current => Err(Error::Transition(format!(
            "{section} org {name} attempted to change MSP ID from {current} to {next}"
        ))),
        _ => Ok(()),
    }
}

/// Only two groups may stand under the root, and they need the orderer's capabilities for theirs.
fn check_groups(root: &ConfigGroup) -> Result<(), Error> {
    let known = |name: &str| name == key::APPLICATION || name == key::ORDERER;
    if let Some(name) = root.groups.keys().find(|name| !known(name)) {
        return Err(Error::DisallowedGroup(format!("/Channel/{name}")));
    }
    let requires = |group: &ConfigGroup| group.values.contains_key(key::CAPABILITIES);
    if root.groups.get(key::ORDERER).is_none_or(requires) {
        return Ok(());
    }
    if requires(root) {
        return Err(Error::CapabilitiesWithoutOrderer("channel"));
    }
    if root.groups.get(key::APPLICATION).is_some_and(requires) {
        return Err(Error::CapabilitiesWithoutOrderer("application"));
    }
    Ok(())
}

/// The channel's name and the config envelope in a config block.
pub fn config_envelope(block: &Block) -> Result<(String, ConfigEnvelope), Error> {
    let [envelope] = block::envelopes(block) else {
        return Err(Error::NotConfig("it does not hold exactly one envelope"));
    };
    let envelope = Envelope::parse(envelope.clone())
        .map_err(|_| Error::NotConfig("its envelope does not decode"))?;
    if envelope.channel_header.r#type != HeaderType::Config as i32 {
        return Err(Error::NotConfig("its envelope is not of type CONFIG"));
    }
    let config = proto::decode(envelope.data)
        .map_err(|_| Error::NotConfig("its config envelope does not decode"))?;
    Ok((envelope.channel_header.channel_id, config))
}
