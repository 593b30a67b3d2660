//! A hospital's vault in miniature: records encrypted under a key of their own, keys handed over
//! sealed to the recipient. Nothing of it enters the chain but hashes.

use std::path::PathBuf;

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use aws_lc_rs::agreement::{ECDH_P256, EphemeralPrivateKey, UnparsedPublicKey, agree_ephemeral};
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;

use crate::failure::{Exit, Explain, Failure, Result};
use crate::inventory::write_whole;

const NONCE_BYTES: usize = 12;

/// Encrypted records in a folder.
pub(super) struct Vault {
    folder: PathBuf,
}

/// What the chain learns about a record.
pub(super) struct Pointer {
    /// SHA-256 of the ciphertext.
    pub(super) cid: String,
    /// HMAC-SHA-256 of the plaintext under the record's key.
    pub(super) commit: String,
    /// Bytes of the ciphertext.
    pub(super) size: usize,
}

/// A key pair for one release.
pub(super) struct Recipient {
    private: EphemeralPrivateKey,
    public: Vec<u8>,
}

impl Vault {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    fn cipher(&self, record: &str) -> PathBuf {
        self.folder.join(format!("{record}.sealed"))
    }

    fn key(&self, record: &str) -> PathBuf {
        self.folder.join(format!("{record}.key"))
    }

    /// Encrypts a record under a fresh key and keeps both.
    pub(super) fn keep(&self, record: &str, plaintext: &[u8]) -> Result<Pointer> {
        let key: [u8; 32] = rand::random();
        let sealed = seal(&key, plaintext)?;
        let what = || format!("keep record {record}");
        write_whole(&self.cipher(record), &sealed).explain(what)?;
        write_whole(&self.key(record), &key).explain(what)?;
        let commit = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), plaintext);
        Ok(Pointer {
            cid: hex::encode(proto::sha256(&sealed)),
            commit: hex::encode(commit.as_ref()),
            size: sealed.len(),
        })
    }

    /// The ciphertext, which anyone may hold.
    pub(super) fn ciphertext(&self, record: &str) -> Result<Vec<u8>> {
        std::fs::read(self.cipher(record)).explain(|| format!("read record {record}"))
    }

    /// The record's key, sealed so that only the owner of `recipient` can open it.
    pub(super) fn envelope(&self, record: &str, recipient: &[u8]) -> Result<Vec<u8>> {
        let key =
            std::fs::read(self.key(record)).explain(|| format!("read the key of {record}"))?;
        let own = Recipient::new()?;
        let public = own.public.clone();
        let sealed = seal(&own.agree(recipient)?, &key)?;
        Ok([public, sealed].concat())
    }
}

impl Recipient {
    pub(super) fn new() -> Result<Self> {
        let private = EphemeralPrivateKey::generate(&ECDH_P256, &SystemRandom::new());
        let private = private.map_err(|_| broken("make a key"))?;
        let public = private.compute_public_key().map_err(|_| broken("make a key"))?;
        Ok(Self { public: public.as_ref().to_vec(), private })
    }

    pub(super) fn public(&self) -> &[u8] {
        &self.public
    }

    fn agree(self, other: &[u8]) -> Result<[u8; 32]> {
        let other = UnparsedPublicKey::new(&ECDH_P256, other);
        agree_ephemeral(self.private, other, broken("agree on a key"), |secret| {
            Ok(proto::sha256(secret))
        })
    }

    /// Opens an envelope and with its key the ciphertext.
    pub(super) fn open(self, envelope: &[u8], ciphertext: &[u8]) -> Result<Vec<u8>> {
        let length = self.public.len();
        let (other, sealed) =
            envelope.split_at_checked(length).ok_or_else(|| broken("read the envelope"))?;
        let key = unseal(&self.agree(other)?, sealed)?;
        let key: [u8; 32] = key.try_into().map_err(|_| broken("read the record's key"))?;
        unseal(&key, ciphertext)
    }
}

fn broken(what: &str) -> Failure {
    Failure::new(Exit::Failed, what)
}

fn seal(key: &[u8; 32], plaintext: &[u8]) -> Result<Vec<u8>> {
    let key = RandomizedNonceKey::new(&AES_256_GCM, key).map_err(|_| broken("encrypt"))?;
    let mut text = plaintext.to_vec();
    let nonce =
        key.seal_in_place_append_tag(Aad::empty(), &mut text).map_err(|_| broken("encrypt"))?;
    Ok([nonce.as_ref().as_slice(), &text].concat())
}

fn unseal(key: &[u8; 32], sealed: &[u8]) -> Result<Vec<u8>> {
    let failed = || broken("decrypt");
    let key = RandomizedNonceKey::new(&AES_256_GCM, key).map_err(|_| failed())?;
    let (nonce, text) = sealed.split_at_checked(NONCE_BYTES).ok_or_else(failed)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| failed())?;
    let mut text = text.to_vec();
    let plain = key.open_in_place(nonce, Aad::empty(), &mut text).map_err(|_| failed())?;
    Ok(plain.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_recipient_reads_a_record() {
        let directory = tempfile::tempdir().unwrap();
        let vault = Vault::new(directory.path().to_owned());
        let pointer = vault.keep("a", b"penicillin").unwrap();
        let ciphertext = vault.ciphertext("a").unwrap();
        assert_eq!(pointer.cid, hex::encode(proto::sha256(&ciphertext)));
        assert!(!ciphertext.windows(10).any(|window| window == b"penicillin"));

        let (right, wrong) = (Recipient::new().unwrap(), Recipient::new().unwrap());
        let envelope = vault.envelope("a", right.public()).unwrap();
        assert!(wrong.open(&envelope, &ciphertext).is_err());
        assert_eq!(right.open(&envelope, &ciphertext).unwrap(), b"penicillin");
        assert!(Recipient::new().unwrap().open(b"short", &ciphertext).is_err());
    }
}
