//! The organizations of a generated channel, with authorities and keys.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use bytes::Bytes;
use channel::genesis::{Organization, Profile};
use msp::SigningIdentity;
use msp::authority::{Authority, Subject, Template, Usage};
use msp::keys::PrivateKey;
use peer::lifecycle::Definition;
use peer::lifecycle::state::{field_key, metadata_key};
use prost::Message;
use proto::common::Block;
use proto::kvrwset::{KvWrite, KvrwSet};
use proto::lifecycle::StateMetadata;
use proto::msp::{FabricMspConfig, FabricNodeOUs, FabricOuIdentifier, MspConfig};
use proto::rwset::NsReadWriteSet;

/// Name of the channel.
pub(super) const CHANNEL: &str = "bench";
/// Name of the chaincode, which exists by its definition only.
pub(super) const CHAINCODE: &str = "bench";

/// Certificates are valid between these times; validation does not look at the clock.
const VALID: (i64, i64) = (1_700_000_000, 4_000_000_000);

/// Those who sign.
#[derive(Debug)]
pub(super) struct Consortium {
    /// Who sends the transactions.
    pub(super) client: SigningIdentity,
    /// One peer of each organization. All must endorse.
    pub(super) peers: Vec<SigningIdentity>,
    /// Who orders.
    pub(super) orderer: SigningIdentity,
    /// The first block.
    pub(super) genesis: Block,
}

impl Consortium {
    /// Founds a channel of so many organizations.
    pub(super) fn new(organizations: usize) -> Result<Self> {
        let mut profile = Profile::new(CHANNEL);
        let ordering = Founder::new("OrdererMSP")?;
        let mut group = Organization::ordering("Orderers", "OrdererMSP", ordering.definition());
        group.endpoints = vec!["localhost:7050".to_owned()];
        profile.orderer.organizations = vec![group];
        profile.orderer.raft.consenters = vec![ordering.consenter()?];
        let mut users = Vec::new();
        for number in 1..=organizations.max(1) {
            let founder = Founder::new(&msp_id(number))?;
            let group = Organization::using(msp_id(number), &msp_id(number), founder.definition());
            profile.application.organizations.push(group);
            users.push(founder);
        }
        let peers = users.iter().map(|user| user.identity("peer0", "peer"));
        let first = users.first().context("there is no organization")?;
        Ok(Self {
            client: first.identity("user1", "client")?,
            peers: peers.collect::<Result<_>>()?,
            orderer: ordering.identity("orderer0", "orderer")?,
            genesis: profile.block().context("make the genesis block")?,
        })
    }

    /// What defining the chaincode writes. Its policy asks for a peer of every organization.
    pub(super) fn definition(&self) -> Result<NsReadWriteSet> {
        let peers: Vec<_> =
            (1..=self.peers.len()).map(|number| format!("'{}.peer'", msp_id(number))).collect();
        let policy = format!("OutOf({}, {})", peers.len(), peers.join(", "));
        let policy = channel::policy::dsl::parse(&policy).context("parse the policy")?;
        let mut definition = Definition { sequence: 1, ..Definition::default() };
        definition.parameters.endorsement.version = "1.0".to_owned();
        definition.parameters.endorsement.endorsement_plugin = "escc".to_owned();
        definition.parameters.validation.validation_plugin = "vscc".to_owned();
        definition.parameters.validation.validation_parameter =
            channel::policy::signature_policy(policy).encode_to_vec().into();
        let record = definition.record();
        let metadata = StateMetadata {
            datatype: record.datatype.into(),
            fields: record.fields.iter().map(|(name, _)| (*name).to_owned()).collect(),
        };
        let key = metadata_key("namespaces", CHAINCODE);
        let mut writes = vec![write(key, metadata.encode_to_vec().into())];
        for (field, value) in &record.fields {
            let key = field_key("namespaces", CHAINCODE, field);
            writes.push(write(key, Bytes::copy_from_slice(value)));
        }
        Ok(NsReadWriteSet {
            namespace: "_lifecycle".to_owned(),
            rwset: KvrwSet { writes, ..KvrwSet::default() }.encode_to_vec().into(),
            ..NsReadWriteSet::default()
        })
    }
}

fn msp_id(number: usize) -> String {
    format!("Org{number}MSP")
}

pub(super) fn write(key: String, value: Bytes) -> KvWrite {
    KvWrite { key, is_delete: false, value }
}

/// An organization with its authorities.
struct Founder {
    msp_id: String,
    authority: Authority,
    tls: Authority,
}

impl Founder {
    fn new(msp_id: &str) -> Result<Self> {
        let authority = |kind: &str| {
            let common_name = format!("{kind}.{msp_id}");
            let subject = Subject { common_name, ..Subject::default() };
            Authority::generate(&subject, VALID.0, VALID.1).context("make an authority")
        };
        let (authority, tls) = (authority("ca")?, authority("tlsca")?);
        Ok(Self { msp_id: msp_id.to_owned(), authority, tls })
    }

    fn identity(&self, name: &str, role: &str) -> Result<SigningIdentity> {
        let key = PrivateKey::generate().context("make a key")?;
        let template = template(name, Usage::Identity, vec![role.to_owned()]);
        let certificate = self.authority.issue(key.public(), &template)?;
        Ok(SigningIdentity::new(&self.msp_id, certificate, key)?)
    }

    fn consenter(&self) -> Result<proto::etcdraft::Consenter> {
        let key = PrivateKey::generate().context("make a key")?;
        let template = template("localhost", Usage::Tls, vec![]);
        let certificate = Bytes::from(self.tls.issue(key.public(), &template)?.to_pem());
        Ok(proto::etcdraft::Consenter {
            host: "localhost".to_owned(),
            port: 7050,
            client_tls_cert: certificate.clone(),
            server_tls_cert: certificate,
        })
    }

    fn definition(&self) -> MspConfig {
        let unit = |name: &str| {
            let organizational_unit_identifier = name.to_owned();
            Some(FabricOuIdentifier { certificate: Bytes::new(), organizational_unit_identifier })
        };
        let config = FabricMspConfig {
            name: self.msp_id.clone(),
            root_certs: vec![self.authority.certificate().to_pem().into()],
            crypto_config: Some(msp::directory::default_crypto()),
            tls_root_certs: vec![self.tls.certificate().to_pem().into()],
            fabric_node_ous: Some(FabricNodeOUs {
                enable: true,
                client_ou_identifier: unit("client"),
                peer_ou_identifier: unit("peer"),
                admin_ou_identifier: unit("admin"),
                orderer_ou_identifier: unit("orderer"),
            }),
            ..FabricMspConfig::default()
        };
        MspConfig { r#type: 0, config: config.encode_to_vec().into() }
    }
}

fn template(name: &str, usage: Usage, units: Vec<String>) -> Template {
    Template {
        subject: Subject {
            common_name: name.to_owned(),
            organizational_units: units,
            ..Subject::default()
        },
        usage,
        hosts: vec!["localhost".to_owned()],
        attributes: BTreeMap::new(),
        not_before: VALID.0,
        not_after: VALID.1,
    }
}
