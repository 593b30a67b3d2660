//! Talking to an authority: makes keys and requests here, sends the requests, writes folders.

use std::path::Path;
use std::time::Duration;

use msp::authority::Subject;
use msp::keys::{self, PrivateKey};
use msp::{Certificate, SignerError, SigningIdentity, certificate, directory, request};
use node::grpc::{self, ConnectError};
use prost::Message;
use proto::msp::{FabricMspConfig, FabricNodeOUs, FabricOuIdentifier};
use rustls_pki_types::CertificateDer;
use tonic::metadata::MetadataValue;
use tonic::transport::Channel;
use tonic::{Request, Status};

use crate::messages::certificate_authority_client::CertificateAuthorityClient;
use crate::messages::*;
use crate::{Secret, now, token};

/// Why a call gave no result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The authority cannot be reached.
    #[error("reach the certificate authority")]
    Connect(#[from] ConnectError),
    /// The authority refused.
    #[error("certificate authority: {}", .0.message())]
    Refused(Box<Status>),
    /// No key or signature could be made.
    #[error("make a key")]
    Key(#[from] keys::Error),
    /// The request for a certificate could not be made.
    #[error("make a certificate request")]
    Request(#[from] request::Error),
    /// The token could not be made.
    #[error("make a token")]
    Token(#[from] token::Error),
    /// The answer holds no proper certificate.
    #[error("certificate from the authority")]
    Certificate(#[from] certificate::Error),
    /// The certificate is for another key.
    #[error("the certificate is for another key")]
    OtherKey,
    /// Certificate and key make no signing identity.
    #[error("signing identity")]
    Signer(#[from] SignerError),
    /// A folder cannot be written.
    #[error("write folder")]
    Directory(#[from] directory::Error),
}

impl From<Status> for Error {
    fn from(status: Status) -> Self {
        Self::Refused(Box::new(status))
    }
}

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

    fn attribute_requests(&self) -> Vec<AttributeRequest> {
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

/// A connection to an authority. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct Client {
    calls: CertificateAuthorityClient<Channel>,
}

impl Client {
    /// Connects to `host:port`, trusting `roots` to vouch for the service.
    pub async fn connect(
        address: &str,
        roots: &[CertificateDer<'static>],
        timeout: Duration,
    ) -> Result<Self, Error> {
        Ok(Self::new(grpc::connect(address, roots, None, timeout).await?))
    }

    /// Uses an existing channel.
    pub fn new(channel: Channel) -> Self {
        Self { calls: CertificateAuthorityClient::new(channel) }
    }

    /// Name and roots.
    pub async fn info(&self) -> Result<Info, Error> {
        Ok(self.calls.clone().get_info(GetInfoRequest {}).await?.into_inner())
    }

    /// Makes a key and has it certified for the identity with this secret.
    pub async fn enroll(
        &self,
        id: &str,
        secret: &Secret,
        wish: &Wish,
    ) -> Result<Credential, Error> {
        let key = PrivateKey::generate()?;
        let request = EnrollRequest {
            id: id.to_owned(),
            secret: secret.expose().to_owned(),
            certificate_request: certificate_request(&key, id, wish)?.into(),
            profile: wish.profile.into(),
            hosts: wish.hosts.clone(),
            attributes: wish.attribute_requests(),
        };
        credential(key, self.calls.clone().enroll(request).await?.into_inner())
    }

    /// Makes a new key and has it certified for the identity of `signer`.
    pub async fn reenroll(
        &self,
        signer: &SigningIdentity,
        wish: &Wish,
    ) -> Result<Credential, Error> {
        let key = PrivateKey::generate()?;
        let id = signer.certificate().common_name();
        let request = ReenrollRequest {
            certificate_request: certificate_request(&key, id, wish)?.into(),
            profile: wish.profile.into(),
            hosts: wish.hosts.clone(),
            attributes: wish.attribute_requests(),
        };
        let request = signed("Reenroll", signer, request)?;
        credential(key, self.calls.clone().reenroll(request).await?.into_inner())
    }

    /// Registers an identity; the answer is the secret to enrol with.
    pub async fn register(
        &self,
        signer: &SigningIdentity,
        request: RegisterRequest,
    ) -> Result<Secret, Error> {
        let request = signed("Register", signer, request)?;
        Ok(self.calls.clone().register(request).await?.into_inner().secret.into())
    }

    /// Revokes an identity or a certificate.
    pub async fn revoke(
        &self,
        signer: &SigningIdentity,
        request: RevokeRequest,
    ) -> Result<Revoked, Error> {
        let request = signed("Revoke", signer, request)?;
        Ok(self.calls.clone().revoke(request).await?.into_inner())
    }

    /// A new revocation list, PEM.
    pub async fn generate_crl(
        &self,
        signer: &SigningIdentity,
        profile: Profile,
    ) -> Result<bytes::Bytes, Error> {
        let request = GenerateCrlRequest { profile: profile.into() };
        let request = signed("GenerateCrl", signer, request)?;
        Ok(self.calls.clone().generate_crl(request).await?.into_inner().crl)
    }

    /// All identities the signer manages.
    pub async fn identities(&self, signer: &SigningIdentity) -> Result<Vec<Identity>, Error> {
        let mut all: Vec<Identity> = Vec::new();
        loop {
            let after = all.last().map(|it| it.id.clone()).unwrap_or_default();
            let request = ListIdentitiesRequest { after, limit: 0 };
            let request = signed("ListIdentities", signer, request)?;
            let page = self.calls.clone().list_identities(request).await?.into_inner();
            let more = page.more && !page.identities.is_empty();
            all.extend(page.identities);
            if !more {
                return Ok(all);
            }
        }
    }

    /// One identity.
    pub async fn identity(&self, signer: &SigningIdentity, id: &str) -> Result<Identity, Error> {
        let request = GetIdentityRequest { id: id.to_owned() };
        let request = signed("GetIdentity", signer, request)?;
        Ok(self.calls.clone().get_identity(request).await?.into_inner())
    }

    /// Changes an identity.
    pub async fn modify_identity(
        &self,
        signer: &SigningIdentity,
        request: ModifyIdentityRequest,
    ) -> Result<Identity, Error> {
        let request = signed("ModifyIdentity", signer, request)?;
        Ok(self.calls.clone().modify_identity(request).await?.into_inner())
    }

    /// Removes an identity.
    pub async fn remove_identity(
        &self,
        signer: &SigningIdentity,
        request: RemoveIdentityRequest,
    ) -> Result<Identity, Error> {
        let request = signed("RemoveIdentity", signer, request)?;
        Ok(self.calls.clone().remove_identity(request).await?.into_inner())
    }

    /// An affiliation and those below it; all the signer may see if empty.
    pub async fn affiliations(
        &self,
        signer: &SigningIdentity,
        affiliation: &str,
    ) -> Result<Vec<String>, Error> {
        let request = ListAffiliationsRequest { affiliation: affiliation.to_owned() };
        let request = signed("ListAffiliations", signer, request)?;
        Ok(self.calls.clone().list_affiliations(request).await?.into_inner().affiliations)
    }

    /// Adds an affiliation; `force` creates missing parents.
    pub async fn add_affiliation(
        &self,
        signer: &SigningIdentity,
        affiliation: &str,
        force: bool,
    ) -> Result<(), Error> {
        let request = AddAffiliationRequest { affiliation: affiliation.to_owned(), force };
        self.calls.clone().add_affiliation(signed("AddAffiliation", signer, request)?).await?;
        Ok(())
    }

    /// Removes an affiliation; `force` removes those below, too.
    pub async fn remove_affiliation(
        &self,
        signer: &SigningIdentity,
        affiliation: &str,
        force: bool,
    ) -> Result<Vec<String>, Error> {
        let request = RemoveAffiliationRequest { affiliation: affiliation.to_owned(), force };
        let request = signed("RemoveAffiliation", signer, request)?;
        Ok(self.calls.clone().remove_affiliation(request).await?.into_inner().affiliations)
    }

    /// All certificates that match; `after` and `limit` are ours to set.
    pub async fn certificates(
        &self,
        signer: &SigningIdentity,
        filter: &ListCertificatesRequest,
    ) -> Result<Vec<crate::messages::Certificate>, Error> {
        let (mut all, mut after) = (Vec::new(), String::new());
        loop {
            let request = ListCertificatesRequest { after, limit: 0, ..filter.clone() };
            let request = signed("ListCertificates", signer, request)?;
            let page = self.calls.clone().list_certificates(request).await?.into_inner();
            all.extend(page.certificates);
            if page.next.is_empty() {
                return Ok(all);
            }
            after = page.next;
        }
    }
}

fn certificate_request(key: &PrivateKey, id: &str, wish: &Wish) -> Result<String, Error> {
    let subject = Subject { common_name: id.to_owned(), ..Default::default() };
    Ok(request::create(key, &subject, &wish.hosts)?)
}

fn credential(key: PrivateKey, enrolled: Enrolled) -> Result<Credential, Error> {
    let certificate = Certificate::from_pem(&enrolled.certificate)?;
    if certificate.public_key() != key.public() {
        return Err(Error::OtherKey);
    }
    Ok(Credential { certificate, key, authority: enrolled.info.unwrap_or_default() })
}

fn signed<M: Message>(
    call: &str,
    signer: &SigningIdentity,
    message: M,
) -> Result<Request<M>, Error> {
    let path = format!("/gauze.ca.CertificateAuthority/{call}");
    let token = token::create(signer, &path, &message.encode_to_vec(), now())?;
    let token = MetadataValue::try_from(token).map_err(|_| Error::OtherKey)?;
    let mut request = Request::new(message);
    request.metadata_mut().insert(token::METADATA, token);
    Ok(request)
}
