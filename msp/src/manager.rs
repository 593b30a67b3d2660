//! The organizations of one channel.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use bytes::Bytes;
use lru::LruCache;
use parking_lot::Mutex;
use proto::msp::SerializedIdentity;
use rustls_pki_types::CertificateDer;

use crate::{Error, Identity, Msp, SetupError};

/// How many identities are remembered; one takes a few kilobytes.
const CACHED_IDENTITIES_MAX: NonZeroUsize = NonZeroUsize::new(4096).unwrap();

/// All organizations of a channel, by id, with a memory of identities seen.
///
/// A manager never changes; a new configuration brings a new one, and with it an empty memory.
pub struct Manager {
    msps: BTreeMap<String, Arc<Msp>>,
    identities: Mutex<LruCache<Bytes, Identity>>,
}

impl Manager {
    /// Puts organizations together. The same id may come twice only with the same definition.
    pub fn new(msps: Vec<Msp>) -> Result<Self, SetupError> {
        let mut by_id: BTreeMap<String, Arc<Msp>> = BTreeMap::new();
        for msp in msps {
            match by_id.get(&msp.id) {
                Some(known) if known.definition != msp.definition => {
                    return Err(SetupError::Duplicate(msp.id));
                }
                Some(_) => {}
                None => {
                    by_id.insert(msp.id.clone(), Arc::new(msp));
                }
            }
        }
        let identities = Mutex::new(LruCache::new(CACHED_IDENTITIES_MAX));
        Ok(Self { msps: by_id, identities })
    }

    /// The identity behind encoded `SerializedIdentity` bytes. Some organization of the channel
    /// issued it, but it need not be valid.
    pub fn deserialize(&self, serialized: &[u8]) -> Result<Identity, Error> {
        if let Some(identity) = self.identities.lock().get(serialized) {
            return Ok(identity.clone());
        }
        let identity = Bytes::copy_from_slice(serialized);
        let identity: SerializedIdentity = proto::decode(identity).map_err(|_| Error::Decode)?;
        let msp_id = identity.mspid;
        let msp = self.msps.get(&msp_id).ok_or(Error::UnknownMsp(msp_id))?;
        let identity = msp.deserialize(serialized)?;
        // Only what an authority signed is remembered, so strangers cannot flush the memory.
        self.identities.lock().put(identity.serialized().clone(), identity.clone());
        Ok(identity)
    }

    /// The organization with this id.
    pub fn msp(&self, id: &str) -> Option<&Arc<Msp>> {
        self.msps.get(id)
    }

    /// All organizations in order of their ids.
    pub fn msps(&self) -> impl Iterator<Item = &Arc<Msp>> {
        self.msps.values()
    }

    /// The TLS authorities of all organizations.
    pub fn tls_roots(&self) -> Vec<CertificateDer<'static>> {
        self.msps().flat_map(|msp| msp.tls_roots()).cloned().collect()
    }
}

impl std::fmt::Debug for Manager {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Manager").field(&self.msps.keys()).finish()
    }
}
