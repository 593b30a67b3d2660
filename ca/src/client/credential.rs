//! What enrolling is asked for, and what comes of it.

use std::path::Path;

use msp::authority::Subject;
use msp::keys::PrivateKey;
use msp::{Certificate, SigningIdentity, directory, request};
use proto::msp::{FabricMspConfig, FabricNodeOUs, FabricOuIdentifier};

use crate::messages::{AttributeRequest, Enrolled, Info, Profile};

use super::Error;

/// What a certificate is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wish {
    /// Which of the two authorities.
    pub profile: Profile,
    /// Host names and addresses, for TLS.
    pub hosts: Vec<String>,
    /// Attributes to stand in the certificate besides those that always do; all must be there.
    pub attributes: Vec<String>,
}

impl Wish {
    /// An identity.
    pub fn identity() -> Self {
        Self::default()
    }

    /// A TLS certificate for these hosts.
    pub fn tls(hosts: &[&str]) -> Self {
        let hosts = hosts.iter().map(|&host| host.to_owned()).collect();
        Self { profile: Profile::Tls, hosts, attributes: Vec::new() }
    }

    pub(super) fn attribute_requests(&self) -> Vec<AttributeRequest> {
        let request = |name: &String| AttributeRequest { name: name.clone(), optional: false };
        self.attributes.iter().map(request).collect()
    }
}

/// A certificate with its key, and who issued it.
#[derive(Debug)]
pub struct Credential {
    /// The certificate.
    pub certificate: Certificate,
    /// The key, made here.
    pub key: PrivateKey,
    /// Name and roots of the authority.
    pub authority: Info,
}

/// Which of Fabric's file names a TLS folder uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsRole {
    /// `server.crt` and `server.key`.
    Server,
    /// `client.crt` and `client.key`.
    Client,
}

impl Credential {
    /// The signing identity this is in an organization.
    pub fn into_signer(self, msp_id: &str) -> Result<SigningIdentity, Error> {
        Ok(SigningIdentity::new(msp_id, self.certificate, self.key)?)
    }

    /// Writes an identity as an MSP folder: certificate, key, roots and roles.
    pub fn store_msp(&self, folder: &Path) -> Result<(), Error> {
        directory::store_config(folder, &definition(&self.authority, ""))?;
        Ok(directory::store_signer(folder, &self.certificate, &self.key.to_pem()?)?)
    }

    /// Writes a TLS certificate as a TLS folder: `ca.crt`, certificate and key.
    pub fn store_tls(&self, folder: &Path, role: TlsRole) -> Result<(), Error> {
        let name = if role == TlsRole::Server { "server" } else { "client" };
        let store = |file: String, content: &[u8], mode| {
            directory::store_file(&folder.join(file), content, mode)
        };
        store("ca.crt".to_owned(), &self.authority.tls_root, 0o644)?;
        store(format!("{name}.crt"), self.certificate.to_pem().as_bytes(), 0o644)?;
        Ok(store(format!("{name}.key"), self.key.to_pem()?.as_bytes(), 0o600)?)
    }
}

/// The definition of the organization an authority serves: its roots, and enforced roles.
pub fn definition(authority: &Info, msp_id: &str) -> FabricMspConfig {
    let unit = |name: &str| {
        Some(FabricOuIdentifier {
            certificate: authority.identity_root.clone(),
            organizational_unit_identifier: name.to_owned(),
        })
    };
    FabricMspConfig {
        name: msp_id.to_owned(),
        root_certs: vec![authority.identity_root.clone()],
        tls_root_certs: vec![authority.tls_root.clone()],
        crypto_config: Some(directory::default_crypto()),
        fabric_node_ous: Some(FabricNodeOUs {
            enable: true,
            client_ou_identifier: unit("client"),
            peer_ou_identifier: unit("peer"),
            admin_ou_identifier: unit("admin"),
            orderer_ou_identifier: unit("orderer"),
        }),
        ..Default::default()
    }
}

/// A request for `key` in the name of `id`.
pub(super) fn certificate_request(
    key: &PrivateKey,
    id: &str,
    wish: &Wish,
) -> Result<String, Error> {
    let subject = Subject { common_name: id.to_owned(), ..Default::default() };
    Ok(request::create(key, &subject, &wish.hosts)?)
}

/// Checks that the answer is for `key`.
pub(super) fn credential(key: PrivateKey, enrolled: Enrolled) -> Result<Credential, Error> {
    let certificate = Certificate::from_pem(&enrolled.certificate)?;
    if certificate.public_key() != key.public() {
        return Err(Error::OtherKey);
    }
    Ok(Credential { certificate, key, authority: enrolled.info.unwrap_or_default() })
}
