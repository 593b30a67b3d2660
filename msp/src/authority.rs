//! A certificate authority: issues certificates and revocation lists.
//!
//! It holds a key and decides nothing: who may have which certificate is the caller's business,
//! be it the CA service or a tool that makes material for a network.

use std::collections::BTreeMap;

use aws_lc_rs::rand;
use bytes::Bytes;

use crate::certificate::{self, Certificate};
use crate::der::{self, SEQUENCE};
use crate::encode::{self, context};
use crate::extensions::encode_attributes;
use crate::keys::{self, PrivateKey, PublicKey};
use crate::pem;

/// Random bytes of a serial number.
const SERIAL_BYTES: usize = 20;

/// Why nothing was issued.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The key cannot be read or used.
    #[error("key of the authority")]
    Key(#[from] keys::Error),
    /// The certificate of the authority, or the one just made, does not parse.
    #[error("certificate")]
    Certificate(#[from] certificate::Error),
    /// The certificate is not that of an authority with this key.
    #[error("{0} is not the certificate of an authority with this key")]
    NotAnAuthority(String),
    /// A time cannot be written down.
    #[error("time is out of range")]
    Time,
    /// A host name cannot stand in a certificate.
    #[error("host name {0:?} is not ASCII")]
    Host(String),
}

/// Whom a certificate is for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Subject {
    /// The name; for identities the enrolment id, for TLS the host.
    pub common_name: String,
    /// The organization; left out if empty.
    pub organization: String,
    /// Organizational units in order; the role comes first by convention.
    pub organizational_units: Vec<String>,
}

/// What a certificate is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Usage {
    /// Signing messages.
    Identity,
    /// TLS, as server and as client.
    Tls,
    /// Issuing certificates.
    Authority {
        /// How many authorities may follow before an end entity.
        intermediates_max: Option<u8>,
    },
}

/// What a certificate shall say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// Whom it is for.
    pub subject: Subject,
    /// What it is for.
    pub usage: Usage,
    /// Host names and IP addresses.
    pub hosts: Vec<String>,
    /// Attributes of an identity; left out if empty.
    pub attributes: BTreeMap<String, String>,
    /// Begin of validity, in seconds since 1970.
    pub not_before: i64,
    /// End of validity, in seconds since 1970.
    pub not_after: i64,
}

/// One entry of a revocation list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revoked {
    /// Serial number, big-endian.
    pub serial: Vec<u8>,
    /// When it was revoked, in seconds since 1970.
    pub time: i64,
    /// Reason code of RFC 5280; 0 is unspecified.
    pub reason: u8,
}

/// A certificate authority with its key.
#[derive(Debug)]
pub struct Authority {
    certificate: Certificate,
    key: PrivateKey,
}

impl Authority {
    /// A new root with a new P-256 key, valid between two times in seconds since 1970.
    pub fn generate(subject: &Subject, not_before: i64, not_after: i64) -> Result<Self, Error> {
        Self::self_signed(PrivateKey::generate()?, subject, not_before, not_after)
    }

    /// A new root with the given key.
    pub fn self_signed(
        key: PrivateKey,
        subject: &Subject,
        not_before: i64,
        not_after: i64,
    ) -> Result<Self, Error> {
        let template = Template {
            subject: subject.clone(),
            usage: Usage::Authority { intermediates_max: None },
            hosts: Vec::new(),
            attributes: BTreeMap::new(),
            not_before,
            not_after,
        };
        let issuer = encode::name(subject);
        let certificate = sign(&key, &issuer, &key.ski(), key.public(), &template)?;
        Ok(Self { certificate, key })
    }

    /// An authority from its certificate and key.
    pub fn from_pem(certificate: &[u8], key: &[u8]) -> Result<Self, Error> {
        Self::new(Certificate::from_pem(certificate)?, PrivateKey::from_pem(key)?)
    }

    /// An authority from its certificate and key.
    pub fn new(certificate: Certificate, key: PrivateKey) -> Result<Self, Error> {
        let proper = certificate.is_ca()
            && certificate.subject_key_id().is_some()
            && certificate.public_key() == key.public();
        if !proper {
            return Err(Error::NotAnAuthority(certificate.common_name().to_owned()));
        }
        Ok(Self { certificate, key })
    }

    /// The certificate of the authority.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// The key of the authority. Whoever stores it keeps it secret.
    pub fn key(&self) -> &PrivateKey {
        &self.key
    }

    /// Issues a certificate for `public`.
    pub fn issue(&self, public: &PublicKey, template: &Template) -> Result<Certificate, Error> {
        let issuer = self.certificate.subject();
        sign(&self.key, issuer, self.key_id(), public, template)
    }

    /// Issues a revocation list, as PEM, that replaces earlier ones with a smaller `number`.
    pub fn revocation_list(
        &self,
        revoked: &[Revoked],
        number: u64,
        this_update: i64,
        next_update: i64,
    ) -> Result<String, Error> {
        let entries = revoked.iter().map(entry).collect::<Result<Vec<_>, _>>()?.concat();
        let entries = if entries.is_empty() { entries } else { der::element(SEQUENCE, &entries) };
        let number = der::unsigned(&number.to_be_bytes());
        let extensions = [
            encode::authority_key_id(self.key_id()),
            encode::extension(encode::CRL_NUMBER, false, &number),
        ];
        let extensions = der::element(SEQUENCE, &extensions.concat());
        let body = der::nest(
            SEQUENCE,
            [
                &der::unsigned(&[1])[..],
                &encode::signature_algorithm(self.key.public()),
                self.certificate.subject(),
                &time(this_update)?,
                &time(next_update)?,
                &entries,
                &der::element(context(0), &extensions),
            ],
        );
        Ok(pem::encode(pem::CRL, &encode::signed(&self.key, &body)?))
    }

    fn key_id(&self) -> &[u8] {
        self.certificate.subject_key_id().map_or(&[], |id| &id[..])
    }
}

fn entry(revoked: &Revoked) -> Result<Vec<u8>, Error> {
    let reason = der::element(der::ENUMERATED, &[revoked.reason]);
    let reason = encode::extension(encode::REASON_CODE, false, &reason);
    // An unspecified reason is left out.
    let extensions = if revoked.reason == 0 { Vec::new() } else { der::element(SEQUENCE, &reason) };
    let serial = der::unsigned(&revoked.serial);
    Ok(der::nest(SEQUENCE, [&serial[..], &time(revoked.time)?, &extensions]))
}

fn sign(
    key: &PrivateKey,
    issuer: &[u8],
    issuer_key_id: &[u8],
    public: &PublicKey,
    template: &Template,
) -> Result<Certificate, Error> {
    if let Some(host) = template.hosts.iter().find(|host| !host.is_ascii()) {
        return Err(Error::Host(host.clone()));
    }
    let mut serial = [0; SERIAL_BYTES];
    rand::fill(&mut serial).map_err(|_| keys::Error::Internal)?;
    // Positive, and always of the same length.
    serial[0] = (serial[0] & 0x7f) | 0x40;
    let validity = [time(template.not_before)?, time(template.not_after)?].concat();
    let body = der::nest(
        SEQUENCE,
        [
            &der::element(context(0), &der::unsigned(&[2]))[..],
            &der::unsigned(&serial),
            &encode::signature_algorithm(key.public()),
            issuer,
            &der::element(SEQUENCE, &validity),
            &encode::name(&template.subject),
            public.spki(),
            &extensions(issuer_key_id, public, template),
        ],
    );
    Ok(Certificate::from_der(Bytes::from(encode::signed(key, &body)?))?)
}

fn extensions(issuer_key_id: &[u8], public: &PublicKey, template: &Template) -> Vec<u8> {
    let attributes = match template.attributes.is_empty() {
        true => Vec::new(),
        false => {
            let json = encode_attributes(&template.attributes);
            encode::extension(encode::ATTRIBUTES, false, &json)
        }
    };
    let all = [
        encode::usage(template.usage),
        encode::subject_key_id(&public.ski()),
        encode::authority_key_id(issuer_key_id),
        encode::alternative_names(&template.hosts),
        attributes,
    ];
    der::element(context(3), &der::element(SEQUENCE, &all.concat()))
}

fn time(seconds: i64) -> Result<Vec<u8>, Error> {
    der::time(seconds).ok_or(Error::Time)
}
