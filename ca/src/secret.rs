//! Secrets: kept from logs, and stored only as salted hashes.

use std::num::NonZeroU32;

use aws_lc_rs::{pbkdf2, rand};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize, Serializer};

use crate::error::Error;

const ALGORITHM: pbkdf2::Algorithm = pbkdf2::PBKDF2_HMAC_SHA256;
const HASH_BYTES: usize = 32;
const SALT_BYTES: usize = 16;
const GENERATED_BYTES: usize = 18;

/// A text that is not printed.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// A new random secret.
    pub(crate) fn generate() -> Result<Self, Error> {
        let mut bytes = [0; GENERATED_BYTES];
        rand::fill(&mut bytes).map_err(|_| Error::Internal("no randomness".to_owned()))?;
        Ok(Self(URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// The text itself.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_empty() { "(none)" } else { "(secret)" })
    }
}

impl Serialize for Secret {
    /// Written as a placeholder: configurations are printed.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(if self.0.is_empty() { "" } else { "(secret)" })
    }
}

/// What is stored of a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SecretHash {
    salt: [u8; SALT_BYTES],
    hash: [u8; HASH_BYTES],
    rounds: NonZeroU32,
}

impl SecretHash {
    pub(crate) fn new(secret: &Secret, rounds: NonZeroU32) -> Result<Self, Error> {
        let (mut salt, mut hash) = ([0; SALT_BYTES], [0; HASH_BYTES]);
        rand::fill(&mut salt).map_err(|_| Error::Internal("no randomness".to_owned()))?;
        pbkdf2::derive(ALGORITHM, rounds, &salt, secret.0.as_bytes(), &mut hash);
        Ok(Self { salt, hash, rounds })
    }

    /// Whether `secret` is the one; takes the same time in both cases.
    pub(crate) fn matches(&self, secret: &str) -> bool {
        pbkdf2::verify(ALGORITHM, self.rounds, &self.salt, secret.as_bytes(), &self.hash).is_ok()
    }

    /// Works as long as a comparison, so that unknown ids cannot be told from wrong secrets.
    pub(crate) fn waste_time(rounds: NonZeroU32, secret: &str) {
        let mut hash = [0; HASH_BYTES];
        pbkdf2::derive(ALGORITHM, rounds, &[0; SALT_BYTES], secret.as_bytes(), &mut hash);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_secret_matches() {
        let rounds = NonZeroU32::new(1000).unwrap();
        let secret = Secret::generate().unwrap();
        let [one, other] = [(); 2].map(|()| SecretHash::new(&secret, rounds).unwrap());
        assert!(one.matches(secret.expose()) && other.matches(secret.expose()));
        assert_ne!(one, other, "salted");
        assert!(!one.matches("") && !one.matches("wrong"));
        let stored = serde_json::to_string(&one).unwrap();
        assert!(!stored.contains(secret.expose()));
        assert_eq!(serde_json::from_str::<SecretHash>(&stored).unwrap(), one);
    }
}
