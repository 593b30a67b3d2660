//! The creator must be allowed to write to the channel, or to the ordering service while that is in
//! maintenance.

use channel::{Bundle, SignedData};
use proto::common::Status;
use proto::envelope::Envelope;

use super::{Rejection, maintenance};

pub(super) fn check(bundle: &Bundle, envelope: &Envelope) -> Result<(), Rejection> {
    let policy =
        if maintenance::is_on(bundle) { "/Channel/Orderer/Writers" } else { "/Channel/Writers" };
    bundle
        .evaluate(policy, &[SignedData::of_envelope(envelope)])
        .map_err(|error| Rejection::new(Status::Forbidden, format!("{error}: permission denied")))
}
