//! Read-write sets of transactions, decoded.

use bytes::Bytes;
use proto::kvrwset::{HashedRwSet, KvrwSet};

/// What a transaction read and wrote, decoded down to the last layer.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TxRwSet {
    /// One entry for each namespace, in the order of the transaction.
    pub namespaces: Vec<NsRwSet>,
}

/// Reads and writes in one namespace.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NsRwSet {
    /// The namespace: a chaincode's name.
    pub namespace: String,
    /// Public reads and writes.
    pub public: KvrwSet,
    /// Hashed reads and writes of private collections.
    pub collections: Vec<CollectionRwSet>,
}

/// Hashed reads and writes in one private collection.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CollectionRwSet {
    /// Name of the collection.
    pub name: String,
    /// The hashes.
    pub hashed: HashedRwSet,
    /// Hash of the clear write set; empty if nothing is written.
    pub private_hash: Bytes,
}

impl TxRwSet {
    /// Decodes a `TxReadWriteSet` and every set nested in it.
    pub fn decode(_results: Bytes) -> Result<Self, prost::DecodeError> {
        todo!()
    }
}
