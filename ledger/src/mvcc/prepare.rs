//! A transaction as the checks and operations that validation needs.

use bytes::Bytes;
use prost::Message;
use proto::kvrwset::{KvMetadataEntry, KvMetadataWrite, RangeQueryInfo};

use super::operations::Operation;
use crate::Version;
use crate::rwset::{self, CollectionRwSet, NsRwSet};
use crate::state::StateKey;
use crate::transaction::{Action, CONFIG_KEY};

/// One thing that must still hold.
#[derive(Debug)]
pub(crate) enum Check {
    /// The key has this version, or does not exist.
    Read(StateKey, Option<Version>),
    /// A range query over public keys of a namespace gives the same.
    Range(String, RangeQueryInfo),
}

/// Checks in the order that decides which failure is reported, and operations by key.
#[derive(Debug, Default)]
pub(crate) struct Prepared {
    pub(crate) checks: Vec<Check>,
    pub(crate) operations: Vec<(StateKey, Operation)>,
}

/// Nothing if the transaction is invalid already or does not touch the state.
pub(crate) fn prepare(action: &Action) -> Option<Prepared> {
    match action {
        Action::None => None,
        Action::Config(envelope) => {
            let key = StateKey::public("", CONFIG_KEY);
            let operations = vec![(key, Operation::Put(envelope.clone()))];
            Some(Prepared { checks: Vec::new(), operations })
        }
        Action::Endorsed(set) => {
            let mut prepared = Prepared::default();
            for namespace in &set.namespaces {
                prepared.add(namespace);
            }
            Some(prepared)
        }
    }
}

impl Prepared {
    fn add(&mut self, set: &NsRwSet) {
        let namespace = &set.namespace;
        for read in &set.public.reads {
            let key = StateKey::public(namespace, &read.key);
            self.checks.push(Check::Read(key, read.version.map(Version::from)));
        }
        for query in &set.public.range_queries_info {
            self.checks.push(Check::Range(namespace.clone(), query.clone()));
        }
        for write in &set.public.writes {
            let key = StateKey::public(namespace, &write.key);
            let operation = match rwset::is_delete(write) {
                true => Operation::Delete,
                false => Operation::Put(write.value.clone()),
            };
            self.operations.push((key, operation));
        }
        for write in &set.public.metadata_writes {
            let key = StateKey::public(namespace, &write.key);
            self.operations.push((key, metadata(&write.entries)));
        }
        for collection in &set.collections {
            self.add_collection(namespace, collection);
        }
    }

    fn add_collection(&mut self, namespace: &str, set: &CollectionRwSet) {
        let key = |hash: &Bytes| StateKey::hashed(namespace, &set.name, hash);
        for read in &set.hashed.hashed_reads {
            let version = read.version.map(Version::from);
            self.checks.push(Check::Read(key(&read.key_hash), version));
        }
        for write in &set.hashed.hashed_writes {
            let operation = match rwset::is_hash_delete(write) {
                true => Operation::Delete,
                false => Operation::Put(write.value_hash.clone()),
            };
            self.operations.push((key(&write.key_hash), operation));
        }
        for write in &set.hashed.metadata_writes {
            self.operations.push((key(&write.key_hash), metadata(&write.entries)));
        }
    }
}

fn metadata(entries: &[KvMetadataEntry]) -> Operation {
    if entries.is_empty() {
        return Operation::DeleteMetadata;
    }
    let stored = KvMetadataWrite { key: String::new(), entries: entries.to_vec() };
    Operation::PutMetadata(stored.encode_to_vec().into())
}
