//! Organizations and signing identities as folders, in Fabric's layout.
//!
//! `cacerts`, `intermediatecerts`, `admincerts`, `tlscacerts`, `tlsintermediatecerts` and `crls`
//! hold PEM files, read in order of their names; `signcerts` and `keystore` hold the certificate
//! and key of whoever lives there; `config.yaml` says which organizational units mean what.

mod load;
mod store;
mod yaml;

use std::io;
use std::path::PathBuf;

use proto::msp::FabricCryptoConfig;

use crate::certificate;
use crate::keys::PublicKey;

pub use self::load::{load_config, load_fabric_config, load_key, load_signing_certificate};
pub use self::store::{store_config, store_file, store_signer};

const ROOTS: &str = "cacerts";
const INTERMEDIATES: &str = "intermediatecerts";
const ADMINS: &str = "admincerts";
const TLS_ROOTS: &str = "tlscacerts";
const TLS_INTERMEDIATES: &str = "tlsintermediatecerts";
const REVOCATION_LISTS: &str = "crls";
const SIGNING: &str = "signcerts";
const KEYS: &str = "keystore";
const CONFIG: &str = "config.yaml";

/// Why a folder is not that of an organization or identity.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder cannot be read or written.
    #[error("{action} {path}")]
    Io {
        /// What was attempted.
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A folder that must hold something is empty.
    #[error("no PEM file in {0}")]
    Empty(PathBuf),
    /// `config.yaml` does not parse.
    #[error("parse {path}")]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: serde_yaml_ng::Error,
    },
    /// A certificate does not parse.
    #[error("certificate in {path}")]
    Certificate {
        /// The folder.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: certificate::Error,
    },
    /// No file of the keystore holds the key of the signing certificate.
    #[error("no key for the signing certificate in {0}")]
    NoKey(PathBuf),
}

/// The hash functions every organization uses.
pub fn default_crypto() -> FabricCryptoConfig {
    FabricCryptoConfig {
        signature_hash_family: "SHA2".to_owned(),
        identity_identifier_hash_function: "SHA256".to_owned(),
    }
}

fn key_name(public: &PublicKey) -> String {
    format!("{}_sk", hex::encode(public.ski()))
}
