//! Read-write sets: what transactions say they read and wrote, in Fabric's form.
//!
//! [`TxRwSet`] is the decoded form that validation uses, `build` encodes what a simulator
//! recorded so that all endorsers produce the same bytes, `merkle` summarizes long range reads.

pub(crate) mod build;
pub(crate) mod merkle;

use bytes::Bytes;
use prost::DecodeError;
use proto::kvrwset::{HashedRwSet, KvWrite, KvWriteHash, KvrwSet};
use proto::rwset::{CollectionPvtReadWriteSet, NsReadWriteSet, TxPvtReadWriteSet, TxReadWriteSet};

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
    pub fn decode(results: Bytes) -> Result<Self, DecodeError> {
        let decoded: TxReadWriteSet = proto::decode(results)?;
        let namespaces = decoded.ns_rwset.into_iter().map(NsRwSet::decode);
        Ok(Self { namespaces: namespaces.collect::<Result<_, _>>()? })
    }

    /// The set of a collection, if the transaction touched it.
    pub fn collection(&self, namespace: &str, collection: &str) -> Option<&CollectionRwSet> {
        let found = self.namespaces.iter().find(|it| it.namespace == namespace)?;
        found.collections.iter().find(|it| it.name == collection)
    }
}

impl NsRwSet {
    fn decode(set: NsReadWriteSet) -> Result<Self, DecodeError> {
        let collections = set.collection_hashed_rwset.into_iter().map(|collection| {
            Ok(CollectionRwSet {
                hashed: proto::decode(collection.hashed_rwset)?,
                name: collection.collection_name,
                private_hash: collection.pvt_rwset_hash,
            })
        });
        Ok(Self {
            collections: collections.collect::<Result<_, DecodeError>>()?,
            public: proto::decode(set.rwset)?,
            namespace: set.namespace,
        })
    }
}

/// Whether a write deletes its key: one without a value does, too.
pub fn is_delete(write: &KvWrite) -> bool {
    write.is_delete || write.value.is_empty()
}

/// SHA-256 of nothing, which as the hash of a value means that there is no value.
const EMPTY_HASH: [u8; 32] = [
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24,
    0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
];

/// Whether a hashed write deletes its key.
pub fn is_hash_delete(write: &KvWriteHash) -> bool {
    write.is_delete || write.value_hash.is_empty() || write.value_hash == EMPTY_HASH[..]
}

/// The write set of one collection in a transaction's private data.
pub(crate) fn private_collection<'a>(
    private: &'a TxPvtReadWriteSet,
    namespace: &str,
    collection: &str,
) -> Option<&'a CollectionPvtReadWriteSet> {
    let found = private.ns_pvt_rwset.iter().find(|it| it.namespace == namespace)?;
    found.collection_pvt_rwset.iter().find(|it| it.collection_name == collection)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_of_nothing() {
        assert_eq!(EMPTY_HASH, proto::sha256(b""));
    }
}
