//! The calls, each with the token it needs.

use std::time::Duration;

use msp::SigningIdentity;
use msp::keys::PrivateKey;
use node::grpc;
use prost::Message;
use rustls_pki_types::CertificateDer;
use tonic::Request;
use tonic::metadata::MetadataValue;
use tonic::transport::Channel;

use crate::messages::certificate_authority_client::CertificateAuthorityClient;
use crate::messages::*;
use crate::{Secret, now, token};

use super::credential::{certificate_request, credential};
use super::{Credential, Error, Wish};

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
    ) -> Result<Vec<Certificate>, Error> {
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

fn signed<M: Message>(
    call: &str,
    signer: &SigningIdentity,
    message: M,
) -> Result<Request<M>, Error> {
    let path = format!("/gauze.ca.CertificateAuthority/{call}");
    let token = token::create(signer, &path, &message.encode_to_vec(), now())?;
    let token = MetadataValue::try_from(token).map_err(|_| token::Error::Metadata)?;
    let mut request = Request::new(message);
    request.metadata_mut().insert(token::METADATA, token);
    Ok(request)
}
