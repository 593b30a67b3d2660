//! A signed message, ready for a policy.

use bytes::{BufMut, Bytes, BytesMut};
use proto::common::{ConfigUpdateEnvelope, SignatureHeader};
use proto::envelope::Envelope;

/// A message, who claims to have signed it, and the signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedData {
    /// The signed bytes.
    pub data: Bytes,
    /// The signer, a serialized identity.
    pub identity: Bytes,
    /// The signature over `data`.
    pub signature: Bytes,
}

impl SignedData {
    /// The creator's signature over an envelope's payload.
    pub fn of_envelope(envelope: &Envelope) -> Self {
        Self {
            data: envelope.payload.clone(),
            identity: envelope.signature_header.creator.clone(),
            signature: envelope.signature.clone(),
        }
    }

    /// The signatures of a config update, each over its signature header and the update.
    pub fn of_config_update(
        envelope: &ConfigUpdateEnvelope,
    ) -> Result<Vec<Self>, prost::DecodeError> {
        let signed = |signature: &proto::common::ConfigSignature| {
            let header: SignatureHeader = proto::decode(signature.signature_header.clone())?;
            let size = signature.signature_header.len() + envelope.config_update.len();
            let mut data = BytesMut::with_capacity(size);
            data.put_slice(&signature.signature_header);
            data.put_slice(&envelope.config_update);
            Ok(Self {
                data: data.freeze(),
                identity: header.creator,
                signature: signature.signature.clone(),
            })
        };
        envelope.signatures.iter().map(signed).collect()
    }
}
