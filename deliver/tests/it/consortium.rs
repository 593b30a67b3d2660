//! An ordering organization and a using one, made for a test.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use channel::Bundle;
use channel::genesis::{Organization, Profile};
use msp::SigningIdentity;
use msp::authority::{Authority, Subject, Template, Usage};
use msp::keys::PrivateKey;
use node::tls::ClientTls;
use prost::Message;
use proto::common::Block;
use proto::etcdraft;
use proto::msp::{FabricMspConfig, FabricNodeOUs, FabricOuIdentifier, MspConfig};

pub(crate) fn seconds() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64
}

/// An organization with its two authorities.
pub(crate) struct Org {
    pub(crate) id: String,
    identities: Authority,
    tls: Authority,
}

impl Org {
    pub(crate) fn new(id: &str) -> Self {
        let authority = |kind: &str| {
            let subject = Subject { common_name: format!("{kind}.{id}"), ..Default::default() };
            Authority::generate(&subject, seconds() - 7200, seconds() + 86_400).unwrap()
        };
        Self { id: id.into(), identities: authority("ca"), tls: authority("tlsca") }
    }

    fn template(name: &str, role: &str, usage: Usage, hosts: &[&str], expires: i64) -> Template {
        Template {
            subject: Subject {
                common_name: name.into(),
                organization: String::new(),
                organizational_units: vec![role.into()],
            },
            usage,
            hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
            attributes: BTreeMap::new(),
            not_before: seconds() - 3600,
            not_after: expires,
        }
    }

    /// A member in a role, whose certificate expires at a time.
    pub(crate) fn member_until(&self, role: &str, expires: i64) -> Arc<SigningIdentity> {
        let key = PrivateKey::generate().unwrap();
        let template = Self::template(role, role, Usage::Identity, &[], expires);
        let certificate = self.identities.issue(key.public(), &template).unwrap();
        Arc::new(SigningIdentity::new(&self.id, certificate, key).unwrap())
    }

    pub(crate) fn member(&self, role: &str) -> Arc<SigningIdentity> {
        self.member_until(role, seconds() + 3600)
    }

    fn tls_pem(&self, name: &str, hosts: &[&str]) -> (String, String) {
        let key = PrivateKey::generate().unwrap();
        let template = Self::template(name, "tls", Usage::Tls, hosts, seconds() + 3600);
        let certificate = self.tls.issue(key.public(), &template).unwrap();
        (certificate.to_pem(), key.to_pem().unwrap())
    }

    pub(crate) fn client_tls(&self) -> ClientTls {
        let (certificate, key) = self.tls_pem("client", &["client"]);
        ClientTls::from_pem(certificate.as_bytes(), key.as_bytes()).unwrap()
    }

    /// TLS of a server on this machine that demands certificates of these organizations.
    pub(crate) fn server_tls(&self, directory: &Path, clients: &[&Self]) -> node::tls::Config {
        let (certificate, key) = self.tls_pem("server", &["127.0.0.1", "localhost"]);
        let roots: String = clients.iter().map(|org| org.tls.certificate().to_pem()).collect();
        let name = format!("{:x}", rand::random::<u64>());
        let write = |kind: &str, text: &str| {
            let path = directory.join(format!("{name}.{kind}"));
            std::fs::write(&path, text).unwrap();
            path
        };
        node::tls::Config {
            enabled: true,
            certificate: write("crt", &certificate),
            private_key: write("key", &key),
            root_cas: vec![],
            client_auth_required: true,
            client_root_cas: vec![write("roots", &roots)],
        }
    }

    pub(crate) fn tls_roots(&self) -> Vec<node::tls::CertificateDer<'static>> {
        vec![self.tls.certificate().der().to_vec().into()]
    }

    pub(crate) fn msp(&self) -> MspConfig {
        let unit = |name: &str| {
            Some(FabricOuIdentifier {
                organizational_unit_identifier: name.into(),
                ..Default::default()
            })
        };
        let config = FabricMspConfig {
            name: self.id.clone(),
            root_certs: vec![self.identities.certificate().to_pem().into()],
            tls_root_certs: vec![self.tls.certificate().to_pem().into()],
            fabric_node_ous: Some(FabricNodeOUs {
                enable: true,
                client_ou_identifier: unit("client"),
                peer_ou_identifier: unit("peer"),
                admin_ou_identifier: unit("admin"),
                orderer_ou_identifier: unit("orderer"),
            }),
            ..Default::default()
        };
        MspConfig { r#type: 0, config: config.encode_to_vec().into() }
    }
}

/// Two organizations that share a channel, and a stranger.
pub(crate) struct Consortium {
    pub(crate) orderers: Org,
    pub(crate) users: Org,
    pub(crate) strangers: Org,
    pub(crate) folder: tempfile::TempDir,
}

pub(crate) const CHANNEL: &str = "care";

impl Consortium {
    pub(crate) fn new() -> Self {
        Self {
            orderers: Org::new("OrdererMSP"),
            users: Org::new("UserMSP"),
            strangers: Org::new("StrangerMSP"),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// The channel's first block, naming these orderers.
    pub(crate) fn genesis(&self, addresses: &[String]) -> Block {
        let mut profile = Profile::new(CHANNEL);
        let (certificate, _) = self.orderers.tls_pem("consenter", &["127.0.0.1"]);
        profile.orderer.batch_timeout = Duration::from_millis(10);
        profile.orderer.raft.consenters = vec![etcdraft::Consenter {
            host: "127.0.0.1".into(),
            port: 1,
            client_tls_cert: certificate.clone().into(),
            server_tls_cert: certificate.into(),
        }];
        let mut org = Organization::ordering("Orderers", &self.orderers.id, self.orderers.msp());
        org.endpoints = addresses.to_vec();
        profile.orderer.organizations = vec![org];
        profile.application.organizations =
            vec![Organization::using("Users", &self.users.id, self.users.msp())];
        profile.block().unwrap()
    }
}

pub(crate) fn bundle(block: &Block) -> Arc<Bundle> {
    Arc::new(Bundle::from_block(block).unwrap())
}
