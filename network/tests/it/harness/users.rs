//! People and their connections: identities from the folders `gauze` enrolled them into.

use std::path::PathBuf;
use std::time::Duration;

use client::admin::{Orderer, Peer, Target};
use client::{Contract, Gateway, Signer};
use msp::SigningIdentity;
use node::tls::{CertificateDer, ClientTls};

use super::{ALPHA, BETA, Network, Node};

/// How long a node may take to answer; the machine may be busy compiling.
const ANSWER: Duration = Duration::from_secs(60);

/// Someone with an identity for signing and one for TLS.
#[derive(Clone, Debug)]
pub(crate) struct User {
    pub(crate) signer: Signer,
    pub(crate) tls: ClientTls,
}

impl Network {
    fn user_folder(&self, organization: &str, user: &str) -> PathBuf {
        self.state().join("organizations").join(organization).join("users").join(user)
    }

    /// A user of an organization, such as `anna` or `admin`.
    pub(crate) fn user(&self, organization: &str, user: &str) -> User {
        let folder = self.user_folder(organization, user);
        let tls = folder.join("tls");
        User {
            signer: self.identity(folder.join("msp"), organization).into(),
            tls: ClientTls::load(&tls.join("client.crt"), &tls.join("client.key")).unwrap(),
        }
    }

    /// The identity in an MSP folder.
    pub(crate) fn identity(&self, msp: PathBuf, organization: &str) -> SigningIdentity {
        SigningIdentity::load(&msp, msp_id(organization)).unwrap()
    }

    /// The files of a user for programs that want files: certificate, key, TLS certificate, TLS
    /// key.
    pub(crate) fn user_files(&self, organization: &str, user: &str) -> [PathBuf; 4] {
        let folder = self.user_folder(organization, user);
        let first = |part: &str| {
            let mut files = std::fs::read_dir(folder.join("msp").join(part)).unwrap();
            files.next().unwrap().unwrap().path()
        };
        let tls = folder.join("tls");
        [first("signcerts"), first("keystore"), tls.join("client.crt"), tls.join("client.key")]
    }

    /// The authority that vouches for TLS certificates of an organization.
    pub(crate) fn tls_root_file(&self, organization: &str) -> PathBuf {
        self.state().join(format!("nodes/ca.{organization}/data/tlsca/cert.pem"))
    }

    pub(crate) fn tls_roots(&self, organization: &str) -> Vec<CertificateDer<'static>> {
        node::tls::load_certificates(&[self.tls_root_file(organization)]).unwrap()
    }

    fn target(&self, node: &Node, user: &User) -> Target {
        let (_, organization) = node.name.split_once('.').unwrap();
        Target {
            address: node.address(),
            roots: self.tls_roots(organization),
            tls: Some(user.tls.clone()),
            signer: user.signer.clone(),
            timeout: ANSWER,
        }
    }

    /// A peer's endorser and ledger as a user.
    pub(crate) async fn peer(&self, node: &Node, user: &User) -> Peer {
        Peer::connect(self.target(node, user)).await.unwrap()
    }

    /// An orderer as a user.
    pub(crate) async fn orderer(&self, node: &Node, user: &User) -> Orderer {
        Orderer::connect(self.target(node, user)).await.unwrap()
    }

    /// The gateway of an organization's peer as a user.
    pub(crate) async fn gateway(&self, organization: &str, user: &User) -> Gateway {
        let node = self.node(&format!("peer0.{organization}"));
        let roots = self.tls_roots(organization);
        let signer = user.signer.clone();
        Gateway::connect(&node.address(), &roots, Some(&user.tls), signer).await.unwrap()
    }

    /// The chaincode `basic` on a channel, as `anna` of alpha at her organization's peer.
    pub(crate) async fn basic(&self, channel: &str) -> Contract {
        let gateway = self.gateway(ALPHA, &self.user(ALPHA, "anna")).await;
        gateway.network(channel).contract("basic")
    }
}

fn msp_id(organization: &str) -> &'static str {
    match organization {
        ALPHA => "AlphaMSP",
        BETA => "BetaMSP",
        _ => "OrdererMSP",
    }
}
