//! An envelope must fit into a block.

use channel::Bundle;
use proto::envelope::Envelope;

use super::Rejection;

/// What an envelope counts towards all limits.
pub(super) fn of(envelope: &Envelope) -> usize {
    envelope.payload.len() + envelope.signature.len()
}

pub(super) fn check(bundle: &Bundle, envelope: &Envelope) -> Result<(), Rejection> {
    let max = bundle.orderer().map_or(0, |orderer| orderer.batch_size.absolute_max_bytes);
    let size = of(envelope);
    if size > max as usize {
        return Err(Rejection::bad_request(format_args!(
            "message payload is {size} bytes and exceeds maximum allowed {max} bytes"
        )));
    }
    Ok(())
}
