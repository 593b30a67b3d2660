//! Who acts, and where the key is.

use std::sync::Arc;

use bytes::Bytes;
use msp::SigningIdentity;

use crate::Error;

/// An identity that signs here, or one whose key is elsewhere (a wallet, an HSM).
#[derive(Clone, Debug)]
pub struct Signer {
    serialized: Bytes,
    key: Option<Arc<SigningIdentity>>,
}

impl From<SigningIdentity> for Signer {
    fn from(identity: SigningIdentity) -> Self {
        Self { serialized: identity.serialized().clone(), key: Some(Arc::new(identity)) }
    }
}

impl From<Arc<SigningIdentity>> for Signer {
    fn from(identity: Arc<SigningIdentity>) -> Self {
        Self { serialized: identity.serialized().clone(), key: Some(identity) }
    }
}

impl Signer {
    /// An identity without its key: every message is signed elsewhere and handed back.
    #[must_use]
    pub fn offline(msp_id: &str, certificate_pem: &[u8]) -> Self {
        use prost::Message;
        let identity = proto::msp::SerializedIdentity {
            mspid: msp_id.to_owned(),
            id_bytes: Bytes::copy_from_slice(certificate_pem),
        };
        Self { serialized: identity.encode_to_vec().into(), key: None }
    }

    /// The encoded `SerializedIdentity`: the creator of what is signed.
    #[must_use]
    pub fn creator(&self) -> &Bytes {
        &self.serialized
    }

    /// Signs `message` (over its SHA-256).
    ///
    /// # Errors
    /// When the key is elsewhere or refuses.
    pub fn sign(&self, message: &[u8]) -> Result<Bytes, Error> {
        let key = self.key.as_ref().ok_or(Error::NoKey)?;
        key.sign(message).map_err(Error::identity)
    }
}
