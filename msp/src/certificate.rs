//! X.509 certificates: parsed once, kept with the bytes they came in.

use std::collections::BTreeMap;
use std::ops::Range;

use bytes::Bytes;
use x509_parser::oid_registry::{Oid, asn1_rs::oid};
use x509_parser::x509::{AttributeTypeAndValue, X509Name, X509Version};

use crate::extensions::{Extensions, decode_attributes};
use crate::keys::{self, PublicKey, SignatureAlgorithm, ecdsa};
use crate::name_constraints::{Name, NameConstraints};
use crate::{der, pem};

/// Where the attributes of an identity stand in its certificate.
pub const ATTRIBUTES_OID: Oid<'static> = oid!(1.2.3.4.5.6.7.8.1);

const COMMON_NAME: Oid<'static> = oid!(2.5.4.3);
const ORGANIZATIONAL_UNIT: Oid<'static> = oid!(2.5.4.11);

/// Why bytes are not a certificate we can use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no PEM block.
    #[error("no PEM block")]
    Pem,
    /// The DER does not parse, or breaks a rule of X.509.
    #[error("certificate is malformed: {0}")]
    Malformed(&'static str),
    /// The public key cannot be used.
    #[error("public key of certificate")]
    Key(#[from] keys::Error),
}

/// A parsed certificate.
#[derive(Debug, Clone)]
pub struct Certificate {
    der: Bytes,
    tbs: Range<usize>,
    signature_algorithm: SignatureAlgorithm,
    signature: Bytes,
    serial: Vec<u8>,
    subject: Bytes,
    issuer: Bytes,
    common_name: String,
    organizational_units: Vec<String>,
    not_before: i64,
    not_after: i64,
    public_key: PublicKey,
    version3: bool,
    extensions: Extensions,
}

impl Certificate {
    /// Parses the first block of a PEM text.
    pub fn from_pem(text: &[u8]) -> Result<Self, Error> {
        Self::from_der(pem::decode(text).ok_or(Error::Pem)?.content.into())
    }

    /// Parses DER; nothing may follow.
    pub fn from_der(der: Bytes) -> Result<Self, Error> {
        let (rest, x509) = x509_parser::parse_x509_certificate(&der)
            .map_err(|_| Error::Malformed("not an X.509 certificate"))?;
        if !rest.is_empty() {
            return Err(Error::Malformed("trailing bytes"));
        }
        let tbs = frame(&der).ok_or(Error::Malformed("frame"))?;
        let extensions = Extensions::parse(&x509)?;
        let subject = x509.subject();
        Ok(Self {
            tbs,
            signature_algorithm: SignatureAlgorithm::from_oid(&x509.signature_algorithm.algorithm),
            signature: Bytes::copy_from_slice(x509.signature_value.as_ref()),
            serial: x509.tbs_certificate.serial.to_bytes_be(),
            subject: Bytes::copy_from_slice(subject.as_raw()),
            issuer: Bytes::copy_from_slice(x509.issuer().as_raw()),
            common_name: strings(subject, &COMMON_NAME).pop().unwrap_or_default(),
            organizational_units: strings(subject, &ORGANIZATIONAL_UNIT),
            not_before: x509.validity().not_before.timestamp(),
            not_after: x509.validity().not_after.timestamp(),
            public_key: PublicKey::from_parsed(x509.public_key())?,
            version3: x509.version() == X509Version::V3,
            extensions,
            der: der.clone(),
        })
    }

    /// The certificate as it is encoded.
    pub fn der(&self) -> &Bytes {
        &self.der
    }

    /// The certificate as PEM, 64 columns wide.
    pub fn to_pem(&self) -> String {
        pem::encode(pem::CERTIFICATE, &self.der)
    }

    /// The common name of the subject; empty if there is none.
    pub fn common_name(&self) -> &str {
        &self.common_name
    }

    /// The organizational units of the subject, in order.
    pub fn organizational_units(&self) -> &[String] {
        &self.organizational_units
    }

    /// The encoded name of the subject.
    pub fn subject(&self) -> &Bytes {
        &self.subject
    }

    /// The encoded name of the issuer.
    pub fn issuer(&self) -> &Bytes {
        &self.issuer
    }

    /// The serial number, big-endian, without leading zeros.
    pub fn serial(&self) -> &[u8] {
        &self.serial
    }

    /// When validity begins, in seconds since 1970.
    pub fn not_before(&self) -> i64 {
        self.not_before
    }

    /// When validity ends, in seconds since 1970. Only those who admit messages look at it.
    pub fn not_after(&self) -> i64 {
        self.not_after
    }

    /// The key of the subject.
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// The subject key identifier, if there is one.
    pub fn subject_key_id(&self) -> Option<&Bytes> {
        self.extensions.subject_key_id.as_ref()
    }

    /// The identifier of the issuer's key, if there is one.
    pub fn authority_key_id(&self) -> Option<&Bytes> {
        self.extensions.authority_key_id.as_ref()
    }

    /// Whether this is the certificate of a certificate authority.
    pub fn is_ca(&self) -> bool {
        matches!(self.extensions.authority, Some((true, _)))
    }

    /// The attributes the certificate authority vouches for; empty if there are none.
    pub fn attributes(&self) -> Result<BTreeMap<String, String>, Error> {
        let Some(json) = &self.extensions.attributes else { return Ok(BTreeMap::new()) };
        decode_attributes(json)
    }

    /// Whether `issuer` signed this certificate and is entitled to.
    pub fn is_signed_by(&self, issuer: &Self) -> bool {
        let entitled = match issuer.extensions.authority {
            Some((authority, _)) => authority,
            None => !issuer.version3,
        };
        let tbs = self.der.get(self.tbs.clone()).unwrap_or_default();
        let (algorithm, signature) = (self.signature_algorithm, &self.signature);
        entitled
            && issuer.extensions.may_sign_certificates != Some(false)
            && issuer.public_key.verify_x509(algorithm, tbs, signature).is_ok()
    }

    /// This certificate with the low-S form of its own signature, made by a key of kind `issuer`.
    /// Anyone can turn one form into the other, so only one of them may count as an identity.
    pub(crate) fn sanitised(self, issuer: &PublicKey) -> Result<Self, Error> {
        if !self.signature_algorithm.is_ecdsa() {
            return Ok(self);
        }
        let signature = ecdsa::to_low_s(issuer.algorithm(), &self.signature)?;
        if signature == self.signature {
            return Ok(self);
        }
        let tbs = self.der.get(self.tbs.clone()).unwrap_or_default();
        let after = self.der.get(self.tbs.end..).unwrap_or_default();
        let algorithm = der::read(after).ok_or(Error::Malformed("signature algorithm"))?;
        let algorithm = after.get(..after.len() - algorithm.rest.len()).unwrap_or_default();
        let der = der::nest(der::SEQUENCE, [tbs, algorithm, &der::bits(&signature)]);
        Self::from_der(der.into())
    }

    pub(crate) fn has_unknown_critical_extension(&self) -> bool {
        self.extensions.unknown_critical
    }

    /// Whether a chain with `below` intermediates under this certificate may end here.
    pub(crate) fn may_be_authority(&self, below: usize) -> bool {
        match self.extensions.authority {
            Some((true, Some(longest))) => below <= longest as usize,
            Some((authority, None)) => authority,
            Some((false, Some(_))) => false,
            None => !self.version3,
        }
    }

    pub(crate) fn alternative_names(&self) -> Option<&[Name]> {
        self.extensions.alternative_names.as_deref()
    }

    pub(crate) fn name_constraints(&self) -> Option<&NameConstraints> {
        self.extensions.name_constraints.as_ref()
    }
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der
    }
}

impl Eq for Certificate {}

/// Where the signed part lies in a certificate or revocation list.
pub(crate) fn tbs_range(der: &[u8]) -> Option<Range<usize>> {
    let outer = der::read(der)?;
    let start = der.len() - outer.rest.len() - outer.content.len();
    let length = outer.content.len() - der::read(outer.content)?.rest.len();
    Some(start..start + length)
}

/// Checks what surrounds the signed part, and says where that part lies. The signature does not
/// cover its surroundings, so they must have exactly one form: otherwise a certificate could be
/// changed into another that verifies too.
fn frame(der: &[u8]) -> Option<Range<usize>> {
    let range = tbs_range(der)?;
    let outside = der.get(range.end..)?;
    let body = der::read(der.get(range.clone())?).filter(|it| it.tag == der::SEQUENCE)?;
    let version = der::read(body.content)?;
    // Certificates of version 1 begin with the serial number.
    let serial = if version.tag == der::INTEGER { version } else { der::read(version.rest)? };
    let inner = der::read(serial.rest)?;
    let algorithm = serial.rest.get(..serial.rest.len() - inner.rest.len())?;
    let signature = der::read(outside.strip_prefix(algorithm)?)?;
    let unframed = der::bits(signature.content.get(1..)?);
    let rebuilt = der::nest(der::SEQUENCE, [der.get(range.clone())?, algorithm, &unframed]);
    (rebuilt == der).then_some(range)
}

/// All values of one kind in a name that are text.
fn strings(name: &X509Name<'_>, kind: &Oid<'_>) -> Vec<String> {
    name.iter_attributes().filter(|it| it.attr_type() == kind).filter_map(text).collect()
}

fn text(attribute: &AttributeTypeAndValue<'_>) -> Option<String> {
    const LATIN: [u32; 4] = [0x12, 0x13, 0x14, 0x16];
    const BMP: u32 = 0x1e;
    let value = attribute.attr_value();
    match value.tag().0 {
        0x0c => String::from_utf8(value.data.to_vec()).ok(),
        tag if LATIN.contains(&tag) => Some(value.data.iter().copied().map(char::from).collect()),
        BMP => {
            let units =
                value.data.chunks_exact(2).map(|pair| u16::from(pair[0]) << 8 | u16::from(pair[1]));
            String::from_utf16(&units.collect::<Vec<_>>()).ok()
        }
        _ => None,
    }
}
