//! The first message of a stream: who is at the other end, proven for this TLS session.

use bytes::Bytes;
use proto::gossip::Envelope;
use proto::gossip::gossip_message::Content;

use super::message::{self, PkiId};
use super::{DropReason, Trust};

/// The peer at the other end of a stream.
#[derive(Debug, Clone)]
pub(super) struct Remote {
    pub(super) pki_id: PkiId,
    pub(super) msp_id: String,
    /// Its `SerializedIdentity`.
    pub(super) identity: Bytes,
}

/// Verifies a handshake. `tls_hash` is that of the certificate the other side showed, `None`
/// without TLS.
pub(super) fn verify(
    envelope: &Envelope,
    tls_hash: Option<[u8; 32]>,
    trust: &Trust,
) -> Result<Remote, DropReason> {
    let Content::Conn(conn) = message::parse(envelope)? else {
        return Err(DropReason::Malformed);
    };
    if let Some(expected) = tls_hash
        && conn.tls_cert_hash != expected.as_slice()
    {
        return Err(DropReason::Binding);
    }
    let pki_id = checked_pki_id(&conn.identity, &conn.pki_id)?;
    let identity = trust.identity(&conn.identity)?;
    identity.verify(&envelope.payload, &envelope.signature).map_err(|_| DropReason::Signature)?;
    Ok(Remote { pki_id, msp_id: identity.msp_id().to_owned(), identity: conn.identity })
}

/// The PKI id of an identity, which must be the one claimed.
pub(super) fn checked_pki_id(identity: &Bytes, claimed: &Bytes) -> Result<PkiId, DropReason> {
    let pki_id = message::pki_id(identity).ok_or(DropReason::Malformed)?;
    if *claimed == pki_id.as_slice() { Ok(pki_id) } else { Err(DropReason::Untrusted) }
}
