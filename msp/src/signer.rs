//! The identity a node or a user acts under.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use prost::Message;
use proto::msp::SerializedIdentity;

use crate::certificate::{self, Certificate};
use crate::directory;
use crate::keys::{self, PrivateKey};

/// Why there is no signing identity.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignerError {
    /// The folder cannot be read.
    #[error("load signing identity")]
    Directory(#[from] directory::Error),
    /// The certificate cannot be read.
    #[error("certificate of signing identity")]
    Certificate(#[from] certificate::Error),
    /// The key cannot be read.
    #[error("key of signing identity")]
    Key(#[from] keys::Error),
    /// The key belongs to another certificate.
    #[error("the key is not that of the certificate of {0}")]
    KeyMismatch(String),
}

/// A certificate with its key. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct SigningIdentity {
    msp_id: String,
    certificate: Certificate,
    serialized: Bytes,
    key: Arc<PrivateKey>,
}

impl SigningIdentity {
    /// Loads the signing certificate and its key from an MSP folder.
    pub fn load(msp_dir: &Path, msp_id: &str) -> Result<Self, SignerError> {
        let certificate = directory::load_signing_certificate(msp_dir)?;
        let key = directory::load_key(msp_dir, certificate.public_key())?;
        Self::new(msp_id, certificate, key)
    }

    /// Makes one from PEM texts.
    pub fn from_pem(msp_id: &str, certificate: &[u8], key: &[u8]) -> Result<Self, SignerError> {
        Self::new(msp_id, Certificate::from_pem(certificate)?, PrivateKey::from_pem(key)?)
    }

    /// Makes one from a certificate and the key it is for.
    pub fn new(
        msp_id: &str,
        certificate: Certificate,
        key: PrivateKey,
    ) -> Result<Self, SignerError> {
        if key.public() != certificate.public_key() {
            return Err(SignerError::KeyMismatch(certificate.common_name().to_owned()));
        }
        let id_bytes = certificate.to_pem().into();
        let identity = SerializedIdentity { mspid: msp_id.to_owned(), id_bytes };
        let serialized = identity.encode_to_vec().into();
        Ok(Self { msp_id: msp_id.to_owned(), certificate, serialized, key: Arc::new(key) })
    }

    /// The organization.
    pub fn msp_id(&self) -> &str {
        &self.msp_id
    }

    /// Encoded `SerializedIdentity`: what goes into `creator` and `endorser` fields.
    pub fn serialized(&self) -> &Bytes {
        &self.serialized
    }

    /// Signs `message`.
    pub fn sign(&self, message: &[u8]) -> Result<Bytes, crate::Error> {
        Ok(self.key.sign(message)?)
    }

    /// The certificate.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// The certificate as PEM.
    pub fn certificate_pem(&self) -> String {
        self.certificate.to_pem()
    }

    /// The certificate as DER.
    pub fn certificate_der(&self) -> &Bytes {
        self.certificate.der()
    }
}
