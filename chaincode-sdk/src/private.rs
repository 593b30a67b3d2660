//! Private collections: values only the collection's members hold, hashes everyone has.

use std::ops::Deref;

use crate::error::Result;
use crate::host::{Host, Span};
use crate::range::{Entries, Records};
use crate::record::{Key, Prefix, Record, Store};

/// A private collection, to read.
#[derive(Clone)]
pub struct Private<'a> {
    store: Store<'a>,
    collection: String,
}

impl std::fmt::Debug for Private<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Private").field("collection", &self.collection).finish_non_exhaustive()
    }
}

impl<'a> Private<'a> {
    pub(crate) fn new(host: &'a dyn Host, collection: String) -> Self {
        Self { store: Store::new(host, Some(collection.clone())), collection }
    }

    /// The record, if there is one.
    pub fn find<R: Record>(&self, key: impl Into<Key<R>>) -> Result<Option<R>> {
        self.store.find(&key.into())
    }

    /// The record; missing is `NOT_FOUND`.
    pub fn load<R: Record>(&self, key: impl Into<Key<R>>) -> Result<R> {
        self.store.load(&key.into())
    }

    /// Whether this peer holds such a record.
    pub fn exists<R: Record>(&self, key: impl Into<Key<R>>) -> Result<bool> {
        self.store.exists(&key.into())
    }

    /// The records whose keys begin with `prefix`. Not protected against concurrent changes, and
    /// therefore only for functions that evaluate.
    pub fn list<R: Record>(&self, prefix: Prefix<R>) -> Result<Records<'a, R>> {
        self.store.list(&prefix)
    }

    /// The SHA-256 of the record's value, which every peer has.
    pub fn hash<R: Record>(&self, key: impl Into<Key<R>>) -> Result<Option<Vec<u8>>> {
        self.get_hash(&key.into().into_string()?)
    }

    /// The committed value of a key.
    pub fn get(&self, key: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.store.host.get(Some(&self.collection), key)?)
    }

    /// The committed values of several keys, in order.
    pub fn get_multiple(&self, keys: &[String]) -> Result<Vec<Option<Vec<u8>>>> {
        Ok(self.store.host.get_multiple(Some(&self.collection), keys)?)
    }

    /// The SHA-256 of a key's value.
    pub fn get_hash(&self, key: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.store.host.get_hash(&self.collection, key)?)
    }

    /// Keys in `[start, end)`; empty is open.
    pub fn get_by_range(&self, start: &str, end: &str) -> Result<Entries<'a>> {
        Entries::open(self.store.host, Some(&self.collection), Span::Plain { start, end })
    }

    /// Composite keys that begin with these attributes.
    pub fn get_by_partial_composite_key(
        &self,
        object_type: &str,
        attributes: &[String],
    ) -> Result<Entries<'a>> {
        let span = Span::Composite { object_type, attributes };
        Entries::open(self.store.host, Some(&self.collection), span)
    }

    /// The key's own endorsement policy.
    pub fn get_validation_parameter(&self, key: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.store.host.get_validation_parameter(Some(&self.collection), key)?)
    }
}

/// A private collection, to read and write. It holds the transaction, so nothing else writes
/// meanwhile.
#[derive(Debug)]
pub struct PrivateMut<'a>(Private<'a>);

impl<'a> Deref for PrivateMut<'a> {
    type Target = Private<'a>;

    fn deref(&self) -> &Private<'a> {
        &self.0
    }
}

impl<'a> PrivateMut<'a> {
    pub(crate) fn new(private: Private<'a>) -> Self {
        Self(private)
    }

    /// Adds a record; present already is `ALREADY_EXISTS`.
    pub fn insert<R: Record>(&mut self, record: &R) -> Result<()> {
        self.store.insert(record)
    }

    /// Replaces a record; missing is `NOT_FOUND`.
    pub fn update<R: Record>(&mut self, record: &R) -> Result<()> {
        self.store.update(record)
    }

    /// Writes a record without reading, which a peer that is no member can endorse, too.
    pub fn save<R: Record>(&mut self, record: &R) -> Result<()> {
        self.store.save(record)
    }

    /// Deletes a record; missing is `NOT_FOUND`.
    pub fn remove<R: Record>(&mut self, key: impl Into<Key<R>>) -> Result<()> {
        self.store.remove(&key.into())
    }

    /// Deletes a record with everything it ever held.
    pub fn purge_record<R: Record>(&mut self, key: impl Into<Key<R>>) -> Result<()> {
        self.purge(&key.into().into_string()?)
    }

    /// Writes a key.
    pub fn put(&mut self, key: &str, value: &[u8]) -> Result<()> {
        Ok(self.store.host.put(Some(&self.collection), key, value)?)
    }

    /// Deletes a key.
    pub fn del(&mut self, key: &str) -> Result<()> {
        Ok(self.store.host.delete(Some(&self.collection), key)?)
    }

    /// Deletes a key with everything it ever held.
    pub fn purge(&mut self, key: &str) -> Result<()> {
        Ok(self.store.host.purge(&self.collection, key)?)
    }

    /// Sets the key's own endorsement policy.
    pub fn set_validation_parameter(&mut self, key: &str, policy: &[u8]) -> Result<()> {
        Ok(self.store.host.set_validation_parameter(Some(&self.collection), key, policy)?)
    }
}
