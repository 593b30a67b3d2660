//! The creator's certificate must not have expired. This is a courtesy to clients who forgot to
//! renew; what is valid in a block never depends on a clock.

use msp::Certificate;
use proto::envelope::Envelope;
use proto::msp::SerializedIdentity;

use super::Rejection;

pub(super) fn check(envelope: &Envelope, now: i64) -> Result<(), Rejection> {
    let end = proto::decode::<SerializedIdentity>(envelope.signature_header.creator.clone())
        .ok()
        .and_then(|identity| Certificate::from_pem(&identity.id_bytes).ok())
        .map(|certificate| certificate.not_after());
    match end {
        Some(end) if end < now => Err(Rejection::bad_request("broadcast client identity expired")),
        _ => Ok(()),
    }
}
