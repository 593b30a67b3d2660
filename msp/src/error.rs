//! Why an identity, or the definition of an organization, is refused.

use crate::{certificate, chain, keys};

/// Why an identity is not one, is not valid, or does not satisfy a principal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The bytes are not a serialized identity.
    #[error("decode serialized identity")]
    Decode,
    /// The channel has no organization with this id.
    #[error("MSP {0} is unknown")]
    UnknownMsp(String),
    /// The identity names another organization than the one asked.
    #[error("expected MSP ID {expected}, received {actual}")]
    WrongMsp {
        /// The organization that was asked.
        expected: String,
        /// The organization the identity names.
        actual: String,
    },
    /// The certificate cannot be read.
    #[error("certificate of identity")]
    Certificate(#[from] certificate::Error),
    /// The organization did not issue the certificate.
    #[error("chain of certificate of {msp_id}")]
    Chain {
        /// The organization.
        msp_id: String,
        /// What is wrong.
        #[source]
        source: chain::Error,
    },
    /// Only ECDSA keys, and Ed25519 keys from capability V3_0 on, belong to identities.
    #[error("identities with {0:?} keys are not allowed")]
    KeyAlgorithm(keys::Algorithm),
    /// A certificate authority cannot act itself.
    #[error("a CA certificate cannot be used directly")]
    CertificateAuthority,
    /// The issuer only issues to other authorities.
    #[error("issued by an authority that has authorities below it")]
    InternalIssuer,
    /// The issuer has no subject key identifier to look for in revocation lists.
    #[error("subject key identifier of the issuer is missing")]
    IssuerKeyId,
    /// A revocation list of the organization does not name its issuer.
    #[error("authority key identifier of a revocation list is missing")]
    RevocationList,
    /// The certificate is on a revocation list of its issuer.
    #[error("the certificate has been revoked")]
    Revoked,
    /// None of the organizational units is one the organization allows.
    #[error("none of the organizational units {0:?} is allowed")]
    OrganizationalUnit(Vec<String>),
    /// The organizational unit of a role stems from another authority.
    #[error("organizational unit {0} stems from another authority")]
    Certifier(String),
    /// There must be exactly one role.
    #[error("exactly one of client, peer, orderer and admin must be among {0:?}")]
    Roles(Vec<String>),
    /// A signature does not hold, or could not be made.
    #[error("signature of identity")]
    Signature(#[from] keys::Error),
    /// The principal cannot be read, or is of an unknown kind.
    #[error("principal is malformed")]
    Principal,
    /// The identity is valid, but not what the principal asks for.
    #[error("identity does not satisfy the principal: {0}")]
    NotSatisfied(&'static str),
}

/// Why the definition of an organization is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SetupError {
    /// The configuration does not decode.
    #[error("decode MSP configuration")]
    Decode,
    /// Only X.509 organizations are supported.
    #[error("MSP type {0} is not supported")]
    Type(i32),
    /// The organization has no id.
    #[error("MSP ID is empty")]
    NoName,
    /// A hash function other than SHA-256 is asked for.
    #[error("{msp_id}: hash function {name} is not supported")]
    Hash {
        /// The organization.
        msp_id: String,
        /// The function asked for.
        name: String,
    },
    /// There is no root certificate.
    #[error("{0}: at least one root certificate is needed")]
    NoRoot(String),
    /// A certificate or revocation list cannot be read.
    #[error("{msp_id}: read {what}")]
    Certificate {
        /// The organization.
        msp_id: String,
        /// Which one.
        what: &'static str,
        /// What is wrong.
        #[source]
        source: certificate::Error,
    },
    /// A root or intermediate certificate is not that of a proper authority.
    #[error("{msp_id}: {subject} is not a proper authority: {reason}")]
    Authority {
        /// The organization.
        msp_id: String,
        /// Common name of the certificate.
        subject: String,
        /// What is wrong.
        reason: String,
    },
    /// A certificate named beside an organizational unit is not among the authorities.
    #[error("{msp_id}: certificate beside organizational unit {unit} is not an authority")]
    UnitCertificate {
        /// The organization.
        msp_id: String,
        /// The organizational unit.
        unit: String,
    },
    /// Nobody can be administrator.
    #[error("{0}: administrators must be listed when no admin organizational unit is set")]
    NoAdmin(String),
    /// A listed administrator cannot be one.
    #[error("{msp_id}: administrator {index}")]
    Admin {
        /// The organization.
        msp_id: String,
        /// Position in the list.
        index: usize,
        /// What is wrong.
        #[source]
        source: Error,
    },
    /// The same id stands for two different definitions.
    #[error("two different versions of MSP {0}")]
    Duplicate(String),
}
