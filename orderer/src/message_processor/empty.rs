//! An envelope must hold something.

use proto::envelope::Envelope;

use super::Rejection;

pub(super) fn check(envelope: &Envelope) -> Result<(), Rejection> {
    if envelope.payload.is_empty() {
        return Err(Rejection::bad_request("Message was empty"));
    }
    // Fabric's peers refuse whole blocks with such an envelope in them.
    if envelope.signature.is_empty() {
        return Err(Rejection::bad_request("Message was not signed"));
    }
    Ok(())
}
