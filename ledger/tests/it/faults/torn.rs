//! Appends that a crash interrupted, at every byte.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::answers::{self, compare, expect};
use super::open;
use super::script::{BLOCKS, Script};

pub(super) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).unwrap()),
        }
    }
}

/// The files below a folder, in a fixed order.
pub(super) fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push(path),
        }
    }
    found.sort();
    found
}

/// A ledger on which a script has run, and its answers.
pub(super) fn finished(script: &Script, dir: &Path) -> Vec<(String, String)> {
    let ledger = open(&dir.join("ledger")).unwrap();
    script.run(&ledger, &dir.join("snapshots")).unwrap();
    let mut truth = expect(answers::all(&ledger, script));
    drop(ledger);
    truth.extend(expect(answers::of_files(&dir.join("ledger"), &dir.join("snapshots"))));
    truth
}

/// Tears the newest record of a log at the byte offsets that `select` takes; the block store then
/// has one block less or none less, and the ledger comes to the same end.
fn tear(log: &str, select: impl Fn(u64, u64) -> bool) {
    let script = Script::new();
    let dir = TempDir::new().unwrap();
    let truth = finished(&script, dir.path());
    let newest = files(&dir.path().join("ledger").join(log)).pop().unwrap();
    let name = newest.strip_prefix(dir.path()).unwrap().to_owned();
    let whole = fs::read(&newest).unwrap();
    let last = last_record(&whole);
    let end = whole.len() as u64;
    for length in (last..end).filter(|at| select(at - last, end - last)) {
        let torn = TempDir::new().unwrap();
        copy(dir.path(), torn.path());
        fs::write(torn.path().join(&name), &whole[..length as usize]).unwrap();
        let ledger = open(&torn.path().join("ledger")).unwrap();
        let less = u64::from(log.starts_with("blocks"));
        assert_eq!(ledger.height(), BLOCKS - less, "{log} cut at {length}");
        script.run(&ledger, &torn.path().join("snapshots")).unwrap();
        script.reconcile(&ledger).unwrap();
        let mut found = expect(answers::all(&ledger, &script));
        drop(ledger);
        let (at, snapshots) = (torn.path().join("ledger"), torn.path().join("snapshots"));
        found.extend(expect(answers::of_files(&at, &snapshots)));
        compare(&found, &truth, &format!("{log} cut at {length}"));
    }
}

/// Where the last record of a segment begins: lengths stand at the beginning of each header.
fn last_record(segment: &[u8]) -> u64 {
    let (mut at, mut last) = (16, 16);
    while at < segment.len() {
        last = at;
        let length: [u8; 4] = segment[at..at + 4].try_into().unwrap();
        at += 24 + u32::from_le_bytes(length) as usize;
    }
    last as u64
}

/// The ends byte by byte, the middle in steps.
fn some(at: u64, length: u64) -> bool {
    at < 26 || length - at < 3 || at.is_multiple_of(97)
}

#[test]
fn a_torn_block_costs_that_block() {
    tear("blocks/segments", some);
}

#[test]
fn torn_private_data_is_missing_and_comes_back() {
    tear("private", some);
}

#[test]
#[ignore = "long: every byte"]
fn long_tears_at_every_byte() {
    tear("blocks/segments", |_, _| true);
    tear("private", |_, _| true);
}
