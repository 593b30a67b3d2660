//! Verification: recorded ledgers are clean, and every change of one is found where it is.

mod blocks;
mod clean;
mod files;
mod forger;
mod state;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use peer::verify::{Difference, Error, Options, Report, What, fabric, gauze, verify};
use prost::Message;
use proto::common::Block;
use tempfile::TempDir;

use crate::replay::replayed;

/// The folder of a recorded ledger.
fn vectors(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../ledger/tests/vectors")).join(name)
}

/// A copy of a recorded ledger that can be changed.
fn copied(name: &str) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    copy(&vectors(name), dir.path());
    dir
}

/// Copies a folder with everything below it.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Verifies the one ledger a Fabric peer has at `path`.
fn verify_fabric(path: &Path, options: &Options) -> Result<Report, Error> {
    let scratch = tempfile::tempdir().unwrap();
    let found = fabric::find(path)?;
    assert_eq!(found.len(), 1, "{found:?}");
    let subject = fabric::open(&found[0], &scratch.path().join("copy"))?;
    verify(subject, options, &scratch.path().join("replay"), &|_| {})
}

/// Verifies the ledger of a stopped peer of Gauze in `dir`, which must stay as it is.
fn verify_gauze(dir: &Path, options: &Options) -> Result<Report, Error> {
    let before = content(dir);
    let report = verify_in_use(dir, options)?;
    assert_eq!(content(dir), before, "verification writes nothing");
    Ok(report)
}

/// Verifies the ledger of a peer of Gauze in `dir`, which the peer may be changing.
fn verify_in_use(dir: &Path, options: &Options) -> Result<Report, Error> {
    let scratch = tempfile::tempdir().unwrap();
    let subject = gauze::open(dir, &scratch.path().join("copy"))?;
    let last = Mutex::new(0);
    let progress = |done| *last.lock().unwrap() = done;
    let report = verify(subject, options, &scratch.path().join("replay"), &progress)?;
    assert_eq!(*last.lock().unwrap(), report.blocks);
    Ok(report)
}

/// The ledger of a peer of Gauze that committed a recording and was stopped: a folder in `dir`.
fn stopped(dir: &Path, name: &str) -> PathBuf {
    let id = replayed(dir, name, "org1", "Org1MSP").id().to_owned();
    let ledger = dir.join(id);
    wait_until_closed(&ledger);
    ledger
}

/// The database gives its locks back from a thread of its own.
fn wait_until_closed(ledger: &Path) {
    for database in ["index/db", "blocks/index/db"] {
        fs::File::open(ledger.join(database)).unwrap().lock_shared().unwrap();
    }
}

/// Every file below a folder with a hash of its content.
fn content(dir: &Path) -> Vec<(PathBuf, [u8; 32])> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        match entry.file_type().unwrap().is_dir() {
            true => found.extend(content(&entry.path())),
            false => found.push((entry.path(), proto::sha256(&fs::read(entry.path()).unwrap()))),
        }
    }
    found.sort();
    found
}

/// The difference a report must tell, at this block and transaction.
#[track_caller]
fn differs(report: &Report, what: What, block: u64, transaction: Option<u64>) -> Difference {
    let found = report.difference.clone().unwrap_or_else(|| panic!("no difference: {report:#?}"));
    assert_eq!(found.what, what, "{found}");
    assert_eq!(found.block, Some(block), "{found}");
    let index = found.transaction.as_ref().map(|transaction| transaction.index);
    assert_eq!(index, transaction, "{found}");
    assert!(!found.remedy.is_empty(), "{found}");
    found
}

/// Where a block is in a recording.
fn block_file(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("blocks/block_{number:06}.pb"))
}

fn read_block(dir: &Path, number: u64) -> Block {
    proto::block::parse(fs::read(block_file(dir, number)).unwrap().into()).unwrap()
}

/// Changes a block of a recording.
fn change_block(dir: &Path, number: u64, change: impl FnOnce(&mut Block)) {
    let mut block = read_block(dir, number);
    change(&mut block);
    fs::write(block_file(dir, number), block.encode_to_vec()).unwrap();
}
