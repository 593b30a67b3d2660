//! Who calls: from a token to the record of the caller.

use crate::error::Error;
use crate::messages::Profile;
use crate::now;
use crate::record::Identity;
use crate::token::Token;

use super::Service;

impl Service {
    /// The caller, if the token proves one. `reenrolling` may accept an expired certificate.
    pub(super) fn authenticate(
        &self,
        token: Option<&str>,
        path: &str,
        body: &[u8],
        reenrolling: bool,
    ) -> Result<Identity, Error> {
        let refused = |reason| Err(Error::Authentication(reason));
        let Some(text) = token else { return refused("no token") };
        let Some(token) = Token::parse(text) else { return refused("malformed token") };
        let (now, window) = (now(), self.config.token_window.as_secs() as i64);
        if token.time.abs_diff(now) > window.unsigned_abs() {
            return refused("token from another time");
        }
        let serial = hex::encode(token.certificate.serial());
        // Certificates for TLS prove no identity: only those of the other profile are looked up.
        let Some(certificate) = self.store.certificate(Profile::Identity, &serial)? else {
            return refused("unknown certificate");
        };
        if certificate.pem != token.certificate.to_pem() {
            return refused("another certificate with a known serial number");
        }
        if !token.verify(path, body) {
            return refused("signature of token");
        }
        if certificate.revocation.is_some() {
            return refused("revoked certificate");
        }
        let excused = reenrolling && self.config.registry.reenroll_expired;
        if certificate.not_after < now && !excused {
            return refused("expired certificate");
        }
        let Some(caller) = self.store.identity(&certificate.id)?.filter(|it| !it.revoked) else {
            return refused("identity is revoked or removed");
        };
        let id = proto::sha256_all([&token.moment[..], token.certificate.der()]);
        if !self.store.use_token(&id, token.time.saturating_add(window), now)? {
            return refused("token used before");
        }
        Ok(caller)
    }
}
