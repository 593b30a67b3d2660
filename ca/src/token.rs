//! Tokens: how a caller proves who it is after enrolment.
//!
//! A token is `certificate.moment.signature`, each part in standard base64, sent as metadata
//! `authorization`. The certificate is PEM; the moment is the time in seconds since 1970
//! (8 bytes, big-endian) followed by 16 random bytes; the signature is the certificate's own over
//! `POST.path.body.certificate.moment`, where all but the first part are in base64 and the body is
//! the encoded request message. So a token serves one call with one content, once, and not long.

use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use msp::{Certificate, SigningIdentity};

const METHOD: &str = "POST";
/// Key of the metadata entry.
pub const METADATA: &str = "authorization";

const TIME_BYTES: usize = 8;
const NONCE_BYTES: usize = 16;
/// Certificates with attributes take a few kilobytes.
const TOKEN_BYTES_MAX: usize = 64 * 1024;

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No random bytes could be had.
    #[error("no randomness")]
    Randomness,
    /// The key did not sign.
    #[error("sign token")]
    Sign(#[source] msp::Error),
    /// The token cannot be sent as metadata.
    #[error("token is not metadata")]
    Metadata,
}

/// A received token. Nothing about it is proven before [`Token::verify`].
#[derive(Debug, Clone)]
pub(crate) struct Token {
    pub(crate) certificate: Certificate,
    /// When the caller says it was made, in seconds since 1970.
    pub(crate) time: i64,
    /// Tells tokens of the same second apart.
    pub(crate) moment: Vec<u8>,
    signed_suffix: String,
    signature: Vec<u8>,
}

/// Makes a token for one call.
pub fn create(
    signer: &SigningIdentity,
    path: &str,
    body: &[u8],
    time: i64,
) -> Result<String, Error> {
    let mut nonce = [0; NONCE_BYTES];
    rand::fill(&mut nonce).map_err(|_| Error::Randomness)?;
    let moment = STANDARD.encode([&time.to_be_bytes()[..], &nonce].concat());
    let certificate = STANDARD.encode(signer.certificate_pem());
    let suffix = format!("{certificate}.{moment}");
    let signature = signer.sign(&signed(path, body, &suffix)).map_err(Error::Sign)?;
    Ok(format!("{suffix}.{}", STANDARD.encode(signature)))
}

fn signed(path: &str, body: &[u8], suffix: &str) -> Vec<u8> {
    format!("{METHOD}.{}.{}.{suffix}", STANDARD.encode(path), STANDARD.encode(body)).into_bytes()
}

impl Token {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text.len() > TOKEN_BYTES_MAX {
            return None;
        }
        let (suffix, signature) = text.rsplit_once('.')?;
        let (certificate, moment) = suffix.split_once('.')?;
        let moment = STANDARD.decode(moment).ok()?;
        if moment.len() != TIME_BYTES + NONCE_BYTES {
            return None;
        }
        Some(Self {
            certificate: Certificate::from_pem(&STANDARD.decode(certificate).ok()?).ok()?,
            time: i64::from_be_bytes(*moment.first_chunk()?),
            moment,
            signed_suffix: suffix.to_owned(),
            signature: STANDARD.decode(signature).ok()?,
        })
    }

    /// Whether the holder of the certificate's key made the token for this call.
    pub(crate) fn verify(&self, path: &str, body: &[u8]) -> bool {
        let message = signed(path, body, &self.signed_suffix);
        self.certificate.public_key().verify(&message, &self.signature).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use msp::authority::{Authority, Subject};

    use super::*;

    #[test]
    fn a_token_serves_one_call_with_one_content() {
        let root = Authority::generate(&Subject::default(), 0, 1000).unwrap();
        let (certificate, key) = (root.certificate().to_pem(), root.key().to_pem().unwrap());
        let signer =
            SigningIdentity::from_pem("MSP", certificate.as_bytes(), key.as_bytes()).unwrap();
        let text = create(&signer, "/a", b"body", 77).unwrap();
        let token = Token::parse(&text).unwrap();
        assert_eq!(token.time, 77);
        assert!(token.verify("/a", b"body"));
        assert!(!token.verify("/b", b"body") && !token.verify("/a", b"bodY"));
        let parts: Vec<_> = text.split('.').collect();
        let later = STANDARD.encode([&78i64.to_be_bytes()[..], &token.moment[8..]].concat());
        let forged = [parts[0], &later, parts[2]].join(".");
        assert!(!Token::parse(&forged).unwrap().verify("/a", b"body"));
        for bad in ["", "..", "a.b.c", &parts[..2].join("."), &"a".repeat(100_000)] {
            assert!(Token::parse(bad).is_none(), "{bad}");
        }
    }
}
