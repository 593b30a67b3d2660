//! Which chaincode this peer runs under a name on a channel.
//!
//! A committed definition runs here if this peer's organization approved it and the package the
//! approval names is installed. All of it is read from public hashes, so it does not matter
//! through which peer the organization gave its approval.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use bytes::Bytes;
use ledger::View;
use lru::LruCache;
use parking_lot::Mutex;

use super::definition::{Definition, private_name};
use super::state::{NAMESPACES, ReadHash, SOURCES, field_key};
use super::views::HashView;
use super::{Error, Packages, approvals, definitions, state};
use crate::channels::Channels;

/// Answers remembered.
const CACHE_ENTRIES: NonZeroUsize = NonZeroUsize::new(1024).expect("is not zero");

/// A chaincode that runs on this peer.
#[derive(Clone)]
pub struct Runnable {
    /// The definition the channel agreed on.
    pub definition: Arc<Definition>,
    /// The package this peer's organization runs for it.
    pub package_id: Arc<str>,
    /// The code.
    pub chaincode: Arc<dyn runtime::Chaincode>,
}

impl std::fmt::Debug for Runnable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runnable").field("package_id", &self.package_id).finish_non_exhaustive()
    }
}

/// What a remembered answer was derived from; while these stay, it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Grounds {
    sequence: Bytes,
    source_hash: Bytes,
}

/// Definitions of all channels and the packages of this peer, brought together.
pub struct Lifecycle {
    msp_id: String,
    channels: Arc<Channels>,
    packages: Packages,
    cache: Mutex<LruCache<(String, String), (Grounds, Runnable)>>,
}

impl std::fmt::Debug for Lifecycle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lifecycle").field("packages", &self.packages).finish_non_exhaustive()
    }
}

impl Lifecycle {
    /// The lifecycle of a peer of organization `msp_id`.
    pub fn new(msp_id: impl Into<String>, channels: Arc<Channels>, packages: Packages) -> Self {
        let cache = Mutex::new(LruCache::new(CACHE_ENTRIES));
        Self { msp_id: msp_id.into(), channels, packages, cache }
    }

    /// MSP id of this peer's organization.
    pub fn msp_id(&self) -> &str {
        &self.msp_id
    }

    /// The installed packages.
    pub fn packages(&self) -> &Packages {
        &self.packages
    }

    /// The chaincode that runs as `name` on `channel`, as of `view`.
    ///
    /// Two keys are read to know whether the remembered answer still holds: the sequence changes
    /// with every definition, and the hash with every package the organization chooses for it.
    pub fn resolve(&self, channel: &str, view: &View, name: &str) -> Result<Runnable, Error> {
        let key = (channel.to_owned(), name.to_owned());
        let grounds = self.grounds(view, name)?;
        if let Some(grounds) = &grounds
            && let Some((remembered, runnable)) = self.cache.lock().get(&key)
            && remembered == grounds
        {
            return Ok(runnable.clone());
        }
        let runnable = self.find(channel, view, name)?;
        if let Some(grounds) = grounds {
            self.cache.lock().put(key, (grounds, runnable.clone()));
        }
        Ok(runnable)
    }

    fn grounds(&self, view: &View, name: &str) -> Result<Option<Grounds>, Error> {
        let key = field_key(NAMESPACES, name, "Sequence");
        let Some(sequence) = view.get(state::NAMESPACE, &key)? else { return Ok(None) };
        let sequence = sequence.value;
        let Some(number) = state::parse_number(&sequence) else { return Ok(None) };
        let source_hash = self.source_hash(view, name, number)?;
        Ok(source_hash.map(|source_hash| Grounds { sequence, source_hash }))
    }

    /// The hash by which the organization's approval names its package.
    fn source_hash(&self, view: &View, name: &str, sequence: i64) -> Result<Option<Bytes>, Error> {
        let collection = definitions::implicit_collection_name(&self.msp_id);
        let private = private_name(name, sequence);
        HashView { view, collection: &collection }.hash(&field_key(SOURCES, &private, "PackageID"))
    }

    fn find(&self, channel: &str, view: &View, name: &str) -> Result<Runnable, Error> {
        let definition = definitions::get(view, name)?
            .ok_or_else(|| Error::Refused(format!("chaincode {name} not found")))?;
        let package_id = match self.package(view, name, &definition)? {
            Source::NotApproved => {
                return Err(Error::Refused(format!(
                    "chaincode definition for '{name}' at sequence {} on channel '{channel}' has \
                     not yet been approved by this org",
                    definition.sequence
                )));
            }
            Source::NotInstalled => {
                return Err(Error::Refused(format!(
                    "chaincode definition for '{name}' exists, but chaincode is not installed"
                )));
            }
            Source::Package(package_id) => package_id,
        };
        let chaincode = self.packages.chaincode(&package_id)?;
        Ok(Runnable { definition: Arc::new(definition), package_id: package_id.into(), chaincode })
    }

    fn package(&self, view: &View, name: &str, definition: &Definition) -> Result<Source, Error> {
        let (sequence, parameters) = (definition.sequence, &definition.parameters);
        if !approvals::is_approved(view, &self.msp_id, name, sequence, parameters)? {
            return Ok(Source::NotApproved);
        }
        let hash = self.source_hash(view, name, sequence)?;
        let package_id = hash.and_then(|hash| self.packages.by_source_hash(&hash));
        Ok(package_id.map_or(Source::NotInstalled, Source::Package))
    }

    /// The chaincodes this peer can run as of `view`, `_lifecycle` included: what it tells other
    /// peers about itself. The version told is the definition's sequence, since a definition may
    /// change in any part without a new version.
    pub fn chaincodes(&self, view: &View) -> Result<BTreeMap<String, String>, Error> {
        let mut names = BTreeMap::new();
        for (name, definition) in definitions::list(view)? {
            if let Source::Package(_) = self.package(view, &name, &definition)? {
                names.insert(name, definition.sequence.to_string());
            }
        }
        names.insert(state::NAMESPACE.to_owned(), LIFECYCLE_SEQUENCE.to_owned());
        Ok(names)
    }

    /// For each package id, the channels and the chaincodes on them (name, version) it runs as.
    pub(super) fn references(&self) -> Result<References, Error> {
        let mut references = References::new();
        for channel in self.channels.list() {
            let view = channel.ledger().view()?;
            for (name, definition) in definitions::list(&view)? {
                if let Source::Package(id) = self.package(&view, &name, &definition)? {
                    let uses = references.entry(id).or_default();
                    let on_channel = uses.entry(channel.id().to_owned()).or_default();
                    on_channel.push((name, definition.version().to_owned()));
                }
            }
        }
        Ok(references)
    }
}

/// The sequence peers tell of `_lifecycle`, which has no definition.
const LIFECYCLE_SEQUENCE: &str = "1";

/// Package id, channel, and the names and versions it runs as there.
pub(super) type References = BTreeMap<String, BTreeMap<String, Vec<(String, String)>>>;

/// Where the code of a committed definition is.
enum Source {
    NotApproved,
    NotInstalled,
    Package(String),
}
