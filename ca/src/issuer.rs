//! The two roots and what they sign.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use msp::authority::{Authority, Revoked, Subject, Template, Usage};
use msp::directory;
use msp::keys::{Algorithm, PrivateKey, PublicKey};

use crate::config::Config;
use crate::error::{Error, StartError};
use crate::messages::Profile;
use crate::now;

/// Clocks differ; certificates begin a little in the past.
const BACKDATED_SECONDS: i64 = 5 * 60;
/// Roots begin before anything they sign: chains are judged at the beginning of the leaf.
const ROOT_BACKDATED_SECONDS: i64 = 3600;

const CERTIFICATE_FILE: &str = "cert.pem";
const KEY_FILE: &str = "key.pem";

/// Signs certificates and revocation lists with the key the profile calls for.
#[derive(Debug)]
pub(crate) struct Issuer {
    identity: Authority,
    tls: Authority,
    organization: String,
    identity_seconds: i64,
    tls_seconds: i64,
    crl_seconds: i64,
}

/// Whom a certificate is for.
#[derive(Debug, Clone)]
pub(crate) struct Holder<'a> {
    pub(crate) id: &'a str,
    pub(crate) units: Vec<String>,
    pub(crate) hosts: Vec<String>,
    pub(crate) attributes: BTreeMap<String, String>,
}

impl Issuer {
    /// Loads the roots, or makes them at the first start. Key files can be read by us only.
    pub(crate) fn open(config: &Config) -> Result<Self, StartError> {
        let seconds = |duration: std::time::Duration| duration.as_secs() as i64;
        Ok(Self {
            identity: root(config, "ca", &config.name)?,
            tls: root(config, "tlsca", &format!("tls{}", config.name))?,
            organization: config.organization.clone(),
            identity_seconds: seconds(config.validity.identity),
            tls_seconds: seconds(config.validity.tls),
            crl_seconds: seconds(config.revocation_list_validity).max(1),
        })
    }

    /// The authority behind a profile.
    pub(crate) fn authority(&self, profile: Profile) -> &Authority {
        match profile {
            Profile::Identity => &self.identity,
            Profile::Tls => &self.tls,
        }
    }

    pub(crate) fn issue(
        &self,
        profile: Profile,
        key: &PublicKey,
        holder: Holder<'_>,
    ) -> Result<msp::Certificate, Error> {
        let allowed = [Algorithm::P256, Algorithm::P384, Algorithm::P521, Algorithm::Ed25519];
        if !allowed.contains(&key.algorithm()) {
            return Err(Error::Invalid("keys must be ECDSA or Ed25519".to_owned()));
        }
        let authority = self.authority(profile);
        let (usage, seconds) = match profile {
            Profile::Identity => (Usage::Identity, self.identity_seconds),
            Profile::Tls => (Usage::Tls, self.tls_seconds),
        };
        let root = authority.certificate();
        let template = Template {
            subject: Subject {
                common_name: holder.id.to_owned(),
                organization: self.organization.clone(),
                organizational_units: holder.units,
            },
            usage,
            hosts: holder.hosts,
            attributes: holder.attributes,
            not_before: (now() - BACKDATED_SECONDS).max(root.not_before()),
            not_after: now().saturating_add(seconds).min(root.not_after()),
        };
        Ok(authority.issue(key, &template)?)
    }

    pub(crate) fn revocation_list(
        &self,
        profile: Profile,
        revoked: &[Revoked],
        number: u64,
    ) -> Result<String, Error> {
        let now = now();
        let next_update = now.saturating_add(self.crl_seconds);
        Ok(self.authority(profile).revocation_list(revoked, number, now, next_update)?)
    }

    /// Certifies a fresh key for our own listener and writes both to `folder`.
    pub(crate) fn write_server_certificate(
        &self,
        folder: &Path,
        hosts: &[String],
    ) -> Result<(PathBuf, PathBuf), StartError> {
        let failed = failure("tls");
        let key = PrivateKey::generate().map_err(|it| failed(it.into()))?;
        let name = hosts.first().map_or("localhost", String::as_str);
        let (units, attributes) = (Vec::new(), BTreeMap::new());
        let holder = Holder { id: name, units, hosts: hosts.to_vec(), attributes };
        let certificate = self.issue(Profile::Tls, key.public(), holder);
        let certificate = certificate.map_err(|it| StartError::Config(it.to_string()))?.to_pem();
        let paths = (folder.join("server.crt"), folder.join("server.key"));
        let key = key.to_pem().map_err(|it| failed(it.into()))?;
        write(&paths.0, &certificate, 0o644).and_then(|()| write(&paths.1, &key, 0o600))?;
        Ok(paths)
    }
}

fn root(config: &Config, folder: &'static str, name: &str) -> Result<Authority, StartError> {
    let failed = failure(folder);
    let folder = config.data_directory.join(folder);
    let (certificate, key) = (folder.join(CERTIFICATE_FILE), folder.join(KEY_FILE));
    let load = |path| std::fs::read(path).map_err(|it| failed(it.into()));
    // The key is written first: a root without its key would be useless, and is an error.
    if certificate.exists() {
        return Authority::from_pem(&load(&certificate)?, &load(&key)?)
            .map_err(|it| failed(it.into()));
    }
    let subject = Subject {
        common_name: name.to_owned(),
        organization: config.organization.clone(),
        organizational_units: Vec::new(),
    };
    let end = now().saturating_add(config.validity.root.as_secs() as i64);
    let root = Authority::generate(&subject, now() - ROOT_BACKDATED_SECONDS, end);
    let root = root.map_err(|it| failed(it.into()))?;
    write(&key, &root.key().to_pem().map_err(|it| failed(it.into()))?, 0o600)?;
    write(&certificate, &root.certificate().to_pem(), 0o644)?;
    tracing::info!(name, "root created");
    Ok(root)
}

fn failure(name: &str) -> impl Fn(Box<dyn std::error::Error + Send + Sync>) -> StartError {
    move |source| StartError::Root { name: name.to_owned(), source }
}

fn write(path: &Path, text: &str, mode: u32) -> Result<(), StartError> {
    directory::store_file(path, text.as_bytes(), mode)
        .map_err(|source| failure(&path.display().to_string())(source.into()))
}
