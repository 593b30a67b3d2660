//! A consistent view of the state.

use std::sync::Arc;

use bytes::Bytes;

use crate::state::{self, Range, Scan, StateKey, StateView};
use crate::transaction::CONFIG_KEY;
use crate::{Version, Versioned};

/// The state after some block, unchanged by later commits. Cheap to make and to clone. Meant to
/// live as long as one simulation or validation: a view that falls far behind is cut off, see
/// [`state::Config::view_lag_blocks_max`].
#[derive(Debug, Clone)]
pub struct View {
    state: Arc<dyn StateView>,
}

impl View {
    /// A view of a state database.
    pub fn new(state: Arc<dyn StateView>) -> Self {
        Self { state }
    }

    /// How many blocks are in the view.
    pub fn height(&self) -> u64 {
        self.state.savepoint().map_or(0, |block| block + 1)
    }

    /// The view in terms of the state database.
    pub fn state(&self) -> &Arc<dyn StateView> {
        &self.state
    }

    /// The value, version and metadata of a public key.
    pub fn get(&self, namespace: &str, key: &str) -> Result<Option<Versioned>, state::Error> {
        self.state.get(&StateKey::public(namespace, key))
    }

    /// The channel's configuration, an encoded `ConfigEnvelope`.
    pub fn channel_config(&self) -> Result<Option<Bytes>, state::Error> {
        Ok(self.get("", CONFIG_KEY)?.map(|entry| entry.value))
    }

    /// The key-level endorsement policy of a public key.
    pub fn validation_parameter(
        &self,
        namespace: &str,
        key: &str,
    ) -> Result<Option<Bytes>, state::Error> {
        Ok(self.get(namespace, key)?.and_then(|entry| entry.validation_parameter()))
    }

    /// The key-level endorsement policy of a private key.
    pub fn hash_validation_parameter(
        &self,
        namespace: &str,
        collection: &str,
        key_hash: &[u8],
    ) -> Result<Option<Bytes>, state::Error> {
        let entry = self.hash(namespace, collection, key_hash)?;
        Ok(entry.and_then(|entry| entry.validation_parameter()))
    }

    /// Public keys from `start` up to but without `end`, ascending; an empty `end` is open.
    pub fn range(&self, namespace: &str, start: &str, end: &str) -> Range {
        Range::new(self.state.clone(), namespace, start, end)
    }

    /// All entries, public and private, by composed namespace and key.
    pub fn entries(&self) -> Scan {
        Scan::new(self.state.clone(), StateKey::first(), StateKey::end())
    }

    /// Hash of the value, version and metadata of a private key.
    pub fn hash(
        &self,
        namespace: &str,
        collection: &str,
        key_hash: &[u8],
    ) -> Result<Option<Versioned>, state::Error> {
        self.state.get(&StateKey::hashed(namespace, collection, key_hash))
    }

    /// Version of a private key's hash.
    pub fn hash_version(
        &self,
        namespace: &str,
        collection: &str,
        key_hash: &[u8],
    ) -> Result<Option<Version>, state::Error> {
        Ok(self.hash(namespace, collection, key_hash)?.map(|entry| entry.version))
    }

    /// The clear value of a private key, if this peer has it. It may be older than the public
    /// hash; compare the versions.
    pub fn private(
        &self,
        namespace: &str,
        collection: &str,
        key: &str,
    ) -> Result<Option<Versioned>, state::Error> {
        self.state.get(&StateKey::private(namespace, collection, key))
    }

    /// Clear private keys of this peer from `start` up to but without `end`.
    pub fn private_range(
        &self,
        namespace: &str,
        collection: &str,
        start: &str,
        end: &str,
    ) -> Range {
        let composed = format!("{namespace}$$p{collection}");
        Range::new(self.state.clone(), &composed, start, end)
    }
}
