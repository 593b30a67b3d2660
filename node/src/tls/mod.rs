//! TLS between nodes and towards clients: rustls on aws-lc-rs, TLS 1.2 and 1.3.
//!
//! A server either requires client certificates that chain to its client roots, or, as Fabric
//! does, requests a certificate and accepts any: possession of its key is proven by the
//! handshake, and what the certificate means is decided above (its hash binds requests to the
//! connection).

mod client;
mod pem;
mod server;
mod verifier;

use std::path::PathBuf;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
pub use rustls_pki_types::CertificateDer;
use serde::{Deserialize, Serialize};

pub use client::{ClientTls, Connection, client_config, connect};
pub use pem::{certificates_from_pem, load_certificates};
pub use server::ServerTls;

/// The TLS part of a listener's configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Whether the listener speaks TLS at all.
    pub enabled: bool,
    /// PEM file with the certificate, followed by its intermediates if any.
    pub certificate: PathBuf,
    /// PEM file with the private key.
    pub private_key: PathBuf,
    /// PEM files with the authorities this node trusts when it dials.
    pub root_cas: Vec<PathBuf>,
    /// Whether clients must present a certificate that chains to the client roots. When not,
    /// a certificate is requested and any is accepted.
    pub client_auth_required: bool,
    /// PEM files with the authorities whose client certificates are accepted.
    pub client_root_cas: Vec<PathBuf>,
}

/// Why TLS could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file is missing or unreadable.
    #[error("read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// The text holds no certificate, or a broken one.
    #[error("no usable certificate in {origin}: {reason}")]
    Certificate {
        /// Where the text came from.
        origin: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The text holds no private key, or a broken one.
    #[error("no usable private key in {origin}: {reason}")]
    PrivateKey {
        /// Where the text came from.
        origin: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Certificate, key and roots do not make a TLS configuration.
    #[error("TLS configuration")]
    Rustls(#[from] rustls::Error),
    /// The client roots cannot be used.
    #[error("client roots: {0}")]
    ClientRoots(String),
}

/// The one source of cryptography, aws-lc-rs, never the process-wide default.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// SHA-256 of a DER certificate: Fabric's `tls_cert_hash`.
#[must_use]
pub fn certificate_hash(der: &[u8]) -> [u8; 32] {
    use sha2::Digest;
    sha2::Sha256::digest(der).into()
}
