//! What all calls share.

use parking_lot::Mutex;

use crate::config::Config;
use crate::error::{Error, StartError};
use crate::issuer::Issuer;
use crate::messages::{Info, Profile};
use crate::record::Identity;
use crate::rights;
use crate::secret::SecretHash;
use crate::store::Store;

/// The authority without its network.
#[derive(Debug)]
pub(crate) struct Service {
    pub(super) config: Config,
    pub(super) store: Store,
    pub(super) issuer: Issuer,
    /// Held by every call while it reads and changes the registry.
    pub(super) changes: Mutex<()>,
}

impl Service {
    /// Opens the registry and the roots; the first start also creates the first registrar.
    pub(crate) fn open(config: Config) -> Result<Self, StartError> {
        if config.hosts.is_empty() {
            return Err(StartError::Config("hosts is empty".to_owned()));
        }
        let proper = config.affiliations.iter().try_for_each(|it| rights::check_affiliation(it));
        proper.map_err(|error| StartError::Config(error.to_string()))?;
        let store = Store::open(&config.data_directory.join("registry"))?;
        let issuer = Issuer::open(&config)?;
        let service = Self { config, store, issuer, changes: Mutex::new(()) };
        if service.store.has_no_identities() {
            service.bootstrap()?;
        }
        Ok(service)
    }

    fn bootstrap(&self) -> Result<(), StartError> {
        let bootstrap = &self.config.bootstrap;
        if bootstrap.secret.is_empty() {
            return Err(StartError::NoBootstrapSecret);
        }
        self.write_bootstrap().map_err(|error| match error {
            Error::Internal(reason) => {
                StartError::Registry { path: self.config.data_directory.clone(), reason }
            }
            other => StartError::Config(format!("bootstrap: {other}")),
        })?;
        tracing::info!(id = bootstrap.id, "first registrar created");
        Ok(())
    }

    fn write_bootstrap(&self) -> Result<(), Error> {
        let bootstrap = &self.config.bootstrap;
        rights::check_id(&bootstrap.id)?;
        for affiliation in &self.config.affiliations {
            self.put_affiliation_with_parents(affiliation)?;
        }
        self.store.put_identity(&Identity {
            id: bootstrap.id.clone(),
            kind: "client".to_owned(),
            affiliation: String::new(),
            attributes: rights::everything(),
            secret: SecretHash::new(&bootstrap.secret, self.config.registry.secret_rounds)?,
            max_enrollments: -1,
            enrollments: 0,
            wrong_secrets: 0,
            revoked: false,
        })?;
        self.store.flush()
    }

    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    pub(crate) fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// Whether the registry can be read.
    pub(crate) fn is_healthy(&self) -> Result<(), Error> {
        self.store.affiliations().map(|_| ())
    }

    /// What anyone may know.
    pub(crate) fn info(&self) -> Info {
        let root = |profile| self.issuer.authority(profile).certificate().to_pem().into();
        Info {
            name: self.config.name.clone(),
            organization: self.config.organization.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            identity_root: root(Profile::Identity),
            tls_root: root(Profile::Tls),
        }
    }

    /// The identity, or an error that names it.
    pub(super) fn require(&self, id: &str) -> Result<Identity, Error> {
        let found = self.store.identity(id)?;
        found.ok_or_else(|| Error::NotFound(format!("identity {id:?} is not registered")))
    }

    /// How many entries one answer may hold.
    pub(super) fn limit(&self, asked: u32) -> usize {
        let max = self.config.list_max.max(1);
        if asked == 0 { max } else { max.min(asked as usize) }
    }
}
