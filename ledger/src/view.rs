//! A consistent view of the state.

use std::sync::Arc;

use bytes::Bytes;

use crate::state::{self, StateView};
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

    /// The value, version and metadata of a public key.
    pub fn get(&self, _namespace: &str, _key: &str) -> Result<Option<Versioned>, state::Error> {
        todo!()
    }

    /// The key-level endorsement policy of a public key.
    pub fn validation_parameter(
        &self,
        _namespace: &str,
        _key: &str,
    ) -> Result<Option<Bytes>, state::Error> {
        todo!()
    }

    /// The key-level endorsement policy of a private key.
    pub fn hash_validation_parameter(
        &self,
        _namespace: &str,
        _collection: &str,
        _key_hash: &[u8],
    ) -> Result<Option<Bytes>, state::Error> {
        todo!()
    }

    /// Public keys from `start` up to but without `end`, ascending; an empty `end` is open.
    pub fn range(&self, _namespace: &str, _start: &str, _end: &str) -> state::Range {
        todo!()
    }

    /// Hash of the value, version and metadata of a private key.
    pub fn hash(
        &self,
        _namespace: &str,
        _collection: &str,
        _key_hash: &[u8],
    ) -> Result<Option<Versioned>, state::Error> {
        todo!()
    }

    /// The clear value of a private key, if this peer has it. It may be older than the public
    /// hash; compare the versions.
    pub fn private(
        &self,
        _namespace: &str,
        _collection: &str,
        _key: &str,
    ) -> Result<Option<Versioned>, state::Error> {
        todo!()
    }

    /// Clear private keys of this peer from `start` up to but without `end`.
    pub fn private_range(
        &self,
        _namespace: &str,
        _collection: &str,
        _start: &str,
        _end: &str,
    ) -> state::Range {
        todo!()
    }

    /// Version of a private key's hash.
    pub fn hash_version(
        &self,
        _namespace: &str,
        _collection: &str,
        _key_hash: &[u8],
    ) -> Result<Option<Version>, state::Error> {
        todo!()
    }
}
