//! The chaincode packages installed on this peer: one file each, named after its content.
//!
//! A package is checked and compiled before it is kept, one at a time, because compiling takes a
//! whole core. What is on disk at start is compiled again, in the background of nobody: the caller
//! decides on which thread.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::{Mutex, RwLock};
use runtime::{Chaincode, ChaincodeRuntime, Package};
use serde::{Deserialize, Serialize};

use super::{Error, state};

/// Bounds of what is installed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Bytes of one package file.
    pub package_bytes_max: usize,
    /// Packages kept.
    pub packages_max: usize,
    /// How long checking and compiling a package may take before the client is told so.
    #[serde(with = "node::config::duration")]
    pub install_timeout: std::time::Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            package_bytes_max: 64 << 20,
            packages_max: 1024,
            install_timeout: std::time::Duration::from_secs(300),
        }
    }
}

/// The installed packages and the runtime that executes them.
pub struct Packages {
    config: Config,
    directory: PathBuf,
    runtime: Arc<dyn ChaincodeRuntime>,
    installed: RwLock<Installed>,
    /// Held while a package is compiled.
    installing: Mutex<()>,
}

#[derive(Debug, Default)]
struct Installed {
    /// Labels by package id.
    labels: BTreeMap<String, String>,
    /// Package ids by the hash under which approvals name them.
    by_source_hash: BTreeMap<[u8; 32], String>,
}

impl Installed {
    fn insert(&mut self, package_id: &str, label: &str) {
        self.labels.insert(package_id.to_owned(), label.to_owned());
        let hash = proto::sha256(&state::text(package_id));
        self.by_source_hash.insert(hash, package_id.to_owned());
    }
}

impl std::fmt::Debug for Packages {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Packages").field("directory", &self.directory).finish_non_exhaustive()
    }
}

impl Packages {
    /// Opens the store in `directory` and compiles what it holds. A file that is not what its name
    /// says, or that the runtime no longer takes, is left alone and logged.
    pub fn open(
        directory: impl Into<PathBuf>,
        runtime: Arc<dyn ChaincodeRuntime>,
        config: Config,
    ) -> Result<Self, Error> {
        let directory = directory.into();
        fs::create_dir_all(&directory)?;
        let mut installed = Installed::default();
        for entry in fs::read_dir(&directory)? {
            let path = entry?.path();
            match load(&path, runtime.as_ref()) {
                Ok(Some((package_id, label))) => installed.insert(&package_id, &label),
                Ok(None) => {}
                Err(error) => {
                    tracing::error!(path = %path.display(), %error, "package is not usable");
                }
            }
        }
        let (installed, installing) = (RwLock::new(installed), Mutex::new(()));
        Ok(Self { config, directory, runtime, installed, installing })
    }

    /// The bounds in force.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Checks, compiles and keeps a package; gives its id and label. Blocks while it compiles.
    pub fn install(&self, bytes: &Bytes) -> Result<(String, String), Error> {
        if bytes.len() > self.config.package_bytes_max {
            return Err(Error::Refused(format!(
                "chaincode install package has {} bytes, more than package_bytes_max of {}",
                bytes.len(),
                self.config.package_bytes_max
            )));
        }
        let package = Package::parse(bytes.clone()).map_err(|error| {
            Error::Refused(format!("could not parse as a chaincode install package: {error}"))
        })?;
        let (id, label) = (package.id().to_owned(), package.label().to_owned());
        let _one_at_a_time = self.installing.lock();
        self.check_room(&id)?;
        self.runtime.install(&package)?;
        self.keep(&id, bytes)?;
        self.installed.write().insert(&id, &label);
        tracing::info!(package_id = %id, "chaincode package installed");
        Ok((id, label))
    }

    fn check_room(&self, package_id: &str) -> Result<(), Error> {
        let installed = self.installed.read();
        if installed.labels.contains_key(package_id) {
            return Err(Error::Refused(format!(
                "chaincode already successfully installed (package ID '{package_id}')"
            )));
        }
        if installed.labels.len() >= self.config.packages_max {
            let max = self.config.packages_max;
            return Err(Error::Refused(format!("packages_max of {max} packages are installed")));
        }
        Ok(())
    }

    /// Writes the file so that after a crash it is there whole or not at all.
    fn keep(&self, package_id: &str, bytes: &[u8]) -> Result<(), Error> {
        let path = self.path(package_id);
        let partial = path.with_extension("partial");
        let mut file = fs::File::create(&partial)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&partial, &path)?;
        fs::File::open(&self.directory)?.sync_all()?;
        Ok(())
    }

    fn path(&self, package_id: &str) -> PathBuf {
        self.directory.join(format!("{}.tar.gz", package_id.replacen(':', ".", 1)))
    }

    /// Takes a package for installed, without having it.
    #[cfg(test)]
    pub(crate) fn pretend(&self, package_id: &str) {
        let (label, _) = package_id.split_once(':').unwrap_or_default();
        self.installed.write().insert(package_id, label);
    }

    /// Ids and labels of all packages.
    pub fn list(&self) -> BTreeMap<String, String> {
        self.installed.read().labels.clone()
    }

    /// Label of a package.
    pub fn label(&self, package_id: &str) -> Result<String, Error> {
        let label = self.installed.read().labels.get(package_id).cloned();
        label.ok_or_else(|| Error::PackageNotFound(package_id.to_owned()))
    }

    /// The package file, as it was installed.
    pub fn file(&self, package_id: &str) -> Result<Bytes, Error> {
        self.label(package_id)?;
        Ok(fs::read(self.path(package_id))?.into())
    }

    /// Id of the installed package an approval names by this hash.
    pub fn by_source_hash(&self, hash: &[u8]) -> Option<String> {
        let hash: [u8; 32] = hash.try_into().ok()?;
        self.installed.read().by_source_hash.get(&hash).cloned()
    }

    /// The code of an installed package.
    pub fn chaincode(&self, package_id: &str) -> Result<Arc<dyn Chaincode>, Error> {
        Ok(self.runtime.load(package_id)?)
    }
}

/// Compiles one file of the store; gives the package's id and label. Other files are passed over.
fn load(path: &Path, runtime: &dyn ChaincodeRuntime) -> Result<Option<(String, String)>, Error> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if !name.ends_with(".tar.gz") {
        return Ok(None);
    }
    let bytes = Bytes::from(fs::read(path)?);
    let package = Package::parse(bytes)
        .map_err(|error| Error::Corrupt(format!("could not parse package: {error}")))?;
    let (id, label) = (package.id().to_owned(), package.label().to_owned());
    if name != format!("{}.tar.gz", id.replacen(':', ".", 1)) {
        return Err(Error::Corrupt(format!("file holds package '{id}'")));
    }
    runtime.install(&package)?;
    Ok(Some((id, label)))
}
