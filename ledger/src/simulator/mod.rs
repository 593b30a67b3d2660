//! Recording what a transaction reads and writes.
//!
//! A [`Simulator`] serves one proposal, with all the chaincodes it calls on the channel. Reads come
//! from one consistent view and never see the transaction's own writes. What is recorded, and how
//! far queries are read ahead, is Fabric's, because endorsers sign the encoded outcome. The reads
//! of chaincode definitions that belong into it are made by the endorser like any other read.

mod private;
mod query;

use std::collections::BTreeMap;

use bytes::Bytes;
use proto::rwset::TxPvtReadWriteSet;

use crate::rwset::build::Recorded;
use crate::{View, state};

pub use crate::rwset::build::Metadata;
pub use query::{KeyValue, Page, Query};

/// Why a simulation cannot go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The state cannot be read.
    #[error("read state")]
    State(#[from] state::Error),
    /// The clear value does not belong to the public hash, so this peer does not have it.
    #[error(
        "private data matching public hash version is not available in {namespace}/{collection}"
    )]
    PrivateDataNotAvailable {
        /// The chaincode.
        namespace: String,
        /// Name of the collection.
        collection: String,
    },
    /// Ranges over private data cannot be checked at commit, so they exclude writes.
    #[error("transaction {0}: private data queries are supported only in a read-only transaction")]
    PrivateQueryAndWrite(String),
    /// Paged queries exclude writes, too.
    #[error("transaction {0}: paginated queries are supported only in a read-only transaction")]
    PageAndWrite(String),
    /// There is no open query with this id.
    #[error("query {0} is not open")]
    UnknownQuery(u32),
}

/// How keys of a namespace or collection were used: needed to tell who must endorse.
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
pub struct Simulator {
    view: View,
    tx_id: String,
    query_results_max: u32,
    recorded: Recorded,
    queries: query::Queries,
    wrote: bool,
    queried_private: bool,
    paged: bool,
}

impl Simulator {
    /// A simulator on a view. Queries stop after `query_results_max` results.
    pub fn new(view: View, tx_id: &str, query_results_max: u32) -> Self {
        Self {
            view,
            tx_id: tx_id.to_owned(),
            query_results_max,
            recorded: Recorded::default(),
            queries: query::Queries::default(),
            wrote: false,
            queried_private: false,
            paged: false,
        }
    }

    /// The view it reads.
    pub fn view(&self) -> &View {
        &self.view
    }

    /// The transaction.
    pub fn tx_id(&self) -> &str {
        &self.tx_id
    }

    /// Reads a key.
    pub fn get_state(&mut self, namespace: &str, key: &str) -> Result<Option<Bytes>, Error> {
        let entry = self.view.get(namespace, key)?;
        let version = entry.as_ref().map(|entry| entry.version);
        self.recorded.namespace(namespace).reads.insert(key.to_owned(), version);
        Ok(entry.map(|entry| entry.value))
    }

    /// Writes a key. An empty value deletes it.
    pub fn put_state(&mut self, namespace: &str, key: &str, value: Bytes) -> Result<(), Error> {
        self.before_write()?;
        let value = (!value.is_empty()).then_some(value);
        self.recorded.namespace(namespace).writes.insert(key.to_owned(), value);
        Ok(())
    }

    /// Deletes a key.
    pub fn del_state(&mut self, namespace: &str, key: &str) -> Result<(), Error> {
        self.put_state(namespace, key, Bytes::new())
    }

    /// Reads the metadata of a key.
    pub fn get_state_metadata(&mut self, namespace: &str, key: &str) -> Result<Metadata, Error> {
        let entry = self.view.get(namespace, key)?;
        let version = entry.as_ref().map(|entry| entry.version);
        self.recorded.namespace(namespace).reads.insert(key.to_owned(), version);
        Ok(entry.map(|entry| entry.metadata_entries()).unwrap_or_default())
    }

    /// Replaces all metadata of a key by one entry.
    pub fn set_state_metadata(
        &mut self,
        namespace: &str,
        key: &str,
        name: &str,
        value: Bytes,
    ) -> Result<(), Error> {
        self.before_write()?;
        let metadata = Metadata::from([(name.to_owned(), value)]);
        self.recorded.namespace(namespace).metadata_writes.insert(key.to_owned(), metadata);
        Ok(())
    }

    /// Removes all metadata of a key.
    pub fn del_state_metadata(&mut self, namespace: &str, key: &str) -> Result<(), Error> {
        self.before_write()?;
        let metadata = Metadata::new();
        self.recorded.namespace(namespace).metadata_writes.insert(key.to_owned(), metadata);
        Ok(())
    }

    fn before_write(&mut self) -> Result<(), Error> {
        if self.queried_private {
            return Err(Error::PrivateQueryAndWrite(self.tx_id.clone()));
        }
        if self.paged {
            return Err(Error::PageAndWrite(self.tx_id.clone()));
        }
        self.wrote = true;
        Ok(())
    }

    /// Ends the simulation and encodes what it recorded.
    pub fn finish(mut self) -> Result<Simulation, Error> {
        for (namespace, query) in self.queries.recorded() {
            let queries = &mut self.recorded.namespace(&namespace).queries;
            let is_same = |other: &proto::kvrwset::RangeQueryInfo| {
                other.start_key == query.start_key
                    && other.end_key == query.end_key
                    && other.itr_exhausted == query.itr_exhausted
            };
            if !queries.iter().any(is_same) {
                queries.push(query);
            }
        }
        let used = self.used()?;
        let (public, private) = self.recorded.encode();
        Ok(Simulation { public, private, used, height: self.view.height() })
    }

    fn used(&self) -> Result<BTreeMap<String, NamespaceUse>, Error> {
        let mut used: BTreeMap<String, NamespaceUse> = BTreeMap::new();
        for (name, namespace) in &self.recorded.0 {
            let mut found = NamespaceUse::default();
            found.public.reads = !namespace.reads.is_empty() || !namespace.queries.is_empty();
            for key in namespace.writes.keys().chain(namespace.metadata_writes.keys()) {
                let policy = self.view.validation_parameter(name, key)?;
                found.public.writes.insert(Bytes::copy_from_slice(key.as_bytes()), policy);
            }
            for (collection_name, collection) in &namespace.collections {
                let mut keys = Use { reads: !collection.reads.is_empty(), ..Use::default() };
                for key in collection.writes.keys().chain(collection.metadata_writes.keys()) {
                    let hash = Bytes::copy_from_slice(&proto::sha256(key.as_bytes()));
                    let policy =
                        self.view.hash_validation_parameter(name, collection_name, &hash)?;
                    keys.writes.insert(hash, policy);
                }
                found.collections.insert(collection_name.clone(), keys);
            }
            used.insert(name.clone(), found);
        }
        Ok(used)
    }
}
