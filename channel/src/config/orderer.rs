//! The section of the organizations that order.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use proto::common::{self, OrdererAddresses, Orderers};
use proto::etcdraft;
use proto::orderer::{self as wire, BatchTimeout, ChannelRestrictions, ConsensusType};

use super::capabilities::{Capabilities, Section};
use super::organization::Organizations;
use super::{Error, key, values::Group};
use crate::duration;

pub use proto::orderer::BatchSize;
pub use proto::orderer::consensus_type::State;

/// The organizations that order and what they agreed on.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Orderer {
    /// Name of the consensus, as `etcdraft`.
    pub consensus_type: String,
    /// Its own settings, encoded.
    pub consensus_metadata: Bytes,
    /// Normal, or open to maintenance only.
    pub state: State,
    /// Limits of a block.
    pub batch_size: BatchSize,
    /// How long a message may wait for others.
    pub batch_timeout: Duration,
    /// How many channels may exist, 0 for no limit.
    pub max_channels: u64,
    /// By the names of their groups.
    pub orgs: BTreeMap<String, OrdererOrg>,
    /// What every orderer must understand.
    pub capabilities: Capabilities,
    /// The consenters with their identities, for byzantine fault tolerance.
    pub consenter_mapping: Vec<common::Consenter>,
    raft: Option<etcdraft::ConfigMetadata>,
}

/// An organization that orders.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OrdererOrg {
    /// Its MSP ID.
    pub msp_id: String,
    /// Addresses of its orderers, as `host:port`.
    pub endpoints: Vec<String>,
}

const KEYS: [&str; 7] = [
    key::CONSENSUS_TYPE,
    key::BATCH_SIZE,
    key::BATCH_TIMEOUT,
    key::CHANNEL_RESTRICTIONS,
    key::CAPABILITIES,
    key::KAFKA_BROKERS,
    key::ORDERERS,
];

/// Name of the consensus whose metadata is [`etcdraft::ConfigMetadata`].
pub(crate) const ETCDRAFT: &str = "etcdraft";

impl Orderer {
    pub(crate) fn read(
        group: Group<'_>,
        organizations: &mut Organizations,
        v3: bool,
    ) -> Result<Self, Error> {
        let group = group.only(&KEYS)?;
        let consensus: ConsensusType = group.get(key::CONSENSUS_TYPE)?;
        let batch_timeout: BatchTimeout = group.get(key::BATCH_TIMEOUT)?;
        let restrictions: ChannelRestrictions = group.get(key::CHANNEL_RESTRICTIONS)?;
        let mapping: Orderers = group.get(key::ORDERERS)?;
        let _: wire::KafkaBrokers = group.get(key::KAFKA_BROKERS)?;
        let raft = (consensus.r#type == ETCDRAFT)
            .then(|| proto::decode::<etcdraft::ConfigMetadata>(consensus.metadata.clone()).ok())
            .flatten();
        Ok(Self {
            capabilities: Capabilities::read(Section::Orderer, group)?,
            state: consensus.state(),
            consensus_type: consensus.r#type,
            consensus_metadata: consensus.metadata,
            batch_size: read_batch_size(group)?,
            batch_timeout: read_batch_timeout(&batch_timeout.timeout)?,
            max_channels: restrictions.max_count,
            orgs: read_orgs(group, organizations, v3)?,
            consenter_mapping: mapping.consenter_mapping,
            raft,
        })
    }

    /// The Raft settings; `None` for another consensus, and if they do not decode.
    pub fn raft(&self) -> Option<&etcdraft::ConfigMetadata> {
        self.raft.as_ref()
    }

    /// The Raft consenters, in the order of the configuration.
    pub fn consenters(&self) -> &[etcdraft::Consenter] {
        self.raft.as_ref().map_or(&[], |raft| &raft.consenters)
    }

    /// Whether only maintenance is allowed.
    pub fn in_maintenance(&self) -> bool {
        self.state == State::Maintenance
    }
}

fn read_batch_size(group: Group<'_>) -> Result<BatchSize, Error> {
    let size: BatchSize = group.get(key::BATCH_SIZE)?;
    for (name, value) in [
        ("max message count", size.max_message_count),
        ("absolute max bytes", size.absolute_max_bytes),
        ("preferred max bytes", size.preferred_max_bytes),
    ] {
        if value == 0 {
            return Err(Error::Invalid(format!("batch size {name} must not be 0")));
        }
    }
    if size.preferred_max_bytes > size.absolute_max_bytes {
        return Err(Error::Invalid(format!(
            "batch size preferred max bytes ({}) is greater than the absolute max bytes ({})",
            size.preferred_max_bytes, size.absolute_max_bytes
        )));
    }
    Ok(size)
}

fn read_batch_timeout(text: &str) -> Result<Duration, Error> {
    match duration::parse(text) {
        Some(timeout) if !timeout.is_zero() => Ok(timeout),
        _ => Err(Error::Invalid(format!("batch timeout '{text}' is not a positive duration"))),
    }
}

fn read_orgs(
    group: Group<'_>,
    organizations: &mut Organizations,
    v3: bool,
) -> Result<BTreeMap<String, OrdererOrg>, Error> {
    let mut orgs = BTreeMap::new();
    for (name, org) in &group.group.groups {
        let path = format!("{}/{name}", group.path);
        let org = Group { path: &path, group: org };
        let org = org.without_groups()?.only(&[key::MSP, key::ENDPOINTS])?;
        let endpoints: OrdererAddresses = org.get(key::ENDPOINTS)?;
        if v3 && endpoints.addresses.is_empty() {
            return Err(Error::Invalid(format!("endpoints of {path} are missing")));
        }
        let msp_id = organizations.read(org)?;
        orgs.insert(name.clone(), OrdererOrg { msp_id, endpoints: endpoints.addresses });
    }
    Ok(orgs)
}
