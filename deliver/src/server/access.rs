//! Who asks, and whether he still may.

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use channel::{Bundle, SignedData, policy};
use proto::envelope::Envelope;
use proto::msp::SerializedIdentity;

/// The one who made a request, for as long as it is answered.
#[derive(Debug, Clone)]
pub struct Session {
    signed: SignedData,
    /// When his certificate expires, in seconds since 1970; `None` if it says nothing.
    expires: Option<i64>,
}

/// Why a session ends.
#[derive(Debug, thiserror::Error)]
pub(super) enum Denied {
    #[error("the client's certificate has expired")]
    Expired,
    #[error(transparent)]
    Policy(#[from] policy::Error),
}

impl Session {
    pub(super) fn new(envelope: &Envelope) -> Self {
        let signed = SignedData::of_envelope(envelope);
        let expires = proto::decode::<SerializedIdentity>(signed.identity.clone())
            .ok()
            .and_then(|identity| msp::Certificate::from_pem(&identity.id_bytes).ok())
            .map(|certificate| certificate.not_after());
        Self { signed, expires }
    }

    /// The caller's serialized identity.
    pub fn identity(&self) -> &Bytes {
        &self.signed.identity
    }

    /// The caller's signature on his request, for further policies.
    pub fn signed(&self) -> &SignedData {
        &self.signed
    }

    pub(super) fn check_expiry(&self) -> Result<(), Denied> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        match self.expires {
            Some(end) if i64::try_from(now).unwrap_or(i64::MAX) > end => Err(Denied::Expired),
            _ => Ok(()),
        }
    }
}

/// Access of one session to one channel: evaluated again when the configuration has changed.
pub(super) struct Access<'a> {
    session: &'a Session,
    /// Sequence number of the configuration under which access was granted.
    granted: Option<u64>,
}

impl<'a> Access<'a> {
    pub(super) fn new(session: &'a Session) -> Self {
        Self { session, granted: None }
    }

    /// Whether the session may read now, under a configuration.
    pub(super) fn check(
        &mut self,
        bundle: &Bundle,
        policy: impl Fn(&Bundle) -> String,
    ) -> Result<(), Denied> {
        self.session.check_expiry()?;
        if self.granted != Some(bundle.sequence()) {
            bundle.evaluate(&policy(bundle), std::slice::from_ref(&self.session.signed))?;
            self.granted = Some(bundle.sequence());
        }
        Ok(())
    }
}
