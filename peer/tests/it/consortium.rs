//! A generated consortium: organizations with authorities, identities of every role, a channel.

use std::collections::BTreeMap;

use bytes::Bytes;
use channel::genesis::{Organization, Profile};
use msp::SigningIdentity;
use msp::authority::{Authority, Revoked, Subject, Template, Usage};
use msp::keys::PrivateKey;
use prost::Message;
use proto::common::Block;
use proto::msp::{FabricMspConfig, FabricNodeOUs, FabricOuIdentifier, MspConfig};

/// Certificates are valid between these times, which say nothing to validation.
const VALID: (i64, i64) = (1_700_000_000, 4_000_000_000);

/// An organization with its authorities.
pub struct Org {
    pub msp_id: String,
    authority: Authority,
    tls: Authority,
}

impl Org {
    pub fn new(msp_id: &str) -> Self {
        let authority = |kind: &str| {
            let common_name = format!("{kind}.{msp_id}");
            let subject = Subject { common_name, ..Subject::default() };
            Authority::generate(&subject, VALID.0, VALID.1).unwrap()
        };
        Self { msp_id: msp_id.into(), authority: authority("ca"), tls: authority("tlsca") }
    }

    /// A new identity with a role: client, peer, admin or orderer.
    pub fn identity(&self, name: &str, role: &str) -> SigningIdentity {
        self.identity_and_key(name, role).0
    }

    /// A new identity with a role, and its key as PEM.
    pub fn identity_and_key(&self, name: &str, role: &str) -> (SigningIdentity, String) {
        let key = PrivateKey::generate().unwrap();
        let pem = key.to_pem().unwrap();
        let template = template(name, Usage::Identity, vec![role.to_owned()]);
        let certificate = self.authority.issue(key.public(), &template).unwrap();
        (SigningIdentity::new(&self.msp_id, certificate, key).unwrap(), pem)
    }

    /// A new identity with this key.
    pub fn identity_of(&self, key: PrivateKey, name: &str, role: &str) -> SigningIdentity {
        let template = template(name, Usage::Identity, vec![role.into()]);
        let certificate = self.authority.issue(key.public(), &template).unwrap();
        SigningIdentity::new(&self.msp_id, certificate, key).unwrap()
    }

    /// A new identity whose certificate ends at this second.
    pub fn identity_until(&self, name: &str, role: &str, not_after: i64) -> SigningIdentity {
        let key = PrivateKey::generate().unwrap();
        let template = Template { not_after, ..template(name, Usage::Identity, vec![role.into()]) };
        let certificate = self.authority.issue(key.public(), &template).unwrap();
        SigningIdentity::new(&self.msp_id, certificate, key).unwrap()
    }

    /// A list that revokes these identities, as PEM.
    pub fn revocation_list(&self, identities: &[&SigningIdentity]) -> String {
        let revoked = identities.iter().map(|identity| Revoked {
            serial: identity.certificate().serial().to_vec(),
            time: VALID.0,
            reason: 0,
        });
        let revoked: Vec<_> = revoked.collect();
        self.authority.revocation_list(&revoked, 1, VALID.0, VALID.1).unwrap()
    }

    /// The authority's certificate, as PEM.
    pub fn root(&self) -> String {
        self.authority.certificate().to_pem()
    }

    /// A TLS certificate and its key, as PEM.
    pub fn tls(&self, host: &str) -> (String, String) {
        let key = PrivateKey::generate().unwrap();
        let template = template(host, Usage::Tls, vec![]);
        let certificate = self.tls.issue(key.public(), &template).unwrap();
        (certificate.to_pem(), key.to_pem().unwrap())
    }

    /// The TLS authority, as PEM.
    pub fn tls_root(&self) -> String {
        self.tls.certificate().to_pem()
    }

    /// The definition that goes into a channel.
    pub fn definition(&self) -> FabricMspConfig {
        let unit = |name: &str| {
            let organizational_unit_identifier = name.to_owned();
            Some(FabricOuIdentifier { certificate: Bytes::new(), organizational_unit_identifier })
        };
        FabricMspConfig {
            name: self.msp_id.clone(),
            root_certs: vec![self.authority.certificate().to_pem().into()],
            crypto_config: Some(msp::directory::default_crypto()),
            tls_root_certs: vec![self.tls_root().into()],
            fabric_node_ous: Some(FabricNodeOUs {
                enable: true,
                client_ou_identifier: unit("client"),
                peer_ou_identifier: unit("peer"),
                admin_ou_identifier: unit("admin"),
                orderer_ou_identifier: unit("orderer"),
            }),
            ..FabricMspConfig::default()
        }
    }

    fn config(&self) -> MspConfig {
        MspConfig { r#type: 0, config: self.definition().encode_to_vec().into() }
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
        hosts: vec!["localhost".into(), "127.0.0.1".into()],
        attributes: BTreeMap::new(),
        not_before: VALID.0,
        not_after: VALID.1,
    }
}

/// The first block of a channel of `users`, ordered by `orderer`. Each user may come with anchor
/// peers.
pub fn genesis(channel: &str, orderer: &Org, users: &[(&Org, Vec<(String, u16)>)]) -> Block {
    genesis_at(channel, orderer, "localhost:7050", users)
}

/// The same, with the address of the orderer.
pub fn genesis_at(
    channel: &str,
    orderer: &Org,
    address: &str,
    users: &[(&Org, Vec<(String, u16)>)],
) -> Block {
    let mut profile = Profile::new(channel);
    let mut ordering = Organization::ordering("Orderers", &orderer.msp_id, orderer.config());
    ordering.endpoints = vec![address.into()];
    profile.orderer.organizations = vec![ordering];
    profile.orderer.raft.consenters = vec![consenter(orderer)];
    profile.application.organizations = users
        .iter()
        .map(|(org, anchors)| {
            let mut using = Organization::using(&*org.msp_id, &org.msp_id, org.config());
            using.anchor_peers = anchors.clone();
            using
        })
        .collect();
    profile.block().unwrap()
}

fn consenter(orderer: &Org) -> proto::etcdraft::Consenter {
    let (certificate, _) = orderer.tls("localhost");
    let certificate = Bytes::from(certificate);
    proto::etcdraft::Consenter {
        host: "localhost".into(),
        port: 7050,
        client_tls_cert: certificate.clone(),
        server_tls_cert: certificate,
    }
}
