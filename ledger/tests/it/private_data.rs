//! Private data from simulation to its end.

use std::path::Path;

use bytes::Bytes;
use ledger::{Ledger, Missing, PrivateWriteSets, Simulation, TransientEntry};
use prost::Message;
use proto::common::{
    CollectionConfig, CollectionConfigPackage, StaticCollectionConfig, collection_config,
};
use proto::lifecycle::{StateData, state_data};
use proto::transientstore::TxPvtReadWriteSetWithConfigInfo;
use tempfile::TempDir;

use crate::chain::*;
use crate::vectors;

/// A ledger on which chaincode `cc` has collection `c`, whose data lives `life` blocks.
fn with_collection(dir: &Path, life: u64) -> Ledger {
    let ledger = create(dir);
    define(&ledger, &[("c", life)]);
    ledger
}

/// Commits a definition of the collections of `cc`.
fn define(ledger: &Ledger, collections: &[(&str, u64)]) {
    let config = collections.iter().map(|(name, life)| {
        let config = StaticCollectionConfig {
            name: (*name).into(),
            block_to_live: *life,
            ..Default::default()
        };
        let payload = collection_config::Payload::StaticCollectionConfig(config);
        CollectionConfig { payload: Some(payload) }
    });
    let package = CollectionConfigPackage { config: config.collect() };
    let field = StateData { r#type: Some(state_data::Type::Bytes(package.encode_to_vec().into())) };
    submit(ledger, "define", |tx| {
        let key = "namespaces/fields/cc/Collections";
        tx.put_state("_lifecycle", key, field.encode_to_vec().into()).unwrap();
    });
}

fn put(ledger: &Ledger, key: &str, value: &str) -> Simulation {
    let mut tx = ledger.simulator("tx").unwrap();
    tx.put_private("cc", "c", key, text(value)).unwrap();
    tx.finish().unwrap()
}

fn clear(ledger: &Ledger, key: &str) -> Result<Option<Bytes>, ledger::simulator::Error> {
    ledger.simulator("read").unwrap().get_private("cc", "c", key)
}

fn hash(ledger: &Ledger, key: &str) -> Option<Bytes> {
    ledger.simulator("read").unwrap().get_private_hash("cc", "c", key).unwrap()
}

fn empty_block(ledger: &Ledger) {
    commit(ledger, vec![tx("empty", Bytes::new())]);
}

/// Whether some file below `dir` holds these bytes.
fn on_disk(dir: &Path, secret: &str) -> bool {
    std::fs::read_dir(dir).unwrap().any(|file| {
        let path = file.unwrap().path();
        match path.is_dir() {
            true => on_disk(&path, secret),
            false => {
                let bytes = std::fs::read(&path).unwrap();
                bytes.windows(secret.len()).any(|part| part == secret.as_bytes())
            }
        }
    })
}

fn missing(tx: u32) -> Missing {
    Missing { tx, namespace: "cc".into(), collection: "c".into() }
}

#[test]
fn values_are_read_back_after_commit_and_reopening() {
    let dir = TempDir::new().unwrap();
    let ledger = with_collection(dir.path(), 0);
    let committed = commit_one(&ledger, "tx", put(&ledger, "k", "secret"));
    assert!(committed.missing.is_empty());
    drop(ledger);
    let ledger = vectors::open(dir.path());
    assert_eq!(clear(&ledger, "k").unwrap(), Some(text("secret")));
    assert_eq!(hash(&ledger, "k").unwrap(), proto::sha256(b"secret")[..]);
    let stored = ledger.private_data(2).unwrap();
    assert_eq!(stored.get(&0), put(&ledger, "k", "secret").private.as_ref());
    assert!(ledger.private_data(1).unwrap().is_empty());
    let query = &mut ledger.simulator("query").unwrap();
    let open = query.private_range("cc", "c", "", "").unwrap();
    assert_eq!(query.next(open).unwrap().unwrap().value, "secret");
}

#[test]
fn what_does_not_match_the_hash_is_missing() {
    let dir = TempDir::new().unwrap();
    let ledger = with_collection(dir.path(), 0);
    let right = put(&ledger, "k", "right");
    let wrong = put(&ledger, "k", "wrong").private.unwrap();
    let mut private = PrivateWriteSets::default();
    private.write_sets.insert(0, wrong);
    let committed = commit_with(&ledger, vec![tx("1", right.public.clone())], private.clone());
    assert_eq!(committed.missing, [missing(0)]);
    assert!(matches!(
        clear(&ledger, "k"),
        Err(ledger::simulator::Error::PrivateDataNotAvailable { .. })
    ));
    assert!(hash(&ledger, "k").is_some());
    assert_eq!(ledger.missing_private_data(9).unwrap()[&2], [missing(0)]);

    // Late and still wrong, then right, then again.
    ledger.add_private_data(2, private.clone()).unwrap();
    assert_eq!(ledger.missing_private_data(9).unwrap().len(), 1);
    private.write_sets.insert(0, right.private.unwrap());
    for _ in 0..2 {
        ledger.add_private_data(2, private.clone()).unwrap();
        assert!(ledger.missing_private_data(9).unwrap().is_empty());
        assert_eq!(clear(&ledger, "k").unwrap(), Some(text("right")));
    }
    drop(ledger);
    std::fs::remove_dir_all(dir.path().join("index")).unwrap();
    let ledger = vectors::open(dir.path());
    assert_eq!(clear(&ledger, "k").unwrap(), Some(text("right")));
}

#[test]
fn nobody_misses_what_is_not_for_him() {
    let dir = TempDir::new().unwrap();
    let ledger = with_collection(dir.path(), 0);
    let private =
        PrivateWriteSets { not_member: [missing(0)].into(), ..PrivateWriteSets::default() };
    let txs = vec![tx("1", put(&ledger, "k", "v").public)];
    assert!(commit_with(&ledger, txs, private).missing.is_empty());
    assert!(ledger.missing_private_data(9).unwrap().is_empty());
}

#[test]
fn late_data_does_not_undo_newer_values() {
    let dir = TempDir::new().unwrap();
    let ledger = with_collection(dir.path(), 0);
    let old = put(&ledger, "k", "old");
    commit(&ledger, vec![tx("1", old.public)]);
    commit_one(&ledger, "2", put(&ledger, "k", "new"));
    let write_sets = [(0, old.private.unwrap())].into();
    ledger.add_private_data(2, PrivateWriteSets { write_sets, ..Default::default() }).unwrap();
    assert_eq!(clear(&ledger, "k").unwrap(), Some(text("new")));
    assert_eq!(ledger.private_data(2).unwrap().len(), 1);
}

#[test]
fn data_expires_and_leaves_the_disk() {
    let dir = TempDir::new().unwrap();
    let ledger = with_collection(dir.path(), 2);
    let written = ledger.height();
    commit_one(&ledger, "1", put(&ledger, "k", "secret one"));
    commit_one(&ledger, "2", put(&ledger, "k2", "secret two"));
    assert!(on_disk(&dir.path().join("private"), "secret one"));
    empty_block(&ledger);
    assert_eq!(clear(&ledger, "k").unwrap(), Some(text("secret one")));
    assert_eq!(ledger.height(), written + 3);
    empty_block(&ledger);
    assert_eq!(clear(&ledger, "k").unwrap(), None);
    assert_eq!(hash(&ledger, "k"), None);
    assert!(clear(&ledger, "k2").unwrap().is_some());
    assert!(ledger.private_data(written).unwrap().is_empty());
    assert!(!on_disk(&dir.path().join("private"), "secret one"));
    assert!(on_disk(&dir.path().join("private"), "secret two"));
    empty_block(&ledger);
    assert_eq!(hash(&ledger, "k2"), None);
    drop(ledger);
    std::fs::remove_dir_all(dir.path().join("index")).unwrap();
    let ledger = vectors::open(dir.path());
    assert_eq!((hash(&ledger, "k"), clear(&ledger, "k2").unwrap()), (None, None));
    assert!(!on_disk(&dir.path().join("private"), "secret two"));
}

#[test]
fn writing_again_begins_a_new_life() {
    let dir = TempDir::new().unwrap();
    let ledger = with_collection(dir.path(), 1);
    commit_one(&ledger, "1", put(&ledger, "k", "one"));
    commit_one(&ledger, "2", put(&ledger, "k", "two"));
    empty_block(&ledger);
    assert_eq!(clear(&ledger, "k").unwrap(), Some(text("two")));
    // Written by the very block in which it would have expired.
    commit_one(&ledger, "3", put(&ledger, "k", "three"));
    assert_eq!(clear(&ledger, "k").unwrap(), Some(text("three")));
    empty_block(&ledger);
    empty_block(&ledger);
    assert_eq!(clear(&ledger, "k").unwrap(), None);
}

#[test]
fn purged_keys_leave_the_disk_and_others_stay() {
    let dir = TempDir::new().unwrap();
    let ledger = with_collection(dir.path(), 0);
    submit(&ledger, "1", |tx| {
        tx.put_private("cc", "c", "k", text("secret one")).unwrap();
        tx.put_private("cc", "c", "other", text("public enough")).unwrap();
    });
    commit_one(&ledger, "2", put(&ledger, "k", "secret two"));
    submit(&ledger, "purge", |tx| tx.purge_private("cc", "c", "k").unwrap());
    let check = |ledger: &Ledger| {
        assert_eq!((clear(ledger, "k").unwrap(), hash(ledger, "k")), (None, None));
        assert_eq!(clear(ledger, "other").unwrap(), Some(text("public enough")));
        assert!(!on_disk(&dir.path().join("private"), "secret"));
    };
    check(&ledger);
    drop(ledger);
    check(&vectors::open(dir.path()));
    std::fs::remove_dir_all(dir.path().join("index")).unwrap();
    check(&vectors::open(dir.path()));
}

#[test]
fn a_purge_without_its_private_data_still_purges() {
    let dir = TempDir::new().unwrap();
    let ledger = with_collection(dir.path(), 0);
    commit_one(&ledger, "1", put(&ledger, "k", "secret"));
    let mut purge = ledger.simulator("2").unwrap();
    purge.purge_private("cc", "c", "k").unwrap();
    commit(&ledger, vec![tx("2", purge.finish().unwrap().public)]);
    assert_eq!((clear(&ledger, "k").unwrap(), hash(&ledger, "k")), (None, None));
    assert!(!on_disk(&dir.path().join("private"), "secret"));
}

#[test]
fn collections_are_known_by_block() {
    let dir = TempDir::new().unwrap();
    let ledger = with_collection(dir.path(), 0);
    empty_block(&ledger);
    define(&ledger, &[("c", 0), ("d", 5)]);
    let at = |height| {
        let found = ledger.collections_below("cc", height).unwrap();
        found.map(|found| (found.block, found.collections.config.len()))
    };
    assert_eq!([at(0), at(1), at(2), at(3)], [None, None, Some((1, 1)), Some((1, 1))]);
    assert_eq!([at(4), at(99)], [Some((3, 2)), Some((3, 2))]);
    assert_eq!(ledger.collections_below("c", 99).unwrap(), None);
}

#[test]
fn endorsed_private_data_waits_for_its_block() {
    let dir = TempDir::new().unwrap();
    let ledger = with_collection(dir.path(), 0);
    let simulation = put(&ledger, "k", "v");
    let store = ledger.transient_store().clone();
    let entry = |received_at| TransientEntry {
        received_at,
        private: TxPvtReadWriteSetWithConfigInfo {
            endorsed_at: received_at,
            pvt_rwset: simulation.private.clone(),
            ..Default::default()
        },
    };
    for (tx_id, height) in [("tx", 2), ("tx", 2), ("tx", 3), ("tx2", 1), ("tx3", 4)] {
        store.persist(tx_id, &entry(height)).unwrap();
    }
    assert_eq!(store.get("tx").unwrap(), [entry(2), entry(2), entry(3)]);
    commit(&ledger, vec![tx("tx", simulation.public.clone())]);
    assert!(store.get("tx").unwrap().is_empty());
    assert_eq!(store.get("tx2").unwrap().len(), 1);
    store.purge_below_height(2).unwrap();
    assert!(store.get("tx2").unwrap().is_empty());
    assert_eq!(store.get("tx3").unwrap()[0].write_set(), simulation.private.as_ref());
}
