//! Recording what a transaction reads and writes.

use std::collections::BTreeMap;

use bytes::Bytes;
use proto::rwset::TxPvtReadWriteSet;

use crate::{View, state};

/// Why a simulation cannot go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The state cannot be read.
    #[error("read state")]
    State(#[from] state::Error),
    /// The clear value does not belong to the public hash, so this peer does not have it.
    #[error(
        "private data matching public hash version is not available in collection {namespace}/{collection}"
    )]
    PrivateDataNotAvailable {
        /// The chaincode.
        namespace: String,
        /// Name of the collection.
        collection: String,
    },
    /// Ranges over private data cannot be checked at commit, so they exclude writes.
    #[error(
        "transaction {0}: queries on private data are supported only in a read-only transaction"
    )]
    PrivateQueryAndWrite(String),
    /// Paged queries exclude writes, too.
    #[error("transaction {0}: paginated queries are supported only in a read-only transaction")]
    PageAndWrite(String),
    /// There is no open query with this id.
    #[error("query {0} is not open")]
    UnknownQuery(u32),
}

/// An open range query of a simulator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Query(pub(crate) u32);

/// A key and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyValue {
    /// The key.
    pub key: String,
    /// The value.
    pub value: Bytes,
}

/// One page of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Keys and values, ascending.
    pub results: Vec<KeyValue>,
    /// Where the next page begins; empty after the last page.
    pub bookmark: String,
}

/// What was used of a key that is written: needed to tell who must endorse.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Use {
    /// Whether something was read.
    pub reads: bool,
    /// Keys written, with their key-level endorsement policy as committed. Keys of collections are
    /// hashed.
    pub writes: BTreeMap<Bytes, Option<Bytes>>,
}

/// What was used of a namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NamespaceUse {
    /// Public keys.
    pub public: Use,
    /// Private keys by collection.
    pub collections: BTreeMap<String, Use>,
}

/// The outcome of a simulation.
#[derive(Debug, Clone)]
pub struct Simulation {
    /// Encoded `TxReadWriteSet`.
    pub public: Bytes,
    /// Clear private writes, if there are any.
    pub private: Option<TxPvtReadWriteSet>,
    /// What was touched, by namespace.
    pub used: BTreeMap<String, NamespaceUse>,
    /// Height of the view it ran on.
    pub height: u64,
}

/// Records the reads and writes of one transaction on a consistent view. Reading never sees the
/// transaction's own writes.
#[derive(Debug)]
pub struct Simulator {}

impl Simulator {
    /// A simulator on a view. Queries stop after `query_results_max` results.
    pub fn new(_view: View, _tx_id: &str, _query_results_max: u32) -> Self {
        todo!()
    }
    /// The view it reads.
    pub fn view(&self) -> &View {
        todo!()
    }
    /// The transaction.
    pub fn tx_id(&self) -> &str {
        todo!()
    }
    /// Reads a key.
    pub fn get_state(&mut self, _namespace: &str, _key: &str) -> Result<Option<Bytes>, Error> {
        todo!()
    }
    /// Writes a key. An empty value deletes it.
    pub fn put_state(&mut self, _namespace: &str, _key: &str, _value: Bytes) -> Result<(), Error> {
        todo!()
    }
    /// Deletes a key.
    pub fn del_state(&mut self, _namespace: &str, _key: &str) -> Result<(), Error> {
        todo!()
    }
    /// Reads the metadata of a key.
    pub fn get_state_metadata(
        &mut self,
        _namespace: &str,
        _key: &str,
    ) -> Result<BTreeMap<String, Bytes>, Error> {
        todo!()
    }
    /// Replaces all metadata of a key by one entry.
    pub fn set_state_metadata(
        &mut self,
        _namespace: &str,
        _key: &str,
        _name: &str,
        _value: Bytes,
    ) -> Result<(), Error> {
        todo!()
    }
    /// Removes all metadata of a key.
    pub fn del_state_metadata(&mut self, _namespace: &str, _key: &str) -> Result<(), Error> {
        todo!()
    }
    /// Opens a query over keys from `start` up to but without `end`; an empty bound is open.
    pub fn range(&mut self, _namespace: &str, _start: &str, _end: &str) -> Result<Query, Error> {
        todo!()
    }
    /// Opens a query over private keys, which is not recorded and excludes writes.
    pub fn private_range(
        &mut self,
        _namespace: &str,
        _collection: &str,
        _start: &str,
        _end: &str,
    ) -> Result<Query, Error> {
        todo!()
    }
    /// The next result of a query.
    pub fn next(&mut self, _query: Query) -> Result<Option<KeyValue>, Error> {
        todo!()
    }
    /// The next results of a query, as many as a peer hands to chaincode at once, and whether
    /// another batch can be asked for. What was pulled of that other batch is no more than its
    /// first result, as in Fabric; a query without more stays recorded as exhausted.
    pub fn next_batch(&mut self, _query: Query) -> Result<(Vec<KeyValue>, bool), Error> {
        todo!()
    }
    /// Closes a query; what it pulled stays recorded.
    pub fn close(&mut self, _query: Query) {
        todo!()
    }
    /// One page of a range, from `bookmark` if it is not empty. Excludes writes.
    pub fn range_page(
        &mut self,
        _namespace: &str,
        _start: &str,
        _end: &str,
        _page_size: u32,
        _bookmark: &str,
    ) -> Result<Page, Error> {
        todo!()
    }
    /// Reads a private key.
    pub fn get_private(
        &mut self,
        _namespace: &str,
        _collection: &str,
        _key: &str,
    ) -> Result<Option<Bytes>, Error> {
        todo!()
    }
    /// Reads the hash of a private key's value, which every peer has.
    pub fn get_private_hash(
        &mut self,
        _namespace: &str,
        _collection: &str,
        _key: &str,
    ) -> Result<Option<Bytes>, Error> {
        todo!()
    }
    /// Writes a private key. An empty value deletes it.
    pub fn put_private(
        &mut self,
        _namespace: &str,
        _collection: &str,
        _key: &str,
        _value: Bytes,
    ) -> Result<(), Error> {
        todo!()
    }
    /// Deletes a private key.
    pub fn del_private(
        &mut self,
        _namespace: &str,
        _collection: &str,
        _key: &str,
    ) -> Result<(), Error> {
        todo!()
    }
    /// Deletes a private key and all its earlier values from every peer.
    pub fn purge_private(
        &mut self,
        _namespace: &str,
        _collection: &str,
        _key: &str,
    ) -> Result<(), Error> {
        todo!()
    }
    /// Reads the metadata of a private key.
    pub fn get_private_metadata(
        &mut self,
        _namespace: &str,
        _collection: &str,
        _key: &str,
    ) -> Result<BTreeMap<String, Bytes>, Error> {
        todo!()
    }
    /// Replaces all metadata of a private key by one entry.
    pub fn set_private_metadata(
        &mut self,
        _namespace: &str,
        _collection: &str,
        _key: &str,
        _name: &str,
        _value: Bytes,
    ) -> Result<(), Error> {
        todo!()
    }
    /// Ends the simulation and encodes what it recorded.
    pub fn finish(self) -> Result<Simulation, Error> {
        todo!()
    }
}
