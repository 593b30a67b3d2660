//! The registry on disk: identities, certificates, affiliations and used tokens, in sled.
//!
//! Callers hold one lock while they change something, so nothing here is atomic over several
//! records. What a call promises is on disk when it answers: it ends with [`Store::flush`].

use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use sled::Tree;

use crate::error::{Error, StartError};
use crate::messages::Profile;
use crate::record::{Certificate, Identity};

/// Format of the records; a later format is not touched.
const FORMAT: u64 = 1;
const FORMAT_KEY: &str = "format";

/// The opened registry.
#[derive(Debug)]
pub(crate) struct Store {
    db: sled::Db,
    identities: Tree,
    certificates: Tree,
    affiliations: Tree,
    tokens: Tree,
    numbers: Tree,
}

impl Store {
    pub(crate) fn open(path: &Path) -> Result<Self, StartError> {
        let failed = |reason: String| StartError::Registry { path: path.to_owned(), reason };
        let db = sled::open(path).map_err(|error| failed(error.to_string()))?;
        let tree = |name| db.open_tree(name).map_err(|error| failed(error.to_string()));
        let store = Self {
            identities: tree("identities")?,
            certificates: tree("certificates")?,
            affiliations: tree("affiliations")?,
            tokens: tree("tokens")?,
            numbers: tree("numbers")?,
            db,
        };
        let found = store.number(FORMAT_KEY).map_err(|error| failed(error.to_string()))?;
        if found > FORMAT {
            return Err(StartError::Format { found, known: FORMAT });
        }
        let written = store.numbers.insert(FORMAT_KEY, &FORMAT.to_be_bytes());
        written.map_err(|error| failed(error.to_string()))?;
        Ok(store)
    }

    /// Makes everything written so far durable.
    pub(crate) fn flush(&self) -> Result<(), Error> {
        self.db.flush()?;
        Ok(())
    }

    pub(crate) fn identity(&self, id: &str) -> Result<Option<Identity>, Error> {
        self.identities.get(id)?.map(|bytes| decode(&bytes)).transpose()
    }

    pub(crate) fn put_identity(&self, identity: &Identity) -> Result<(), Error> {
        put(&self.identities, &identity.id, identity)
    }

    pub(crate) fn remove_identity(&self, id: &str) -> Result<(), Error> {
        self.identities.remove(id)?;
        Ok(())
    }

    /// Whether nobody was ever registered.
    pub(crate) fn has_no_identities(&self) -> bool {
        self.identities.is_empty()
    }

    /// Identities with ids greater than `after`, in order.
    pub(crate) fn identities(&self, after: &str) -> impl Iterator<Item = Result<Identity, Error>> {
        values(&self.identities, after)
    }

    pub(crate) fn certificate(
        &self,
        profile: Profile,
        serial: &str,
    ) -> Result<Option<Certificate>, Error> {
        let key = certificate_key(profile, serial);
        self.certificates.get(key)?.map(|bytes| decode(&bytes)).transpose()
    }

    pub(crate) fn put_certificate(&self, certificate: &Certificate) -> Result<(), Error> {
        let key = certificate_key(certificate.profile(), &certificate.serial);
        put(&self.certificates, &key, certificate)
    }

    /// Certificates with keys greater than `after`, in order of profile and serial number.
    pub(crate) fn certificates(
        &self,
        after: &str,
    ) -> impl Iterator<Item = Result<Certificate, Error>> {
        values(&self.certificates, after)
    }

    pub(crate) fn has_affiliation(&self, name: &str) -> Result<bool, Error> {
        Ok(self.affiliations.contains_key(name)?)
    }

    pub(crate) fn put_affiliation(&self, name: &str) -> Result<(), Error> {
        self.affiliations.insert(name, &[])?;
        Ok(())
    }

    pub(crate) fn remove_affiliation(&self, name: &str) -> Result<(), Error> {
        self.affiliations.remove(name)?;
        Ok(())
    }

    /// All affiliations in order.
    pub(crate) fn affiliations(&self) -> Result<Vec<String>, Error> {
        let text = |key: Result<sled::IVec, sled::Error>| {
            String::from_utf8(key?.to_vec()).map_err(|_| Error::Internal("affiliation".to_owned()))
        };
        self.affiliations.iter().keys().map(text).collect()
    }

    /// Remembers a token until `expiry`; `false` if it is remembered already. Forgets those that
    /// expired before `now`.
    pub(crate) fn use_token(&self, id: &[u8], expiry: i64, now: i64) -> Result<bool, Error> {
        for old in self.tokens.range(..now.to_be_bytes()).keys() {
            self.tokens.remove(old?)?;
        }
        let key = [&expiry.to_be_bytes()[..], id].concat();
        let swapped = self.tokens.compare_and_swap(key, None::<&[u8]>, Some(&[]))?;
        self.flush()?;
        Ok(swapped.is_ok())
    }

    /// Counts `name` up and returns the new number.
    pub(crate) fn next_number(&self, name: &str) -> Result<u64, Error> {
        let next = self.number(name)? + 1;
        self.numbers.insert(name, &next.to_be_bytes())?;
        Ok(next)
    }

    fn number(&self, name: &str) -> Result<u64, Error> {
        let Some(bytes) = self.numbers.get(name)? else { return Ok(0) };
        let bytes = bytes.as_ref().try_into();
        bytes.map(u64::from_be_bytes).map_err(|_| Error::Internal(format!("number {name}")))
    }
}

/// Where a certificate lies, and where a list of certificates goes on.
pub(crate) fn certificate_key(profile: Profile, serial: &str) -> String {
    format!("{}/{serial}", if profile == Profile::Tls { "tls" } else { "identity" })
}

fn values<T: DeserializeOwned>(
    tree: &Tree,
    after: &str,
) -> impl Iterator<Item = Result<T, Error>> + use<T> {
    let after = (std::ops::Bound::Excluded(after.as_bytes().to_vec()), std::ops::Bound::Unbounded);
    tree.range::<Vec<u8>, _>(after).values().map(|bytes| decode(&bytes?))
}

fn put(tree: &Tree, key: &str, record: &impl Serialize) -> Result<(), Error> {
    tree.insert(key, serde_json::to_vec(record)?)?;
    Ok(())
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    Ok(serde_json::from_slice(bytes)?)
}
