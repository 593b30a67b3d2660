//! Keys: what signs and what verifies.
//!
//! ECDSA signatures of messages are over SHA-256 whatever the curve, and must have the smaller of
//! the two possible values of `s`; Ed25519 signs the message itself. Certificates follow the rules
//! of X.509 instead, where the algorithm stands beside the signature.

pub(crate) mod ecdsa;
mod private;
mod public;

pub use self::private::PrivateKey;
pub use self::public::PublicKey;
pub(crate) use self::public::SignatureAlgorithm;

/// The kinds of key that are understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Algorithm {
    /// ECDSA on NIST P-256, the usual kind.
    P256,
    /// ECDSA on NIST P-384: verified, but not signed with.
    P384,
    /// ECDSA on NIST P-521.
    P521,
    /// Ed25519, for channels with capability V3_0.
    Ed25519,
    /// RSA: certificate authorities only.
    Rsa,
}

/// Why a key cannot be used, or a signature does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The text holds no private key in a known format.
    #[error("no private key in PKCS#8 or SEC1 form")]
    NotAKey,
    /// The key is of a kind that is not supported for this use.
    #[error("key algorithm is not supported for {0}")]
    Unsupported(&'static str),
    /// The bytes of the key are not a key.
    #[error("key is malformed")]
    Malformed,
    /// The signature is not `SEQUENCE { r, s }`.
    #[error("signature is malformed")]
    MalformedSignature,
    /// The signature uses the larger of the two values of `s`.
    #[error("signature has a high s value")]
    HighS,
    /// The signature is not one of this message under this key.
    #[error("signature does not verify")]
    Signature,
    /// The cryptographic library refused to work.
    #[error("cryptographic operation failed")]
    Internal,
}
