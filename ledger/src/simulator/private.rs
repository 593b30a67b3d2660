//! Private data in a simulation: hashes are recorded for the block, clear writes beside it.

use bytes::Bytes;

use super::{Error, Simulator};
use crate::Versioned;
use crate::rwset::build::{Metadata, PrivateWrite};

impl Simulator {
    /// Reads a private key. Fails if this peer does not have the value that the public hash is of.
    pub fn get_private(
        &mut self,
        namespace: &str,
        collection: &str,
        key: &str,
    ) -> Result<Option<Bytes>, Error> {
        let hashed = self.read_hash(namespace, collection, key)?;
        let clear = self.view.private(namespace, collection, key)?;
        let version = |entry: &Option<Versioned>| entry.as_ref().map(|entry| entry.version);
        if version(&clear) != version(&hashed) {
            let (namespace, collection) = (namespace.to_owned(), collection.to_owned());
            return Err(Error::PrivateDataNotAvailable { namespace, collection });
        }
        Ok(clear.map(|entry| entry.value))
    }

    /// Reads the hash of a private key's value, which every peer has.
    pub fn get_private_hash(
        &mut self,
        namespace: &str,
        collection: &str,
        key: &str,
    ) -> Result<Option<Bytes>, Error> {
        Ok(self.read_hash(namespace, collection, key)?.map(|entry| entry.value))
    }

    /// Reads the metadata of a private key.
    pub fn get_private_metadata(
        &mut self,
        namespace: &str,
        collection: &str,
        key: &str,
    ) -> Result<Metadata, Error> {
        let entry = self.read_hash(namespace, collection, key)?;
        Ok(entry.map(|entry| entry.metadata_entries()).unwrap_or_default())
    }

    fn read_hash(
        &mut self,
        namespace: &str,
        collection: &str,
        key: &str,
    ) -> Result<Option<Versioned>, Error> {
        let key_hash = proto::sha256(key.as_bytes());
        let entry = self.view.hash(namespace, collection, &key_hash)?;
        let version = entry.as_ref().map(|entry| entry.version);
        self.recorded.collection(namespace, collection).reads.insert(key.to_owned(), version);
        Ok(entry)
    }

    /// Writes a private key. An empty value deletes it.
    pub fn put_private(
        &mut self,
        namespace: &str,
        collection: &str,
        key: &str,
        value: Bytes,
    ) -> Result<(), Error> {
        let write = match value.is_empty() {
            true => PrivateWrite::Delete,
            false => PrivateWrite::Put(value),
        };
        self.write_private(namespace, collection, key, write)
    }

    /// Deletes a private key.
    pub fn del_private(
        &mut self,
        namespace: &str,
        collection: &str,
        key: &str,
    ) -> Result<(), Error> {
        self.write_private(namespace, collection, key, PrivateWrite::Delete)
    }

    /// Deletes a private key and all its earlier values from every peer.
    pub fn purge_private(
        &mut self,
        namespace: &str,
        collection: &str,
        key: &str,
    ) -> Result<(), Error> {
        self.write_private(namespace, collection, key, PrivateWrite::Purge)
    }

    fn write_private(
        &mut self,
        namespace: &str,
        collection: &str,
        key: &str,
        write: PrivateWrite,
    ) -> Result<(), Error> {
        self.before_write()?;
        self.recorded.collection(namespace, collection).writes.insert(key.to_owned(), write);
        Ok(())
    }

    /// Replaces all metadata of a private key by one entry.
    pub fn set_private_metadata(
        &mut self,
        namespace: &str,
        collection: &str,
        key: &str,
        name: &str,
        value: Bytes,
    ) -> Result<(), Error> {
        self.before_write()?;
        let metadata = Metadata::from([(name.to_owned(), value)]);
        let recorded = self.recorded.collection(namespace, collection);
        recorded.metadata_writes.insert(key.to_owned(), metadata);
        Ok(())
    }
}
