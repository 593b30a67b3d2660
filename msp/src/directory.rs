//! Organizations and signing identities as folders, in Fabric's layout.
//!
//! `cacerts`, `intermediatecerts`, `admincerts`, `tlscacerts`, `tlsintermediatecerts` and `crls`
//! hold PEM files, read in order of their names; `signcerts` and `keystore` hold the certificate
//! and key of whoever lives there; `config.yaml` says which organizational units mean what.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use prost::Message;
use proto::msp::{
    FabricCryptoConfig, FabricMspConfig, FabricNodeOUs, FabricOuIdentifier, MspConfig,
};
use serde::{Deserialize, Serialize};

use crate::certificate::{self, Certificate};
use crate::keys::{PrivateKey, PublicKey};
use crate::msp::TYPE_X509;
use crate::pem;

const ROOTS: &str = "cacerts";
const INTERMEDIATES: &str = "intermediatecerts";
const ADMINS: &str = "admincerts";
const TLS_ROOTS: &str = "tlscacerts";
const TLS_INTERMEDIATES: &str = "tlsintermediatecerts";
const REVOCATION_LISTS: &str = "crls";
const SIGNING: &str = "signcerts";
const KEYS: &str = "keystore";
const CONFIG: &str = "config.yaml";

/// Larger files are not keys.
const KEY_BYTES_MAX: u64 = 64 * 1024;
/// Larger files are neither certificates nor revocation lists.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

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

/// The file `config.yaml`.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Config {
    #[serde(
        rename = "OrganizationalUnitIdentifiers",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    units: Option<Vec<Unit>>,
    #[serde(rename = "NodeOUs", default, skip_serializing_if = "Option::is_none")]
    node_units: Option<NodeUnits>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct NodeUnits {
    #[serde(rename = "Enable", default)]
    enable: bool,
    #[serde(rename = "ClientOUIdentifier", default, skip_serializing_if = "Option::is_none")]
    client: Option<Unit>,
    #[serde(rename = "PeerOUIdentifier", default, skip_serializing_if = "Option::is_none")]
    peer: Option<Unit>,
    #[serde(rename = "AdminOUIdentifier", default, skip_serializing_if = "Option::is_none")]
    admin: Option<Unit>,
    #[serde(rename = "OrdererOUIdentifier", default, skip_serializing_if = "Option::is_none")]
    orderer: Option<Unit>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Unit {
    /// Path below the MSP folder; empty if any authority will do.
    #[serde(rename = "Certificate", default, skip_serializing_if = "String::is_empty")]
    certificate: String,
    #[serde(rename = "OrganizationalUnitIdentifier", default)]
    name: String,
}

/// Loads the definition of an organization, in the form channel configurations hold it.
pub fn load_config(msp_dir: &Path, msp_id: &str) -> Result<MspConfig, Error> {
    let config = load_fabric_config(msp_dir, msp_id)?;
    Ok(MspConfig { r#type: TYPE_X509, config: config.encode_to_vec().into() })
}

/// Loads the definition of an organization.
pub fn load_fabric_config(msp_dir: &Path, msp_id: &str) -> Result<FabricMspConfig, Error> {
    let texts = |folder: &str| load_folder(&msp_dir.join(folder));
    let root_certs = texts(ROOTS)?;
    if root_certs.is_empty() {
        return Err(Error::Empty(msp_dir.join(ROOTS)));
    }
    let tls_root_certs = texts(TLS_ROOTS)?;
    let tls_intermediate_certs =
        if tls_root_certs.is_empty() { Vec::new() } else { texts(TLS_INTERMEDIATES)? };
    let config = load_yaml(&msp_dir.join(CONFIG))?;
    let unit = |unit: Unit| load_unit(msp_dir, unit);
    let units = config.units.unwrap_or_default();
    Ok(FabricMspConfig {
        name: msp_id.to_owned(),
        root_certs,
        intermediate_certs: texts(INTERMEDIATES)?,
        admins: texts(ADMINS)?,
        revocation_list: texts(REVOCATION_LISTS)?,
        signing_identity: None,
        organizational_unit_identifiers: units.into_iter().map(unit).collect::<Result<_, _>>()?,
        crypto_config: Some(default_crypto()),
        tls_root_certs,
        tls_intermediate_certs,
        fabric_node_ous: load_node_units(msp_dir, config.node_units)?,
    })
}

/// The hash functions every organization uses.
pub fn default_crypto() -> FabricCryptoConfig {
    FabricCryptoConfig {
        signature_hash_family: "SHA2".to_owned(),
        identity_identifier_hash_function: "SHA256".to_owned(),
    }
}

fn load_node_units(dir: &Path, units: Option<NodeUnits>) -> Result<Option<FabricNodeOUs>, Error> {
    let Some(units) = units.filter(|units| units.enable) else { return Ok(None) };
    let unit = |unit: Option<Unit>| {
        unit.filter(|unit| !unit.name.is_empty()).map(|unit| load_unit(dir, unit)).transpose()
    };
    Ok(Some(FabricNodeOUs {
        enable: true,
        client_ou_identifier: unit(units.client)?,
        peer_ou_identifier: unit(units.peer)?,
        admin_ou_identifier: unit(units.admin)?,
        orderer_ou_identifier: unit(units.orderer)?,
    }))
}

fn load_unit(dir: &Path, unit: Unit) -> Result<FabricOuIdentifier, Error> {
    let certificate = match unit.certificate.as_str() {
        "" => Bytes::new(),
        path => load_file(&dir.join(path), FILE_BYTES_MAX)?.into(),
    };
    Ok(FabricOuIdentifier { certificate, organizational_unit_identifier: unit.name })
}

fn load_yaml(path: &Path) -> Result<Config, Error> {
    if !path.exists() {
        return Ok(Config::default());
    }
    let text = load_file(path, FILE_BYTES_MAX)?;
    serde_yaml_ng::from_slice(&text)
        .map_err(|source| Error::Config { path: path.to_owned(), source })
}

/// Loads the first certificate of `signcerts`.
pub fn load_signing_certificate(msp_dir: &Path) -> Result<Certificate, Error> {
    let path = msp_dir.join(SIGNING);
    let text = load_folder(&path)?.into_iter().next().ok_or(Error::Empty(path.clone()))?;
    Certificate::from_pem(&text).map_err(|source| Error::Certificate { path, source })
}

/// Loads the private half of `public` from `keystore`, whatever the file is called.
pub fn load_key(msp_dir: &Path, public: &PublicKey) -> Result<PrivateKey, Error> {
    let folder = msp_dir.join(KEYS);
    let expected = folder.join(key_name(public));
    for path in std::iter::once(expected).chain(files(&folder)?) {
        if let Ok(text) = load_file(&path, KEY_BYTES_MAX)
            && let Ok(key) = PrivateKey::from_pem(&text)
            && key.public() == public
        {
            return Ok(key);
        }
    }
    Err(Error::NoKey(folder))
}

fn key_name(public: &PublicKey) -> String {
    format!("{}_sk", hex::encode(public.ski()))
}

/// The PEM files of a folder, in order of name. A missing folder is an empty one.
fn load_folder(folder: &Path) -> Result<Vec<Bytes>, Error> {
    let mut texts = Vec::new();
    for path in files(folder)? {
        let text = load_file(&path, FILE_BYTES_MAX)?;
        if pem::decode(&text).is_some() {
            texts.push(text.into());
        }
    }
    Ok(texts)
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let failed = |source| Error::Io { action: "read", path: folder.to_owned(), source };
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        let hidden = path.file_name().is_some_and(|it| it.as_encoded_bytes().starts_with(b"."));
        if path.is_file() && !hidden {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn load_file(path: &Path, bytes_max: u64) -> Result<Vec<u8>, Error> {
    let failed = |source| Error::Io { action: "read", path: path.to_owned(), source };
    let length = fs::metadata(path).map_err(failed)?.len();
    if length > bytes_max {
        return Err(failed(io::Error::other("file is too large")));
    }
    fs::read(path).map_err(failed)
}

/// Writes the definition of an organization as an MSP folder. Files are named after the common
/// name of the certificate they hold.
pub fn store_config(msp_dir: &Path, config: &FabricMspConfig) -> Result<(), Error> {
    for (folder, texts) in [
        (ROOTS, &config.root_certs),
        (INTERMEDIATES, &config.intermediate_certs),
        (ADMINS, &config.admins),
        (TLS_ROOTS, &config.tls_root_certs),
        (TLS_INTERMEDIATES, &config.tls_intermediate_certs),
    ] {
        for (name, text) in certificate_names(texts).iter().zip(texts) {
            store(&msp_dir.join(folder).join(name), text, 0o644)?;
        }
    }
    for (index, list) in config.revocation_list.iter().enumerate() {
        store(&msp_dir.join(REVOCATION_LISTS).join(format!("crl-{index}.pem")), list, 0o644)?;
    }
    let path = msp_dir.join(CONFIG);
    let text = serde_yaml_ng::to_string(&yaml_of(config))
        .map_err(|source| Error::Config { path: path.clone(), source })?;
    store(&path, text.as_bytes(), 0o644)
}

/// Writes certificate and key of a signing identity into an MSP folder.
pub fn store_signer(msp_dir: &Path, certificate: &Certificate, key_pem: &str) -> Result<(), Error> {
    let text = certificate.to_pem();
    store(&msp_dir.join(SIGNING).join(certificate_name(text.as_bytes())), text.as_bytes(), 0o644)?;
    let key = msp_dir.join(KEYS).join(key_name(certificate.public_key()));
    store(&key, key_pem.as_bytes(), 0o600)
}

fn yaml_of(config: &FabricMspConfig) -> Config {
    let path = |text: &Bytes| {
        let folders = [(ROOTS, &config.root_certs), (INTERMEDIATES, &config.intermediate_certs)];
        let place = folders.into_iter().find_map(|(folder, texts)| {
            let index = texts.iter().position(|it| it == text)?;
            Some(format!("{folder}/{}", certificate_names(texts).get(index)?))
        });
        place.unwrap_or_default()
    };
    let unit = |unit: &FabricOuIdentifier| Unit {
        certificate: path(&unit.certificate),
        name: unit.organizational_unit_identifier.clone(),
    };
    let units: Vec<_> = config.organizational_unit_identifiers.iter().map(unit).collect();
    let node_units = config.fabric_node_ous.as_ref().map(|units| NodeUnits {
        enable: units.enable,
        client: units.client_ou_identifier.as_ref().map(unit),
        peer: units.peer_ou_identifier.as_ref().map(unit),
        admin: units.admin_ou_identifier.as_ref().map(unit),
        orderer: units.orderer_ou_identifier.as_ref().map(unit),
    });
    Config { units: (!units.is_empty()).then_some(units), node_units }
}

/// Names of files for certificates of one folder, all different.
fn certificate_names(texts: &[Bytes]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        let name = certificate_name(text);
        let taken = names.contains(&name);
        names.push(if taken { format!("{index}-{name}") } else { name });
    }
    names
}

/// `<common name>-cert.pem`, without anything that could leave the folder.
fn certificate_name(text: &[u8]) -> String {
    let parsed = Certificate::from_pem(text);
    let name = parsed.as_ref().map_or("unnamed", |it| it.common_name());
    let harmless = |c: char| if c.is_alphanumeric() || "@.-_".contains(c) { c } else { '_' };
    format!("{}-cert.pem", name.chars().map(harmless).collect::<String>())
}

/// Writes a file so that it is either the old or the new one, never in between. Hidden files are
/// not read back.
fn store(path: &Path, content: &[u8], mode: u32) -> Result<(), Error> {
    let failed = |source| Error::Io { action: "write", path: path.to_owned(), source };
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(failed)?;
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    let temporary = folder.join(name);
    let _ = fs::remove_file(&temporary);
    let mut options = fs::OpenOptions::new();
    let mut file =
        options.write(true).create_new(true).mode(mode).open(&temporary).map_err(failed)?;
    file.write_all(content).and_then(|()| file.sync_all()).map_err(failed)?;
    fs::rename(&temporary, path).map_err(failed)
}
