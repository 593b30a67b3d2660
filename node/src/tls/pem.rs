//! Reading certificates and keys from PEM.

use std::path::{Path, PathBuf};

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::Error;

/// All certificates of a PEM text, in order; at least one.
///
/// # Errors
/// When the text holds none or a broken one.
pub fn certificates_from_pem(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, Error> {
    certificates(pem, "PEM text")
}

/// All certificates of several PEM files, in order.
///
/// # Errors
/// When a file is unreadable or holds no certificate.
pub fn load_certificates(paths: &[PathBuf]) -> Result<Vec<CertificateDer<'static>>, Error> {
    let mut all = Vec::new();
    for path in paths {
        all.extend(certificates(&read(path)?, &path.display().to_string())?);
    }
    Ok(all)
}

pub(super) fn certificates(
    pem: &[u8],
    origin: &str,
) -> Result<Vec<CertificateDer<'static>>, Error> {
    let unusable = |reason: String| Error::Certificate { origin: origin.to_owned(), reason };
    let found: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|error| unusable(error.to_string()))?;
    if found.is_empty() {
        return Err(unusable("no CERTIFICATE block".to_owned()));
    }
    Ok(found)
}

pub(super) fn private_key(pem: &[u8], origin: &str) -> Result<PrivateKeyDer<'static>, Error> {
    PrivateKeyDer::from_pem_slice(pem)
        .map_err(|error| Error::PrivateKey { origin: origin.to_owned(), reason: error.to_string() })
}

pub(super) fn read(path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|source| Error::Read { path: path.to_owned(), source })
}
