//! Public keys: verification of messages and of certificates.

use std::sync::Arc;

use aws_lc_rs::signature::{self as lc, ParsedPublicKey, UnparsedPublicKey, VerificationAlgorithm};
use bytes::Bytes;
use x509_parser::oid_registry::{self as oid, Oid};
use x509_parser::prelude::FromDer;
use x509_parser::prelude::{AlgorithmIdentifier, SubjectPublicKeyInfo};

use super::{Algorithm, Error, ecdsa};

const UNCOMPRESSED: u8 = 0x04;

/// A public key, parsed once and ready to verify.
#[derive(Clone)]
pub struct PublicKey {
    algorithm: Algorithm,
    spki: Bytes,
    /// Point of an elliptic curve, RSA key in PKCS#1 form, or the 32 bytes of an Ed25519 key.
    raw: Bytes,
    verifier: Arc<ParsedPublicKey>,
}

impl PublicKey {
    /// Parses a `SubjectPublicKeyInfo`.
    pub fn from_spki(der: &[u8]) -> Result<Self, Error> {
        let (rest, spki) = SubjectPublicKeyInfo::from_der(der).map_err(|_| Error::Malformed)?;
        if !rest.is_empty() {
            return Err(Error::Malformed);
        }
        Self::from_parsed(&spki)
    }

    pub(crate) fn from_parsed(spki: &SubjectPublicKeyInfo<'_>) -> Result<Self, Error> {
        let algorithm = algorithm(&spki.algorithm)?;
        let raw = Bytes::copy_from_slice(spki.subject_public_key.as_ref());
        let on_curve = !matches!(algorithm, Algorithm::Ed25519 | Algorithm::Rsa);
        if spki.subject_public_key.unused_bits != 0
            || (on_curve && raw.first() != Some(&UNCOMPRESSED))
        {
            return Err(Error::Malformed);
        }
        let verifier = ParsedPublicKey::new(message_algorithm(algorithm), &raw)
            .map_err(|_| Error::Malformed)?;
        let spki = Bytes::copy_from_slice(spki.raw);
        Ok(Self { algorithm, spki, raw, verifier: Arc::new(verifier) })
    }

    /// The kind of key.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The key as DER `SubjectPublicKeyInfo`: two certificates for the same key agree in it.
    pub fn spki(&self) -> &Bytes {
        &self.spki
    }

    /// The bare key: the uncompressed point of an elliptic curve, or the bytes of an Ed25519 key.
    pub fn raw(&self) -> &Bytes {
        &self.raw
    }

    /// Name under which the key lies in a keystore: SHA-256 of the bare key.
    pub fn ski(&self) -> [u8; 32] {
        proto::sha256(&self.raw)
    }

    /// Checks that `signature` is one of `message`; ECDSA signatures must have low S.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), Error> {
        let verified = match self.algorithm {
            Algorithm::Rsa => return Err(Error::Unsupported("messages")),
            Algorithm::Ed25519 => self.verifier.verify_sig(message, signature),
            Algorithm::P256 | Algorithm::P384 | Algorithm::P521 => {
                let signature = ecdsa::checked(self.algorithm, signature)?;
                self.verifier.verify_sig(message, &signature)
            }
        };
        verified.map_err(|_| Error::Signature)
    }

    /// Checks a signature of a certificate, a request or a revocation list.
    pub(crate) fn verify_x509(
        &self,
        algorithm: SignatureAlgorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), Error> {
        let algorithm = algorithm.with(self.algorithm).ok_or(Error::Unsupported("certificates"))?;
        UnparsedPublicKey::new(algorithm, &self.raw)
            .verify(message, signature)
            .map_err(|_| Error::Signature)
    }
}

impl std::fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PublicKey({:?}, {})", self.algorithm, hex::encode(self.ski()))
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.spki == other.spki
    }
}

impl Eq for PublicKey {}

fn algorithm(identifier: &AlgorithmIdentifier<'_>) -> Result<Algorithm, Error> {
    let unsupported = Error::Unsupported("identities");
    if identifier.algorithm == oid::OID_SIG_ED25519 {
        return Ok(Algorithm::Ed25519);
    }
    if identifier.algorithm == oid::OID_PKCS1_RSAENCRYPTION {
        return Ok(Algorithm::Rsa);
    }
    if identifier.algorithm != oid::OID_KEY_TYPE_EC_PUBLIC_KEY {
        return Err(unsupported);
    }
    let curve = identifier.parameters.as_ref().and_then(|any| any.as_oid().ok());
    match curve.ok_or(Error::Malformed)? {
        curve if curve == oid::OID_EC_P256 => Ok(Algorithm::P256),
        curve if curve == oid::OID_NIST_EC_P384 => Ok(Algorithm::P384),
        curve if curve == oid::OID_NIST_EC_P521 => Ok(Algorithm::P521),
        _ => Err(unsupported),
    }
}

fn message_algorithm(algorithm: Algorithm) -> &'static dyn VerificationAlgorithm {
    match algorithm {
        Algorithm::P256 => &lc::ECDSA_P256_SHA256_ASN1,
        Algorithm::P384 => &lc::ECDSA_P384_SHA256_ASN1,
        Algorithm::P521 => &lc::ECDSA_P521_SHA256_ASN1,
        Algorithm::Ed25519 => &lc::ED25519,
        Algorithm::Rsa => &lc::RSA_PKCS1_2048_8192_SHA256,
    }
}

/// The algorithm named beside the signature of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SignatureAlgorithm {
    EcdsaSha256,
    EcdsaSha384,
    EcdsaSha512,
    RsaSha256,
    RsaSha384,
    RsaSha512,
    Ed25519,
    /// Anything else, SHA-1 included: such a signature never verifies.
    Unknown,
}

impl SignatureAlgorithm {
    pub(crate) fn from_oid(oid: &Oid<'_>) -> Self {
        match oid {
            oid if *oid == oid::OID_SIG_ECDSA_WITH_SHA256 => Self::EcdsaSha256,
            oid if *oid == oid::OID_SIG_ECDSA_WITH_SHA384 => Self::EcdsaSha384,
            oid if *oid == oid::OID_SIG_ECDSA_WITH_SHA512 => Self::EcdsaSha512,
            oid if *oid == oid::OID_PKCS1_SHA256WITHRSA => Self::RsaSha256,
            oid if *oid == oid::OID_PKCS1_SHA384WITHRSA => Self::RsaSha384,
            oid if *oid == oid::OID_PKCS1_SHA512WITHRSA => Self::RsaSha512,
            oid if *oid == oid::OID_SIG_ED25519 => Self::Ed25519,
            _ => Self::Unknown,
        }
    }

    pub(crate) fn is_ecdsa(self) -> bool {
        matches!(self, Self::EcdsaSha256 | Self::EcdsaSha384 | Self::EcdsaSha512)
    }

    fn with(self, key: Algorithm) -> Option<&'static dyn VerificationAlgorithm> {
        Some(match (self, key) {
            (Self::EcdsaSha256, Algorithm::P256) => &lc::ECDSA_P256_SHA256_ASN1,
            (Self::EcdsaSha384, Algorithm::P256) => &lc::ECDSA_P256_SHA384_ASN1,
            (Self::EcdsaSha512, Algorithm::P256) => &lc::ECDSA_P256_SHA512_ASN1,
            (Self::EcdsaSha256, Algorithm::P384) => &lc::ECDSA_P384_SHA256_ASN1,
            (Self::EcdsaSha384, Algorithm::P384) => &lc::ECDSA_P384_SHA384_ASN1,
            (Self::EcdsaSha512, Algorithm::P384) => &lc::ECDSA_P384_SHA512_ASN1,
            (Self::EcdsaSha256, Algorithm::P521) => &lc::ECDSA_P521_SHA256_ASN1,
            (Self::EcdsaSha384, Algorithm::P521) => &lc::ECDSA_P521_SHA384_ASN1,
            (Self::EcdsaSha512, Algorithm::P521) => &lc::ECDSA_P521_SHA512_ASN1,
            (Self::RsaSha256, Algorithm::Rsa) => &lc::RSA_PKCS1_2048_8192_SHA256,
            (Self::RsaSha384, Algorithm::Rsa) => &lc::RSA_PKCS1_2048_8192_SHA384,
            (Self::RsaSha512, Algorithm::Rsa) => &lc::RSA_PKCS1_2048_8192_SHA512,
            (Self::Ed25519, Algorithm::Ed25519) => &lc::ED25519,
            _ => return None,
        })
    }
}
