//! What the registry remembers.

use serde::{Deserialize, Serialize};

use crate::messages::{self, Profile};
use crate::secret::SecretHash;

/// A registered identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    pub(crate) id: String,
    /// Becomes the first organizational unit, and with it the role.
    pub(crate) kind: String,
    /// Dot-separated path; empty is the root.
    pub(crate) affiliation: String,
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) secret: SecretHash,
    /// -1 is without limit.
    pub(crate) max_enrollments: i32,
    pub(crate) enrollments: u32,
    pub(crate) wrong_secrets: u32,
    pub(crate) revoked: bool,
}

/// A named value an identity has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Attribute {
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) ecert: bool,
}

/// An issued certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Certificate {
    pub(crate) id: String,
    /// Whether it is one for TLS.
    pub(crate) tls: bool,
    /// Lower-case hex.
    pub(crate) serial: String,
    /// Lower-case hex.
    pub(crate) authority_key_id: String,
    pub(crate) pem: String,
    pub(crate) not_after: i64,
    pub(crate) revocation: Option<Revocation>,
}

/// When and why a certificate was revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Revocation {
    pub(crate) time: i64,
    pub(crate) reason: u8,
}

impl Identity {
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|it| it.name == name).map(|it| it.value.as_str())
    }

    pub(crate) fn is_locked(&self, wrong_secrets_max: u32) -> bool {
        wrong_secrets_max != 0 && self.wrong_secrets >= wrong_secrets_max
    }

    pub(crate) fn message(&self, wrong_secrets_max: u32) -> messages::Identity {
        let attribute = |it: &Attribute| messages::Attribute {
            name: it.name.clone(),
            value: it.value.clone(),
            ecert: it.ecert,
        };
        messages::Identity {
            id: self.id.clone(),
            r#type: self.kind.clone(),
            affiliation: self.affiliation.clone(),
            attributes: self.attributes.iter().map(attribute).collect(),
            max_enrollments: self.max_enrollments,
            enrollments: self.enrollments,
            revoked: self.revoked,
            locked: self.is_locked(wrong_secrets_max),
        }
    }
}

impl Certificate {
    pub(crate) fn profile(&self) -> Profile {
        if self.tls { Profile::Tls } else { Profile::Identity }
    }

    pub(crate) fn message(&self) -> messages::Certificate {
        messages::Certificate {
            certificate: self.pem.clone().into(),
            id: self.id.clone(),
            profile: self.profile().into(),
            serial: self.serial.clone(),
            authority_key_id: self.authority_key_id.clone(),
            not_after: self.not_after,
            revoked_at: self.revocation.map_or(0, |it| it.time),
            reason: self.revocation.map_or(0, |it| it.reason.into()),
        }
    }
}
