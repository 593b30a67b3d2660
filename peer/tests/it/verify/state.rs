//! Changed state, history, indexes and private data.

use std::fs;
use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use peer::verify::{Difference, Options, Outcome, What};
use serde_json::{Value, json};

use super::forger::{Forged, change};
use super::{copied, differs, stopped, verify_fabric, verify_gauze};

/// Makes a change to a ledger and takes it back after `check`.
fn changed(ledger: &Path, kept: &Path, check: impl FnOnce(&Path)) {
    let copy = kept.join("changed");
    super::copy(ledger, &copy);
    check(&copy);
    fs::remove_dir_all(copy).unwrap();
}

#[track_caller]
fn found(ledger: &Path, what: What, block: u64, transaction: Option<u64>) -> Difference {
    let report = verify_gauze(ledger, &Options::default()).unwrap();
    let failed = report.checks.last().unwrap();
    assert_eq!(failed.outcome, Outcome::Differs, "{report:#?}");
    differs(&report, what, block, transaction)
}

/// The bytes of a state key.
fn key(namespace: &str, key: &[u8]) -> Vec<u8> {
    [namespace.as_bytes(), b"\0", key].concat()
}

/// The first key of a namespace, what is held of it, and the version: all below 128 here.
fn first(tree: &Forged, namespace: &str) -> (Vec<u8>, Vec<u8>, (u64, u64)) {
    let (found, entry) = tree.with_prefix(&key(namespace, b"")).remove(0);
    let version = (u64::from(entry[0]), u64::from(entry[1]));
    (found, entry, version)
}

#[test]
fn a_changed_state() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = stopped(dir.path(), "l4-private");
    for (namespace, collection, position, what) in [
        ("gz", None, usize::MAX, What::Value),
        ("gz", None, 0, What::Version),
        ("gz", None, 1, What::Version),
        ("gz$$hboth", Some("both"), usize::MAX, What::Value),
        ("gz$$hboth", Some("both"), 1, What::Version),
        ("gz$$pboth", Some("both"), usize::MAX, What::Value),
        ("_lifecycle", None, usize::MAX, What::Value),
    ] {
        changed(&ledger, dir.path(), |ledger| {
            let mut version = (0, 0);
            change(ledger, "index", "state", |tree| {
                let (key, mut entry, held) = first(tree, namespace);
                version = held;
                let at = position.min(entry.len() - 1);
                entry[at] += 1;
                tree.insert(&key, &entry);
            });
            let found = found(ledger, what, version.0, Some(version.1));
            let place = found.place.clone().unwrap();
            let (namespace, _) = namespace.split_once("$$").unwrap_or((namespace, ""));
            assert_eq!(
                (place.namespace.as_str(), place.collection.as_deref()),
                (namespace, collection)
            );
            assert!(found.transaction.is_some() && !place.key.is_empty(), "{found}");
            assert!(found.remedy.contains("/index"), "{found}");
        });
    }
}

#[test]
fn missing_and_extra_keys() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = stopped(dir.path(), "l4-private");
    for (namespace, what) in [("gz", What::MissingKey), ("gz$$hone", What::MissingKey)] {
        changed(&ledger, dir.path(), |ledger| {
            let mut version = (0, 0);
            change(ledger, "index", "state", |tree| {
                let (key, _, held) = first(tree, namespace);
                version = held;
                tree.remove(&key);
            });
            found(ledger, what, version.0, Some(version.1));
        });
    }
    changed(&ledger, dir.path(), |ledger| {
        change(ledger, "index", "state", |tree| {
            tree.insert(&key("gz", b"an extra key"), &[30, 0, 0, b'v']);
        });
        let found = found(ledger, What::ExtraKey, 30, Some(0));
        assert_eq!(found.place.unwrap().key, "\"an extra key\"");
        assert_eq!(found.found, "\"v\" of block 30 transaction 0");
    });
    // A clear private value that this peer should hold.
    changed(&ledger, dir.path(), |ledger| {
        let mut version = (0, 0);
        change(ledger, "index", "state", |tree| {
            let (key, _, held) = first(tree, "gz$$pboth");
            version = held;
            tree.remove(&key);
        });
        let found = found(ledger, What::MissingKey, version.0, Some(version.1));
        assert_eq!(found.place.unwrap().collection.as_deref(), Some("both"));
    });
}

#[test]
fn changed_metadata_history_and_indexes() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = stopped(dir.path(), "l3-governance");
    changed(&ledger, dir.path(), |ledger| {
        let mut version = (0, 0);
        change(ledger, "index", "state", |tree| {
            // The third number is the length of the metadata: here of one digit.
            let with = tree.with_prefix(&key("gz", b"")).into_iter();
            let mut with = with.filter(|(_, it)| it[2] > 0 && it[2] < 128);
            let (key, mut entry) = with.next().unwrap();
            version = (u64::from(entry[0]), u64::from(entry[1]));
            let last = 2 + usize::from(entry[2]);
            entry[last] ^= 1;
            tree.insert(&key, &entry);
        });
        found(ledger, What::Metadata, version.0, Some(version.1));
    });
    changed(&ledger, dir.path(), |ledger| {
        let mut entry = Vec::new();
        change(ledger, "index", "history", |tree| {
            let mut keys = tree.with_prefix(b"").into_iter().map(|(key, _)| key);
            entry = keys.find(|key| key.len() > 14).unwrap();
            tree.remove(&entry);
        });
        let block = u64::from(entry[entry.len() - 5]);
        let transaction = u64::from(entry[entry.len() - 1]);
        let missing = found(ledger, What::History, block, Some(transaction));
        assert_eq!((missing.expected.as_str(), missing.found.as_str()), ("an entry", "none"));
        assert!(missing.place.is_some());
    });
    changed(&ledger, dir.path(), |ledger| {
        let mut at = (0, 0);
        change(ledger, "blocks/index", "blocks", |tree| {
            let (key, value) = tree.with_prefix(b"t").remove(0);
            at = (u64::from(value[7]), u64::from(value[11]));
            tree.remove(&key);
        });
        let missing = found(ledger, What::TransactionIndex, at.0, Some(at.1));
        assert!(missing.transaction.unwrap().id.is_some());
    });
    changed(&ledger, dir.path(), |ledger| {
        change(ledger, "blocks/index", "blocks", |tree| {
            let (key, mut value) = tree.with_prefix(b"n").remove(17);
            value[15] ^= 1;
            tree.insert(&key, &value);
        });
        found(ledger, What::BlockIndex, 17, None);
    });
}

#[test]
fn a_changed_private_write_set() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = stopped(dir.path(), "l4-private");
    let mut files: Vec<_> =
        fs::read_dir(ledger.join("private")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut bytes = fs::read(&files[0]).unwrap();
    bytes[100] ^= 1;
    fs::write(&files[0], bytes).unwrap();
    let report = verify_gauze(&ledger, &Options::default()).unwrap();
    let found = report.difference.unwrap();
    assert_eq!(found.what, What::File, "{found}");
    assert!(found.file.unwrap().contains("private"), "where it is");
}

/// Changes the recorded state of a Fabric peer.
fn change_json(dir: &Path, change: impl FnOnce(&mut Value)) {
    let path = dir.join("state_org1.json");
    let mut state: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    change(&mut state);
    fs::write(&path, serde_json::to_vec(&state).unwrap()).unwrap();
}

#[test]
fn a_recorded_state_of_fabric() {
    type Change = fn(&mut Vec<Value>);
    let cases: [(What, Change); 5] = [
        (What::Value, |entries| entries[3]["value_b64"] = json!(BASE64_STANDARD.encode("other"))),
        (What::Version, |entries| entries[3]["version"] = json!([2, 9])),
        (What::Metadata, |entries| entries[3]["metadata_b64"] = json!("AAAA")),
        (What::MissingKey, |entries| drop(entries.remove(3))),
        (What::ExtraKey, |entries| {
            entries.push(json!({ "key_b64": "enp6", "value_b64": "eg==", "version": [7, 0] }));
        }),
    ];
    for (what, alter) in cases {
        let dir = copied("l2-invalid");
        fs::remove_dir_all(dir.path().join("snapshot")).unwrap();
        change_json(dir.path(), |state| {
            alter(state["namespaces"]["gz2"].as_array_mut().unwrap());
        });
        let report = verify_fabric(dir.path(), &Options::default()).unwrap();
        let found = report.difference.unwrap();
        assert_eq!((found.what, found.place.as_ref().unwrap().namespace.as_str()), (what, "gz2"));
        assert_eq!(found.file.as_deref(), Some("state_org1.json"));
        if what == What::ExtraKey {
            assert_eq!(found.place.unwrap().key, "\"zzz\"");
        }
    }
}

#[test]
fn a_snapshot_of_fabric() {
    for (file, at, names_key) in [
        ("public_state.data", 40_000, true),
        ("private_state_hashes.data", 300, true),
        ("txids.data", 300, false),
        ("public_state.metadata", 5, false),
        ("_snapshot_signable_metadata.json", 80, false),
        ("_snapshot_additional_metadata.json", 40, false),
    ] {
        let dir = copied("l2-invalid");
        let path = dir.path().join("snapshot").join(file);
        let mut bytes = fs::read(&path).unwrap();
        let at = at.min(bytes.len() - 3);
        bytes[at] = if bytes[at] == b'1' { b'2' } else { b'1' };
        fs::write(&path, bytes).unwrap();
        let Ok(report) = verify_fabric(dir.path(), &Options::default()) else {
            assert!(file.contains("signable"), "{file}");
            continue;
        };
        let found = report.difference.unwrap_or_else(|| panic!("{file}"));
        assert_eq!(found.what, What::Snapshot, "{found}");
        assert_eq!(found.file.as_deref(), Some(file));
        assert_eq!(found.place.is_some(), names_key, "{found}");
    }
    let dir = copied("l2-invalid");
    fs::remove_file(dir.path().join("snapshot/txids.data")).unwrap();
    let report = verify_fabric(dir.path(), &Options::default()).unwrap();
    assert_eq!(report.difference.unwrap().file.as_deref(), Some("txids.data"));
}
