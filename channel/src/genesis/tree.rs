//! The configuration tree of a profile.

use bytes::Bytes;
use prost::Message;
use proto::common::{
    self, BlockDataHashingStructure, ConfigGroup, ConfigPolicy, ConfigValue, HashingAlgorithm,
    OrdererAddresses,
};
use proto::etcdraft;
use proto::orderer::{BatchTimeout, ChannelRestrictions, ConsensusType};
use proto::peer::{AcLs, AnchorPeer, AnchorPeers, ApiResource};

use super::{Application, Error, Orderer, Organization, Policies, Profile};
use crate::config::{Capabilities, key, orderer::ETCDRAFT};
use crate::{duration, policy};

/// Policy that guards every element.
const MOD_POLICY: &str = "Admins";

pub(super) fn root(profile: &Profile) -> Result<ConfigGroup, Error> {
    let mut root = group("/Channel", &profile.policies)?;
    set(&mut root, key::HASHING_ALGORITHM, &HashingAlgorithm { name: "SHA256".into() });
    let structure = BlockDataHashingStructure { width: u32::MAX };
    set(&mut root, key::BLOCK_DATA_HASHING_STRUCTURE, &structure);
    set_capabilities(&mut root, &profile.capabilities);
    root.groups.insert(key::ORDERER.into(), orderer(&profile.orderer)?);
    root.groups.insert(key::APPLICATION.into(), application(&profile.application)?);
    Ok(root)
}

fn orderer(orderer: &Orderer) -> Result<ConfigGroup, Error> {
    let path = "/Channel/Orderer";
    let mut section = group(path, &orderer.policies)?;
    let metadata = etcdraft::ConfigMetadata {
        consenters: orderer.raft.consenters.clone(),
        options: Some(orderer.raft.options.clone()),
    };
    let consensus = ConsensusType {
        r#type: ETCDRAFT.into(),
        metadata: metadata.encode_to_vec().into(),
        state: 0,
    };
    set(&mut section, key::CONSENSUS_TYPE, &consensus);
    set(&mut section, key::BATCH_SIZE, &orderer.batch_size);
    let timeout = BatchTimeout { timeout: duration::format(orderer.batch_timeout) };
    set(&mut section, key::BATCH_TIMEOUT, &timeout);
    let restrictions = ChannelRestrictions { max_count: orderer.max_channels };
    set(&mut section, key::CHANNEL_RESTRICTIONS, &restrictions);
    set_capabilities(&mut section, &orderer.capabilities);
    for organization in &orderer.organizations {
        let mut org = org_group(path, organization)?;
        if !organization.endpoints.is_empty() {
            let addresses = OrdererAddresses { addresses: organization.endpoints.clone() };
            set(&mut org, key::ENDPOINTS, &addresses);
        }
        section.groups.insert(organization.name.clone(), org);
    }
    Ok(section)
}

fn application(application: &Application) -> Result<ConfigGroup, Error> {
    let path = "/Channel/Application";
    let mut section = group(path, &application.policies)?;
    if !application.acls.is_empty() {
        let acls = application.acls.iter();
        let acls =
            acls.map(|(name, policy)| (name.clone(), ApiResource { policy_ref: policy.clone() }));
        set(&mut section, key::ACLS, &AcLs { acls: acls.collect() });
    }
    set_capabilities(&mut section, &application.capabilities);
    for organization in &application.organizations {
        let mut org = org_group(path, organization)?;
        if !organization.anchor_peers.is_empty() {
            let peers = organization.anchor_peers.iter();
            let anchor_peers =
                peers.map(|(host, port)| AnchorPeer { host: host.clone(), port: i32::from(*port) });
            set(&mut org, key::ANCHOR_PEERS, &AnchorPeers { anchor_peers: anchor_peers.collect() });
        }
        section.groups.insert(organization.name.clone(), org);
    }
    Ok(section)
}

/// The group of an organization, ready to be added to a section.
fn org_group(section: &str, organization: &Organization) -> Result<ConfigGroup, Error> {
    let path = format!("{section}/{}", organization.name);
    let mut org = group(&path, &organization.policies)?;
    set(&mut org, key::MSP, &organization.msp);
    Ok(org)
}

fn group(path: &str, policies: &Policies) -> Result<ConfigGroup, Error> {
    let policies = policies.iter().map(|(name, text)| {
        let policy = policy::dsl::parse_policy(text).map_err(|source| Error::Policy {
            group: path.to_owned(),
            name: name.clone(),
            source,
        })?;
        Ok((name.clone(), config_policy(policy)))
    });
    Ok(ConfigGroup {
        policies: policies.collect::<Result<_, Error>>()?,
        mod_policy: MOD_POLICY.into(),
        ..Default::default()
    })
}

fn config_policy(policy: common::Policy) -> ConfigPolicy {
    ConfigPolicy { version: 0, policy: Some(policy), mod_policy: MOD_POLICY.into() }
}

fn set(group: &mut ConfigGroup, key: &str, value: &impl Message) {
    set_bytes(group, key, value.encode_to_vec().into());
}

fn set_bytes(group: &mut ConfigGroup, key: &str, value: Bytes) {
    let value = ConfigValue { version: 0, value, mod_policy: MOD_POLICY.into() };
    group.values.insert(key.to_owned(), value);
}

fn set_capabilities(group: &mut ConfigGroup, names: &[String]) {
    if !names.is_empty() {
        set_bytes(group, key::CAPABILITIES, Capabilities::encode(names));
    }
}
