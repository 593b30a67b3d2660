//! One identity: a certificate an organization issued.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use proto::common::MspPrincipal;

use crate::certificate::Certificate;
use crate::msp::{Resolved, certifiers_id};
use crate::node_ou::CertifiersId;
use crate::{Error, Msp, Role, principal};

/// What makes two identities the same one: the organization and the certificate in normal form.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdentityId {
    /// The organization.
    pub msp_id: String,
    /// SHA-256 of the certificate in normal form.
    pub certificate_hash: [u8; 32],
}

impl fmt::Display for IdentityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.msp_id, hex::encode(self.certificate_hash))
    }
}

/// An identity of one organization. Cloning is cheap.
#[derive(Clone)]
pub struct Identity(Arc<Inner>);

struct Inner {
    msp: Arc<Msp>,
    id: IdentityId,
    certificate: Arc<Certificate>,
    certifiers: CertifiersId,
    validity: Result<(), Error>,
    serialized: Bytes,
}

impl Identity {
    pub(crate) fn new(msp: Arc<Msp>, resolved: Resolved, serialized: Bytes) -> Self {
        let certificate_hash = proto::sha256(resolved.certificate.der());
        let id = IdentityId { msp_id: msp.id.clone(), certificate_hash };
        let certifiers = certifiers_id(resolved.chain.get(1..).unwrap_or_default());
        let validity = msp.judge(&resolved);
        let certificate = resolved.certificate;
        Self(Arc::new(Inner { msp, id, certificate, certifiers, validity, serialized }))
    }

    /// The organization that issued the certificate.
    pub fn msp_id(&self) -> &str {
        &self.0.id.msp_id
    }

    /// What this identity is told apart by.
    pub fn id(&self) -> &IdentityId {
        &self.0.id
    }

    /// The certificate in normal form.
    pub fn certificate(&self) -> &Certificate {
        &self.0.certificate
    }

    /// The `SerializedIdentity` bytes this identity came in.
    pub fn serialized(&self) -> &Bytes {
        &self.0.serialized
    }

    /// Checks that `signature` is this identity's signature of `message`. Says nothing about
    /// whether the identity is valid.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), Error> {
        Ok(self.0.certificate.public_key().verify(message, signature)?)
    }

    /// Whether the organization accepts this identity. The answer does not depend on time.
    pub fn validate(&self) -> Result<(), Error> {
        self.0.validity.clone()
    }

    /// The role the certificate gives, if the organization enforces roles.
    pub fn role(&self) -> Option<Role> {
        let units = self.0.certificate.organizational_units();
        self.0.msp.node_units.as_ref()?.role(units, &self.0.certifiers).ok()
    }

    /// Whether a policy that asks for `principal` is content with this identity.
    pub fn satisfies(&self, principal: &MspPrincipal) -> bool {
        self.check(principal).is_ok()
    }

    /// Like [`satisfies`](Self::satisfies), but says why not.
    pub fn check(&self, principal: &MspPrincipal) -> Result<(), Error> {
        principal::check(self, principal)
    }

    pub(crate) fn msp(&self) -> &Arc<Msp> {
        &self.0.msp
    }

    pub(crate) fn certifiers(&self) -> &CertifiersId {
        &self.0.certifiers
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({}, {})", self.0.id, self.0.certificate.common_name())
    }
}

impl PartialEq for Identity {
    fn eq(&self, other: &Self) -> bool {
        self.0.id == other.0.id
    }
}

impl Eq for Identity {}
