//! Encoding what a simulation recorded. All endorsers must produce the same bytes, so everything
//! is ordered: namespaces, collections and keys by their bytes, hashed keys by their clear form.

use std::collections::BTreeMap;

use bytes::Bytes;
use prost::Message;
use proto::kvrwset::{
    HashedRwSet, KvMetadataEntry, KvMetadataWrite, KvMetadataWriteHash, KvRead, KvReadHash,
    KvWrite, KvWriteHash, KvrwSet, RangeQueryInfo,
};
use proto::rwset::{
    CollectionHashedReadWriteSet, CollectionPvtReadWriteSet, NsPvtReadWriteSet, NsReadWriteSet,
    TxPvtReadWriteSet, TxReadWriteSet,
};

use crate::Version;

/// Metadata of a key by name.
pub type Metadata = BTreeMap<String, Bytes>;

/// All reads and writes of a transaction by namespace.
#[derive(Debug, Default)]
pub(crate) struct Recorded(pub(crate) BTreeMap<String, Namespace>);

/// Reads and writes of a namespace; the last of a key.
#[derive(Debug, Default)]
pub(crate) struct Namespace {
    pub(crate) reads: BTreeMap<String, Option<Version>>,
    /// In the order in which they were opened.
    pub(crate) queries: Vec<RangeQueryInfo>,
    /// Nothing means deleted.
    pub(crate) writes: BTreeMap<String, Option<Bytes>>,
    pub(crate) metadata_writes: BTreeMap<String, Metadata>,
    pub(crate) collections: BTreeMap<String, Collection>,
}

/// Reads and writes of a private collection by clear key.
#[derive(Debug, Default)]
pub(crate) struct Collection {
    pub(crate) reads: BTreeMap<String, Option<Version>>,
    pub(crate) writes: BTreeMap<String, PrivateWrite>,
    pub(crate) metadata_writes: BTreeMap<String, Metadata>,
}

#[derive(Debug)]
pub(crate) enum PrivateWrite {
    Put(Bytes),
    Delete,
    Purge,
}

impl Recorded {
    pub(crate) fn namespace(&mut self, name: &str) -> &mut Namespace {
        if !self.0.contains_key(name) {
            self.0.insert(name.to_owned(), Namespace::default());
        }
        self.0.entry(name.to_owned()).or_default()
    }

    pub(crate) fn collection(&mut self, namespace: &str, name: &str) -> &mut Collection {
        self.namespace(namespace).collections.entry(name.to_owned()).or_default()
    }

    /// The encoded public set, and the private one if there are private writes.
    pub(crate) fn encode(self) -> (Bytes, Option<TxPvtReadWriteSet>) {
        let mut public = TxReadWriteSet::default();
        let mut private = TxPvtReadWriteSet::default();
        for (name, namespace) in self.0 {
            let mut hashed = Vec::new();
            let mut clear = Vec::new();
            for (collection_name, collection) in &namespace.collections {
                let rwset = collection.clear().map(|set| Bytes::from(set.encode_to_vec()));
                let hash = rwset.as_ref().map(|set| Bytes::copy_from_slice(&proto::sha256(set)));
                hashed.push(CollectionHashedReadWriteSet {
                    collection_name: collection_name.clone(),
                    hashed_rwset: collection.hashed().encode_to_vec().into(),
                    pvt_rwset_hash: hash.unwrap_or_default(),
                });
                clear.extend(rwset.map(|rwset| CollectionPvtReadWriteSet {
                    collection_name: collection_name.clone(),
                    rwset,
                }));
            }
            if !clear.is_empty() {
                private.ns_pvt_rwset.push(NsPvtReadWriteSet {
                    namespace: name.clone(),
                    collection_pvt_rwset: clear,
                });
            }
            public.ns_rwset.push(NsReadWriteSet {
                rwset: namespace.public().encode_to_vec().into(),
                namespace: name,
                collection_hashed_rwset: hashed,
            });
        }
        let private = (!private.ns_pvt_rwset.is_empty()).then_some(private);
        (public.encode_to_vec().into(), private)
    }
}

impl Namespace {
    fn public(self) -> KvrwSet {
        let reads = self.reads.into_iter();
        let metadata_writes = self.metadata_writes.iter();
        KvrwSet {
            reads: reads.map(|(key, it)| KvRead { key, version: it.map(Into::into) }).collect(),
            range_queries_info: self.queries,
            writes: self.writes.iter().map(|(key, it)| write(key, it.as_ref())).collect(),
            metadata_writes: metadata_writes
                .map(|(key, it)| KvMetadataWrite { key: key.clone(), entries: entries(it) })
                .collect(),
        }
    }
}

impl Collection {
    /// What goes into the block.
    fn hashed(&self) -> HashedRwSet {
        let reads = self.reads.iter();
        let metadata_writes = self.metadata_writes.iter();
        HashedRwSet {
            hashed_reads: reads
                .map(|(key, it)| KvReadHash { key_hash: hash(key), version: it.map(Into::into) })
                .collect(),
            hashed_writes: self.writes.iter().map(|(key, it)| hashed_write(key, it)).collect(),
            metadata_writes: metadata_writes
                .map(|(key, it)| KvMetadataWriteHash { key_hash: hash(key), entries: entries(it) })
                .collect(),
        }
    }

    /// What stays beside the block; nothing if nothing is written.
    fn clear(&self) -> Option<KvrwSet> {
        if self.writes.is_empty() && self.metadata_writes.is_empty() {
            return None;
        }
        let writes = self.writes.iter().map(|(key, it)| match it {
            PrivateWrite::Put(value) => write(key, Some(value)),
            PrivateWrite::Delete | PrivateWrite::Purge => write(key, None),
        });
        // The clear side only tells which keys have new metadata.
        let metadata_writes = self.metadata_writes.keys();
        Some(KvrwSet {
            writes: writes.collect(),
            metadata_writes: metadata_writes
                .map(|key| KvMetadataWrite { key: key.clone(), entries: Vec::new() })
                .collect(),
            ..Default::default()
        })
    }
}

fn write(key: &str, value: Option<&Bytes>) -> KvWrite {
    let value = value.cloned().unwrap_or_default();
    KvWrite { key: key.to_owned(), is_delete: value.is_empty(), value }
}

fn hashed_write(key: &str, write: &PrivateWrite) -> KvWriteHash {
    let value_hash = match write {
        PrivateWrite::Put(value) if !value.is_empty() => {
            Bytes::copy_from_slice(&proto::sha256(value))
        }
        _ => Bytes::new(),
    };
    KvWriteHash {
        key_hash: hash(key),
        is_delete: value_hash.is_empty(),
        value_hash,
        is_purge: matches!(write, PrivateWrite::Purge),
    }
}

fn hash(key: &str) -> Bytes {
    Bytes::copy_from_slice(&proto::sha256(key.as_bytes()))
}

fn entries(metadata: &Metadata) -> Vec<KvMetadataEntry> {
    let entries = metadata.iter();
    entries
        .map(|(name, value)| KvMetadataEntry { name: name.clone(), value: value.clone() })
        .collect()
}
