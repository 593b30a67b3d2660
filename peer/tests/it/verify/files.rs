//! Changed files: segments of Gauze, block files of Fabric, and what is no file of either.

use std::fs;
use std::path::{Path, PathBuf};

use ledger::BlockStore;
use peer::verify::{Options, Outcome, What};

use super::{
    block_file, change_block, copied, differs, read_block, stopped, vectors, verify_fabric,
    verify_gauze, wait_until_closed,
};

fn segments(ledger: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(ledger.join("blocks/segments")).unwrap();
    let mut files: Vec<_> = files.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn flip(file: &Path, at: usize) {
    let mut bytes = fs::read(file).unwrap();
    bytes[at] ^= 1;
    fs::write(file, bytes).unwrap();
}

#[test]
fn damaged_segments() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = stopped(dir.path(), "l2-invalid");
    let files = segments(&ledger);
    assert!(files.len() > 2, "there are several segments");
    flip(&files[1], 5_000);
    let report = verify_gauze(&ledger, &Options::default()).unwrap();
    let found = differs(&report, What::File, report.blocks, None);
    let place = format!("{} at offset ", files[1].display());
    assert!(found.file.unwrap().starts_with(&place), "{:?}", report.difference);
    assert!(report.blocks > 1, "the blocks of the first segment are sound");
    // A whole segment is missing.
    flip(&files[1], 5_000);
    fs::rename(&files[1], dir.path().join("away")).unwrap();
    let report = verify_gauze(&ledger, &Options::default()).unwrap();
    let found = differs(&report, What::File, 0, None);
    assert!(found.found.contains("missing"), "{found}");
    fs::rename(dir.path().join("away"), &files[1]).unwrap();
    // The last one is: the state is of a later block.
    fs::remove_file(files.last().unwrap()).unwrap();
    let report = verify_gauze(&ledger, &Options::default()).unwrap();
    differs(&report, What::MissingBlock, report.blocks, None);
}

#[test]
fn an_interrupted_append() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = stopped(dir.path(), "l2-invalid");
    let last = segments(&ledger).pop().unwrap();
    let mut bytes = fs::read(&last).unwrap();
    bytes.extend_from_slice(&[9; 100]);
    fs::write(&last, bytes).unwrap();
    let report = verify_gauze(&ledger, &Options::default()).unwrap();
    assert!(report.is_clean(), "{report:#?}");
    assert!(report.notes[0].contains("ends with 100 bytes"), "{:?}", report.notes);
}

#[test]
fn changed_blocks_with_good_checksums() {
    let dir = tempfile::tempdir().unwrap();
    let recording = copied("l2-invalid");
    let invalid = |block: &mut proto::common::Block| {
        let mut codes = proto::block::transactions_filter(block).to_vec();
        codes[3] = 0;
        let index = proto::common::BlockMetadataIndex::TransactionsFilter;
        proto::block::set_slot(block, index, codes.into());
    };
    change_block(recording.path(), 10, invalid);
    let store = BlockStore::open(dir.path().join("blocks"), Default::default()).unwrap();
    for number in 0..30 {
        store.append(&read_block(recording.path(), number)).unwrap();
    }
    drop(store);
    let report = verify_gauze(dir.path(), &Options::default()).unwrap();
    let found = differs(&report, What::ValidationCode, 10, Some(3));
    assert_eq!((found.expected.as_str(), found.found.as_str()), ("MVCC_READ_CONFLICT", "VALID"));
    let failed = report.checks.iter().find(|check| check.outcome == Outcome::Differs);
    assert_eq!(failed.unwrap().name, "validation");
}

#[test]
fn damaged_databases_of_gauze() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = stopped(dir.path(), "l2-invalid");
    let database = ledger.join("index/db");
    let whole = fs::read(&database).unwrap();
    // Whatever becomes of it, verification says something about it and does not panic.
    for at in [0, whole.len() / 3, whole.len() / 2] {
        let mut bytes = whole.clone();
        for byte in bytes.iter_mut().skip(at).take(4096) {
            *byte = 0x5a;
        }
        fs::write(&database, bytes).unwrap();
        let report = verify_gauze(&ledger, &Options::default()).unwrap();
        assert_eq!(report.blocks, 30, "{report:#?}");
    }
    fs::write(&database, b"no database").unwrap();
    let report = verify_gauze(&ledger, &Options::default()).unwrap();
    assert_eq!(report.blocks, 30, "{report:#?}");
    // An entry that was changed behind the back of the database.
    fs::write(&database, &whole).unwrap();
    let db = sled::open(ledger.join("index")).unwrap();
    let tree = db.open_tree("state").unwrap();
    tree.insert(b"gz2\0k", &[1, 0, 0, b'v']).unwrap();
    db.flush().unwrap();
    drop((tree, db));
    wait_until_closed(&ledger);
    let report = verify_gauze(&ledger, &Options::default()).unwrap();
    let found = report.difference.unwrap();
    assert_eq!(found.what, What::Database, "{found}");
    assert!(found.found.contains("wrong checksum"), "{found}");
    assert!(!found.remedy.is_empty());
}

#[test]
fn damaged_block_files_of_fabric() {
    let bytes = fs::read(vectors("l1-simple").join("blockfile_000000")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("blockfile_000000");
    // A flipped byte anywhere is found, before or in the block it is in.
    for at in (3..bytes.len()).step_by(bytes.len() / 12) {
        let mut bytes = bytes.clone();
        bytes[at] ^= 0x10;
        fs::write(&file, &bytes).unwrap();
        let report = verify_fabric(&file, &Options::default()).unwrap();
        let unsigned = report.is_clean() && report.blocks == 52;
        assert!(!unsigned, "byte {at}: {report:#?}");
    }
    // Cut off anywhere, the rest is a prefix of the chain.
    for length in (1..bytes.len()).step_by(bytes.len() / 7) {
        fs::write(&file, &bytes[..length]).unwrap();
        let report = verify_fabric(&file, &Options { to: Some(9), ..Options::default() }).unwrap();
        assert!(report.is_clean() || report.blocks == 0, "{length}: {report:#?}");
    }
    // In front of another file, a cut is damage.
    fs::write(&file, &bytes[..bytes.len() - 9]).unwrap();
    fs::write(dir.path().join("blockfile_000001"), b"").unwrap();
    let report = verify_fabric(dir.path(), &Options::default()).unwrap();
    assert!(differs(&report, What::File, 51, None).found.contains("cut off"));
}

#[test]
fn garbage_instead_of_blocks() {
    let dir = copied("l2-invalid");
    for garbage in [&b""[..], b"\xff\xff", b"\x0a\xff\xff\xff\xff\x0f", &[0; 100]] {
        for number in [0, 4] {
            let whole = fs::read(block_file(dir.path(), number)).unwrap();
            fs::write(block_file(dir.path(), number), garbage).unwrap();
            let report = verify_fabric(dir.path(), &Options::default()).unwrap();
            let found = differs(&report, What::Form, number, None);
            assert!(found.file.unwrap().contains("block_00000"), "{report:#?}");
            fs::write(block_file(dir.path(), number), whole).unwrap();
        }
    }
    for file in ["state_org1.json", "snapshot/_snapshot_signable_metadata.json", "genesis.block"] {
        let dir = copied("l2-invalid");
        fs::write(dir.path().join(file), b"{").unwrap();
        assert!(verify_fabric(dir.path(), &Options::default()).is_err(), "{file}");
    }
}
