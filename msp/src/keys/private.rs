//! Private keys: generated, read and written as PEM, and signing.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    self as lc, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair,
};
use bytes::Bytes;

use crate::pem;

use super::{Algorithm, Error, PublicKey, ecdsa};

const SEC1: &str = "EC PRIVATE KEY";

/// A private key. It never appears in logs: `Debug` shows the public half.
pub struct PrivateKey {
    pair: Pair,
    public: PublicKey,
}

enum Pair {
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl PrivateKey {
    /// A new P-256 key.
    pub fn generate() -> Result<Self, Error> {
        Self::generate_for(Algorithm::P256)
    }

    /// A new key of the given kind: P-256, P-521 or Ed25519.
    pub fn generate_for(algorithm: Algorithm) -> Result<Self, Error> {
        let pair = match algorithm {
            Algorithm::Ed25519 => Ed25519KeyPair::generate().map(Pair::Ed25519),
            _ => EcdsaKeyPair::generate(signing_algorithm(algorithm)?).map(Pair::Ecdsa),
        };
        Self::from_pair(pair.map_err(|_| Error::Internal)?)
    }

    /// Reads the first private key of a PEM text, in PKCS#8 or SEC1 form.
    pub fn from_pem(text: &[u8]) -> Result<Self, Error> {
        let block = pem::blocks(text)
            .find(|block| block.label == pem::PRIVATE_KEY || block.label == SEC1)
            .ok_or(Error::NotAKey)?;
        for algorithm in [Algorithm::P256, Algorithm::P521] {
            let algorithm = signing_algorithm(algorithm)?;
            if let Ok(pair) = EcdsaKeyPair::from_private_key_der(algorithm, &block.content) {
                return Self::from_pair(Pair::Ecdsa(pair));
            }
        }
        match Ed25519KeyPair::from_pkcs8_maybe_unchecked(&block.content) {
            Ok(pair) => Self::from_pair(Pair::Ed25519(pair)),
            Err(_) => Err(Error::Unsupported("signing")),
        }
    }

    fn from_pair(pair: Pair) -> Result<Self, Error> {
        let spki = match &pair {
            Pair::Ecdsa(pair) => pair.public_key().as_der(),
            Pair::Ed25519(pair) => pair.public_key().as_der(),
        };
        let public = PublicKey::from_spki(spki.map_err(|_| Error::Internal)?.as_ref())?;
        Ok(Self { pair, public })
    }

    /// The key as PKCS#8 PEM. The caller keeps it secret.
    pub fn to_pem(&self) -> Result<String, Error> {
        let der = match &self.pair {
            Pair::Ecdsa(pair) => pair.to_pkcs8v1(),
            Pair::Ed25519(pair) => pair.to_pkcs8v1(),
        };
        Ok(pem::encode(pem::PRIVATE_KEY, der.map_err(|_| Error::Internal)?.as_ref()))
    }

    /// Signs `message`; ECDSA signatures are over SHA-256 and have low S.
    pub fn sign(&self, message: &[u8]) -> Result<Bytes, Error> {
        match &self.pair {
            Pair::Ed25519(pair) => Ok(Bytes::copy_from_slice(pair.sign(message).as_ref())),
            Pair::Ecdsa(pair) => {
                let signature =
                    pair.sign(&SystemRandom::new(), message).map_err(|_| Error::Internal)?;
                ecdsa::to_low_s(self.public.algorithm(), signature.as_ref()).map(Bytes::from)
            }
        }
    }

    /// The public half.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Name under which the key lies in a keystore.
    pub fn ski(&self) -> [u8; 32] {
        self.public.ski()
    }
}

impl std::fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PrivateKey(of {:?})", self.public)
    }
}

fn signing_algorithm(algorithm: Algorithm) -> Result<&'static EcdsaSigningAlgorithm, Error> {
    match algorithm {
        Algorithm::P256 => Ok(&lc::ECDSA_P256_SHA256_ASN1_SIGNING),
        Algorithm::P521 => Ok(&lc::ECDSA_P521_SHA256_ASN1_SIGNING),
        Algorithm::P384 | Algorithm::Ed25519 | Algorithm::Rsa => Err(Error::Unsupported("signing")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_survive_pem_and_sign() {
        for algorithm in [Algorithm::P256, Algorithm::P521, Algorithm::Ed25519] {
            let key = PrivateKey::generate_for(algorithm).unwrap();
            let again = PrivateKey::from_pem(key.to_pem().unwrap().as_bytes()).unwrap();
            assert_eq!(again.ski(), key.ski());
            for round in 0..20u8 {
                let signature = again.sign(&[round]).unwrap();
                assert_eq!(key.public().verify(&[round], &signature), Ok(()));
                assert_eq!(key.public().verify(&[round, 1], &signature), Err(Error::Signature));
            }
        }
    }

    #[test]
    fn other_kinds_do_not_sign() {
        for algorithm in [Algorithm::P384, Algorithm::Rsa] {
            assert!(PrivateKey::generate_for(algorithm).is_err());
        }
        assert_eq!(PrivateKey::from_pem(b"").unwrap_err(), Error::NotAKey);
        let junk = pem::encode(pem::PRIVATE_KEY, b"junk");
        assert!(PrivateKey::from_pem(junk.as_bytes()).is_err());
    }

    #[test]
    fn debug_shows_no_secret() {
        let key = PrivateKey::generate().unwrap();
        assert!(format!("{key:?}").starts_with("PrivateKey(of PublicKey(P256, "));
    }
}
