//! One organization: who belongs to it, and in which role.

use std::sync::Arc;

use bytes::Bytes;
use proto::msp::{FabricMspConfig, MspConfig, SerializedIdentity};
use rustls_pki_types::CertificateDer;

use crate::certificate::Certificate;
use crate::chain::{Authorities, Chain};
use crate::keys::Algorithm;
use crate::node_ou::{CertifiersId, NodeUnits, Unit, check_allowed};
use crate::revocation::RevocationList;
use crate::{Error, Identity, Role, SetupError, setup};

/// `MSPConfig.type` of X.509 organizations.
pub(crate) const TYPE_X509: i32 = 0;

/// Which rules hold, chosen by the capabilities of the channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MspVersion {
    /// Channel capabilities V1_4_3 and V2_0.
    V1_4_3,
    /// Channel capability V3_0: Ed25519 identities are allowed too.
    V3_0,
}

/// An organization, immutable once it is set up.
#[derive(Debug)]
pub struct Msp {
    pub(crate) id: String,
    pub(crate) version: MspVersion,
    pub(crate) definition: FabricMspConfig,
    pub(crate) authorities: Authorities,
    /// Authorities that vouch for other authorities, and therefore not for identities.
    pub(crate) internal: Vec<Arc<Certificate>>,
    pub(crate) revocation_lists: Vec<RevocationList>,
    pub(crate) tls_roots: Vec<CertificateDer<'static>>,
    pub(crate) allowed_units: Vec<Unit>,
    pub(crate) node_units: Option<NodeUnits>,
    pub(crate) admins: Vec<Bytes>,
}

/// A certificate in its normal form, with the authorities that vouch for it.
pub(crate) struct Resolved {
    pub(crate) certificate: Arc<Certificate>,
    pub(crate) chain: Chain,
}

impl Msp {
    /// Sets up an organization; every rule Fabric applies to definitions is checked.
    pub fn new(config: &FabricMspConfig, version: MspVersion) -> Result<Self, SetupError> {
        setup::build(config, version)
    }

    /// Sets up an organization from the form in which channel configurations hold it.
    pub fn from_config(config: &MspConfig, version: MspVersion) -> Result<Self, SetupError> {
        if config.r#type != TYPE_X509 {
            return Err(SetupError::Type(config.r#type));
        }
        let config = proto::decode(config.config.clone()).map_err(|_| SetupError::Decode)?;
        Self::new(&config, version)
    }

    /// The id of the organization.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What the organization was set up from.
    pub fn definition(&self) -> &FabricMspConfig {
        &self.definition
    }

    /// Certificates of authorities that TLS connections of this organization are checked with.
    pub fn tls_roots(&self) -> &[CertificateDer<'static>] {
        &self.tls_roots
    }

    /// The identity behind encoded `SerializedIdentity` bytes. It belongs to this organization,
    /// but need not be valid.
    pub fn deserialize(self: &Arc<Self>, serialized: &[u8]) -> Result<Identity, Error> {
        let serialized = Bytes::copy_from_slice(serialized);
        let identity: SerializedIdentity =
            proto::decode(serialized.clone()).map_err(|_| Error::Decode)?;
        if identity.mspid != self.id {
            return Err(Error::WrongMsp { expected: self.id.clone(), actual: identity.mspid });
        }
        let certificate = Certificate::from_pem(&identity.id_bytes)?;
        if certificate.is_ca() {
            return Err(Error::CertificateAuthority);
        }
        let resolved = self.resolve(certificate)?;
        Ok(Identity::new(self.clone(), resolved, serialized))
    }

    /// Finds the chain of a certificate and brings its signature into normal form.
    pub(crate) fn resolve(&self, certificate: Certificate) -> Result<Resolved, Error> {
        let mut certificate =
            Arc::new(self.root_in_normal_form(&certificate).unwrap_or(certificate));
        let chain = self.authorities.unique_chain(&certificate);
        let mut chain = chain.map_err(|source| Error::Chain { msp_id: self.id.clone(), source })?;
        let issuer = chain.get(1).unwrap_or(&certificate).public_key().clone();
        certificate = Arc::new(Arc::unwrap_or_clone(certificate).sanitised(&issuer)?);
        if let Some(leaf) = chain.first_mut() {
            *leaf = certificate.clone();
        }
        Ok(Resolved { certificate, chain })
    }

    /// The root that differs from `certificate` by the form of its signature only. Definitions
    /// name roots in the form the files have, and nothing but the root itself signs a root.
    fn root_in_normal_form(&self, certificate: &Certificate) -> Option<Certificate> {
        if !certificate.is_ca() {
            return None;
        }
        let normal = certificate.clone().sanitised(certificate.public_key()).ok()?;
        self.authorities.roots.iter().any(|root| **root == normal).then_some(normal)
    }

    /// Whether an identity is valid, in the order of Fabric's checks.
    pub(crate) fn judge(&self, resolved: &Resolved) -> Result<(), Error> {
        let Resolved { certificate, chain } = resolved;
        match certificate.public_key().algorithm() {
            Algorithm::P256 | Algorithm::P384 | Algorithm::P521 => {}
            Algorithm::Ed25519 if self.version >= MspVersion::V3_0 => {}
            other => return Err(Error::KeyAlgorithm(other)),
        }
        let issuer = chain.get(1).ok_or(Error::CertificateAuthority)?;
        if certificate.is_ca() {
            return Err(Error::CertificateAuthority);
        }
        if self.internal.contains(issuer) {
            return Err(Error::InternalIssuer);
        }
        self.check_revocation(certificate, issuer)?;
        let units = certificate.organizational_units();
        let certifiers = certifiers_id(chain.get(1..).unwrap_or_default());
        match &self.node_units {
            Some(node_units) => node_units.role(units, &certifiers).map(|_| ()),
            None => check_allowed(&self.allowed_units, units, &certifiers),
        }
    }

    /// Checks that no list of `issuer` names `certificate`.
    pub(crate) fn check_revocation(
        &self,
        certificate: &Certificate,
        issuer: &Certificate,
    ) -> Result<(), Error> {
        if issuer.subject_key_id().is_none() {
            return Err(Error::IssuerKeyId);
        }
        for list in &self.revocation_lists {
            if !list.names_its_issuer() {
                return Err(Error::RevocationList);
            }
            if list.revokes(certificate, issuer) {
                return Err(Error::Revoked);
            }
        }
        Ok(())
    }

    /// Whether the certificate holds the organizational unit of `role`, while roles are enforced.
    pub(crate) fn has_role(&self, certificate: &Certificate, role: Role) -> bool {
        let units = certificate.organizational_units();
        self.node_units.as_ref().is_some_and(|it| it.has(units, role))
    }

    /// Whether the certificate is that of a listed administrator.
    pub(crate) fn lists_admin(&self, certificate: &Certificate) -> bool {
        self.admins.contains(certificate.der())
    }
}

/// Identifies a chain of authorities: hash over their certificates, issuer first.
pub(crate) fn certifiers_id(authorities: &[Arc<Certificate>]) -> CertifiersId {
    proto::sha256_all(authorities.iter().map(|it| &it.der()[..]))
}
