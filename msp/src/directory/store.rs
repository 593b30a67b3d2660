//! Writing MSP folders.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use bytes::Bytes;
use proto::msp::{FabricMspConfig, FabricOuIdentifier};

use crate::certificate::Certificate;

use super::yaml::{Config, NodeUnits, Unit};
use super::{
    ADMINS, CONFIG, Error, INTERMEDIATES, KEYS, REVOCATION_LISTS, ROOTS, SIGNING,
    TLS_INTERMEDIATES, TLS_ROOTS, key_name,
};

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
            store_file(&msp_dir.join(folder).join(name), text, 0o644)?;
        }
    }
    for (index, list) in config.revocation_list.iter().enumerate() {
        store_file(&msp_dir.join(REVOCATION_LISTS).join(format!("crl-{index}.pem")), list, 0o644)?;
    }
    let path = msp_dir.join(CONFIG);
    let text = serde_yaml_ng::to_string(&yaml_of(config))
        .map_err(|source| Error::Config { path: path.clone(), source })?;
    store_file(&path, text.as_bytes(), 0o644)
}

/// Writes certificate and key of a signing identity into an MSP folder.
pub fn store_signer(msp_dir: &Path, certificate: &Certificate, key_pem: &str) -> Result<(), Error> {
    let text = certificate.to_pem();
    store_file(
        &msp_dir.join(SIGNING).join(certificate_name(text.as_bytes())),
        text.as_bytes(),
        0o644,
    )?;
    let key = msp_dir.join(KEYS).join(key_name(certificate.public_key()));
    store_file(&key, key_pem.as_bytes(), 0o600)
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

/// Writes a file, and the folders above it, so that it is either the old or the new one, never in
/// between. `mode` holds from the first byte on.
pub fn store_file(path: &Path, content: &[u8], mode: u32) -> Result<(), Error> {
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
