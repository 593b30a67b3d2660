//! The recorded read-write sets come out of the simulator byte for byte.
//!
//! Each valid recorded transaction is run again on the state before its block: its reads, queries
//! and writes are called, and what the simulator encodes must be what the recorded endorsers
//! signed.

use std::collections::BTreeMap;

use bytes::Bytes;
use ledger::rwset::{CollectionRwSet, NsRwSet, TxRwSet};
use ledger::{Ledger, Simulator};
use prost::Message;
use proto::kvrwset::KvrwSet;
use proto::rwset::TxPvtReadWriteSet;
use proto::transaction::{Action, TxValidationCode};
use tempfile::TempDir;

use crate::vectors;

/// Clear keys by hash, as far as some recorded private write has them.
type ClearKeys = BTreeMap<[u8; 32], String>;

#[track_caller]
fn check(name: &str, at_least: usize) {
    let dir = TempDir::new().unwrap();
    let ledger = vectors::open(dir.path());
    let keys = clear_keys(name);
    let mut compared = 0;
    for block in vectors::blocks(name) {
        let number = proto::block::number(&block);
        let private = vectors::private(name, "org1", number);
        let codes = vectors::codes(&block);
        // Reads of a later transaction hold on the state before the block only if it is valid.
        for (tx, envelope) in (0..).zip(proto::block::envelopes(&block)) {
            if codes[tx as usize] == TxValidationCode::Valid && number > 0 {
                let set = private.write_sets.get(&tx);
                compared += usize::from(compare(&ledger, envelope, set, &keys, number));
            }
        }
        let before = vectors::codes_before(&block);
        ledger.commit(vectors::as_ordered(&block), before, private).unwrap();
    }
    assert!(compared >= at_least, "{name}: only {compared} could be compared");
}

fn compare(
    ledger: &Ledger,
    envelope: &Bytes,
    private: Option<&TxPvtReadWriteSet>,
    keys: &ClearKeys,
    number: u64,
) -> bool {
    let envelope = proto::envelope::Envelope::parse(envelope.clone()).unwrap();
    let Ok(action) = Action::parse(envelope.data) else { return false };
    let recorded = action.chaincode_action().unwrap().results;
    let set = TxRwSet::decode(recorded.clone()).unwrap();
    let mut simulator = ledger.simulator("tx").unwrap();
    for namespace in &set.namespaces {
        // A set that lists a key twice is forged.
        let writes = &namespace.public.writes;
        if writes.windows(2).any(|pair| pair[0].key >= pair[1].key) {
            return false;
        }
        run_public(&mut simulator, namespace);
        for collection in &namespace.collections {
            if run_private(&mut simulator, &namespace.namespace, collection, private, keys)
                .is_none()
            {
                return false;
            }
        }
    }
    let simulation = simulator.finish().unwrap();
    assert_eq!(hex::encode(&simulation.public), hex::encode(&recorded), "block {number}");
    assert_eq!(simulation.private.as_ref(), private, "private data of block {number}");
    true
}

fn run_public(simulator: &mut Simulator, set: &NsRwSet) {
    let namespace = &set.namespace;
    // Backwards, because the order of the calls must not matter.
    for read in set.public.reads.iter().rev() {
        simulator.get_state(namespace, &read.key).unwrap();
    }
    for info in &set.public.range_queries_info {
        let end = if info.itr_exhausted { info.end_key.as_str() } else { "" };
        let query = simulator.range(namespace, &info.start_key, end).unwrap();
        while info.itr_exhausted && simulator.next(query).unwrap().is_some() {}
    }
    for write in set.public.writes.iter().rev() {
        simulator.put_state(namespace, &write.key, Bytes::from_static(b"overwritten")).unwrap();
        simulator.put_state(namespace, &write.key, write.value.clone()).unwrap();
    }
    for write in &set.public.metadata_writes {
        let [entry] = &write.entries[..] else {
            simulator.del_state_metadata(namespace, &write.key).unwrap();
            continue;
        };
        let value = entry.value.clone();
        simulator.set_state_metadata(namespace, &write.key, &entry.name, value).unwrap();
    }
}

/// Nothing if a clear key or value is not known.
fn run_private(
    simulator: &mut Simulator,
    namespace: &str,
    set: &CollectionRwSet,
    private: Option<&TxPvtReadWriteSet>,
    keys: &ClearKeys,
) -> Option<()> {
    let key = |hash: &Bytes| keys.get::<[u8; 32]>(&hash.as_ref().try_into().unwrap());
    for read in &set.hashed.hashed_reads {
        simulator.get_private_hash(namespace, &set.name, key(&read.key_hash)?).unwrap();
    }
    let purged = |key: &str| {
        let hash = proto::sha256(key.as_bytes());
        let mut writes = set.hashed.hashed_writes.iter();
        writes.any(|write| write.is_purge && write.key_hash == hash[..])
    };
    if !set.private_hash.is_empty() {
        for write in &clear(private?, namespace, &set.name, &set.private_hash)?.writes {
            let (name, value) = (&write.key, write.value.clone());
            match purged(name) {
                true => simulator.purge_private(namespace, &set.name, name).unwrap(),
                false => simulator.put_private(namespace, &set.name, name, value).unwrap(),
            }
        }
    }
    for write in &set.hashed.metadata_writes {
        let [entry] = &write.entries[..] else { return None };
        let (name, value) = (key(&write.key_hash)?, entry.value.clone());
        simulator.set_private_metadata(namespace, &set.name, name, &entry.name, value).unwrap();
    }
    Some(())
}

/// The clear write set; nothing if it was purged before it was recorded.
fn clear(
    private: &TxPvtReadWriteSet,
    namespace: &str,
    collection: &str,
    hash: &Bytes,
) -> Option<KvrwSet> {
    let found = private.ns_pvt_rwset.iter().find(|it| it.namespace == namespace)?;
    let sets = &found.collection_pvt_rwset;
    let found = sets.iter().find(|it| it.collection_name == collection)?;
    if proto::sha256(&found.rwset) != hash[..] {
        return None;
    }
    KvrwSet::decode(found.rwset.clone()).ok()
}

fn clear_keys(name: &str) -> ClearKeys {
    let mut keys = ClearKeys::new();
    for number in 0..vectors::blocks(name).len() as u64 {
        for set in vectors::private(name, "org1", number).write_sets.values() {
            let sets = set.ns_pvt_rwset.iter().flat_map(|it| &it.collection_pvt_rwset);
            for writes in sets.map(|it| KvrwSet::decode(it.rwset.clone()).unwrap()) {
                let names = writes.writes.into_iter().map(|write| write.key);
                keys.extend(names.map(|key| (proto::sha256(key.as_bytes()), key)));
            }
        }
    }
    keys
}

#[test]
fn of_public_data() {
    check("l1-simple", 55);
    check("l2-invalid", 15);
    check("l3-governance", 20);
}

#[test]
fn of_private_data() {
    check("l4-private", 20);
}
