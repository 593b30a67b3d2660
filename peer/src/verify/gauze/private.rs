//! The log of private data of a peer of Gauze.

use std::sync::Arc;

use ledger::offline::{Derived, Offline, PrivateRecord};
use ledger::rwset::{self, CollectionRwSet, TxRwSet};
use ledger::{Error as LedgerError, Ledger, Version, View, private_data};
use prost::Message;
use proto::common::Block;
use proto::envelope::Envelope;
use proto::kvrwset::{KvWrite, KvrwSet};
use proto::transaction::Action;

use crate::verify::describe::{hex_or_text, summary, tx_id};
use crate::verify::{At, Difference, Error, Findings, Place, Recorded, What};

/// The log as it was found. What is in it must be what transactions announced by hash, and the
/// newest of it must be in the state.
pub(super) struct PrivateLog {
    pub(super) offline: Offline,
    pub(super) derived: Arc<Derived>,
    /// The block the state is of.
    pub(super) block: u64,
}

impl Recorded for PrivateLog {
    fn name(&self) -> &'static str {
        "private data"
    }

    fn at(&self) -> At {
        At::Block(self.block)
    }

    fn compare(&mut self, replayed: &Ledger) -> Result<Findings, Error> {
        let records = match self.offline.private_data() {
            Ok(records) => records,
            Err(error) => return self.damaged(error),
        };
        let check = Check {
            replayed,
            hashes: replayed.view().map_err(Error::Scratch)?,
            state: self.derived.view().map_err(Error::Ledger)?,
        };
        let (mut sets, mut missing) = (0_u64, 0_u64);
        for record in records {
            let record = match record {
                Ok(record) => record,
                Err(private_data::Error::Segments(error)) => return self.damaged(error),
                Err(error) => return Err(Error::Ledger(error.into())),
            };
            // What came late for blocks before the ledger's first one is known by hash only.
            if record.block > self.block || record.block < replayed.first_block() {
                continue;
            }
            match &record.write_set {
                None => missing += 1,
                Some(set) => {
                    sets += 1;
                    if let Some(found) = check.write_set(&record, set)? {
                        return Ok(Findings::differs(self.name(), "a write set differs", found));
                    }
                }
            }
        }
        let text = format!("{sets} write sets match their hashes, {missing} noted as missing");
        Ok(Findings::held(self.name(), text))
    }
}

impl PrivateLog {
    fn damaged(&self, error: ledger::SegmentsError) -> Result<Findings, Error> {
        Ok(Findings::differs(self.name(), "its log is damaged", super::damage(error)?))
    }
}

struct Check<'a> {
    replayed: &'a Ledger,
    hashes: View,
    state: View,
}

impl Check<'_> {
    /// What is wrong with a stored write set. It may lack keys that were purged.
    fn write_set(
        &self,
        record: &PrivateRecord,
        bytes: &bytes::Bytes,
    ) -> Result<Option<Difference>, Error> {
        let block = self.replayed.block(record.block).map_err(Error::Scratch)?.unwrap_or_default();
        let differs = |expected: String, found: String| {
            let index = record.tx as usize;
            let found = Difference::new(What::PrivateData, expected, found).block(record.block);
            Ok(Some(found.transaction(u64::from(record.tx), tx_id(&block, index))))
        };
        let Some(announced) = announced(&block, record) else {
            let name = format!("{}/{}", record.namespace, record.collection);
            return differs(format!("no private data for {name}"), summary(bytes));
        };
        let Ok(set) = KvrwSet::decode(bytes.clone()) else {
            return differs("a write set".into(), summary(bytes));
        };
        for write in &set.writes {
            let hash = proto::sha256(write.key.as_bytes());
            let mut hashed = announced.hashed.hashed_writes.iter();
            let agrees = hashed.any(|it| {
                it.key_hash == hash[..]
                    && (rwset::is_hash_delete(it) && rwset::is_delete(write)
                        || it.value_hash == proto::sha256(&write.value)[..])
            });
            if !agrees {
                let expected = "writes with the hashes in the block".to_owned();
                let key = hex_or_text(write.key.as_bytes());
                return differs(expected, format!("key {key} with {}", summary(&write.value)));
            }
            if let Some(found) = self.in_state(record, write, &hash)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// What the channel still holds by hash must be in the state of a peer that has it.
    fn in_state(
        &self,
        record: &PrivateRecord,
        write: &KvWrite,
        hash: &[u8],
    ) -> Result<Option<Difference>, Error> {
        let (namespace, collection) = (&record.namespace, &record.collection);
        let held = self.hashes.hash(namespace, collection, hash);
        let held = held.map_err(|error| Error::Scratch(error.into()))?;
        let version = Version::new(record.block, u64::from(record.tx));
        if rwset::is_delete(write) || held.is_none_or(|held| held.version != version) {
            return Ok(None);
        }
        let found = self.state.private(namespace, collection, &write.key);
        let found = found.map_err(|error| Error::Ledger(LedgerError::State(error)))?;
        if found.is_some_and(|found| found.value == write.value && found.version == version) {
            return Ok(None);
        }
        let place = Place {
            namespace: namespace.clone(),
            collection: Some(collection.clone()),
            key: hex_or_text(write.key.as_bytes()),
        };
        let missing = Difference::new(What::MissingKey, summary(&write.value), "no such value");
        let missing = missing.block(record.block).transaction(u64::from(record.tx), None);
        Ok(Some(missing.place(place)))
    }
}

/// What the transaction of a record says by hash about its collection.
fn announced(block: &Block, record: &PrivateRecord) -> Option<CollectionRwSet> {
    let bytes = proto::block::envelopes(block).get(record.tx as usize)?;
    let envelope = Envelope::parse(bytes.clone()).ok()?;
    let action = Action::parse(envelope.data).ok()?;
    let set = TxRwSet::decode(action.chaincode_action().ok()?.results).ok()?;
    set.collection(&record.namespace, &record.collection).cloned()
}
