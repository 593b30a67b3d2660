//! Reading MSP folders.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use prost::Message;
use proto::msp::{FabricMspConfig, FabricNodeOUs, FabricOuIdentifier, MspConfig};

use crate::certificate::Certificate;
use crate::keys::{PrivateKey, PublicKey};
use crate::msp::TYPE_X509;
use crate::pem;

use super::yaml::{Config, NodeUnits, Unit};
use super::{
    ADMINS, CONFIG, Error, INTERMEDIATES, KEYS, REVOCATION_LISTS, ROOTS, SIGNING,
    TLS_INTERMEDIATES, TLS_ROOTS, default_crypto, key_name,
};

/// Larger files are not keys.
const KEY_BYTES_MAX: u64 = 64 * 1024;
/// Larger files are neither certificates nor revocation lists.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

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
