//! Snapshots of recorded chains are the recorded snapshots.

use std::collections::BTreeMap;
use std::path::Path;

use tempfile::TempDir;

use crate::vectors;

pub(crate) fn files(dir: &Path) -> BTreeMap<String, String> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| {
        let entry = entry.unwrap();
        let bytes = std::fs::read(entry.path()).unwrap();
        (entry.file_name().into_string().unwrap(), hex::encode(bytes))
    });
    entries.collect()
}

#[track_caller]
fn check(name: &str, channel: &str) {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("ledger");
    let ledger = ledger::Ledger::open(&path, channel, vectors::config()).unwrap();
    vectors::replay(&ledger, name, "org1");
    let target = dir.path().join("snapshot");
    let metadata = ledger.snapshot(&target).unwrap();
    assert_eq!(metadata.last_block_number, ledger.height() - 1);
    let (found, expected) = (files(&target), files(&vectors::dir(name).join("snapshot")));
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (file, bytes) in &expected {
        assert_eq!(&found[file], bytes, "{name}: {file}");
    }
    assert!(ledger.snapshot(&target).is_err(), "it is not overwritten");
}

#[test]
fn of_valid_transactions() {
    check("l1-simple", "gauze1");
}

#[test]
fn of_invalid_transactions() {
    check("l2-invalid", "gauze2");
}

#[test]
fn of_governance() {
    check("l3-governance", "gauze3");
}

#[test]
fn of_private_data() {
    check("l4-private", "gauze4");
}
