//! A ledger comes back from whatever a crash leaves of its folder.

use std::fs;
use std::path::Path;

use ledger::Ledger;
use tempfile::TempDir;

use crate::vectors::{self, State, assert_state, blocks, recorded_state, replay, state_of};

/// The private chain has everything: expiry, purge, missing data, invalid transactions.
const CHAIN: &str = "l4-private";

fn copy(from: &Path, to: &Path) {
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

/// Commits the next recorded block.
fn step(ledger: &Ledger) {
    let number = ledger.height();
    let block = &blocks(CHAIN)[number as usize];
    let private = vectors::private(CHAIN, "org1", number);
    ledger.commit(vectors::as_ordered(block), vectors::codes_before(block), private).unwrap();
}

#[track_caller]
fn check_end(ledger: &Ledger) {
    replay(ledger, CHAIN, "org1");
    assert_state(&state_of(&ledger.view().unwrap()), &recorded_state(CHAIN, "org1"));
}

fn state(dir: &Path) -> State {
    state_of(&vectors::open(dir).view().unwrap())
}

/// The folder is copied while the ledger is open, as a kill would leave it: nothing is flushed.
#[test]
fn a_kill_after_any_block_loses_nothing() {
    let dir = TempDir::new().unwrap();
    let ledger = vectors::open(dir.path());
    while (ledger.height() as usize) < blocks(CHAIN).len() {
        step(&ledger);
        let copied = TempDir::new().unwrap();
        copy(dir.path(), copied.path());
        let found = vectors::open(copied.path());
        assert_eq!(found.height(), ledger.height());
        let expected = state_of(&ledger.view().unwrap());
        assert_state(&state_of(&found.view().unwrap()), &expected);
        if found.height().is_multiple_of(9) {
            check_end(&found);
        }
        drop(found);
        assert_state(&state(copied.path()), &state(copied.path()));
    }
}

/// A crash between any two steps of a commit: every part may be as before the block or as after
/// it, as far as the order of the steps allows.
#[test]
fn parts_of_different_age_come_together() {
    for height in [5, 13, 29, 31, 33, 43] {
        let (before, after) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let ledger = vectors::open(before.path());
        while ledger.height() < height {
            step(&ledger);
        }
        drop(ledger);
        copy(before.path(), after.path());
        let ledger = vectors::open(after.path());
        step(&ledger);
        drop(ledger);
        for mix in 0..8 {
            let dir = TempDir::new().unwrap();
            let part = |name: &str, bit: u32| {
                let from = if mix >> bit & 1 == 1 { after.path() } else { before.path() };
                let to = dir.path().join(name);
                if from.join(name).exists() {
                    copy(&from.join(name), &to);
                }
            };
            part("blocks/segments", 0);
            part("blocks/index", 1);
            part("index", 2);
            // Private data is always on disk before its block.
            copy(&after.path().join("private"), &dir.path().join("private"));
            let ledger = vectors::open(dir.path());
            assert_eq!(ledger.height(), height + u64::from(mix as u8 & 1), "mix {mix}");
            check_end(&ledger);
        }
    }
}

#[test]
fn a_block_torn_at_any_byte_is_committed_again() {
    let dir = TempDir::new().unwrap();
    let ledger = vectors::open(dir.path());
    while ledger.height() < 6 {
        step(&ledger);
    }
    drop(ledger);
    let segments = dir.path().join("blocks/segments");
    let mut files: Vec<_> = fs::read_dir(&segments).unwrap().map(|it| it.unwrap().path()).collect();
    files.sort();
    let name = files.last().unwrap().file_name().unwrap().to_owned();
    let whole = fs::read(files.last().unwrap()).unwrap();
    let length = prost::Message::encoded_len(&blocks(CHAIN)[5]) + 24;
    // The whole record in steps, its ends byte by byte.
    let cuts = (1..length).filter(|cut| *cut < 30 || length - cut < 30 || cut % 509 == 0);
    for cut in cuts {
        let torn = TempDir::new().unwrap();
        copy(dir.path(), torn.path());
        let file = torn.path().join("blocks/segments").join(&name);
        fs::write(file, &whole[..whole.len() - cut]).unwrap();
        let ledger = vectors::open(torn.path());
        assert_eq!(ledger.height(), 5, "cut {cut}");
        step(&ledger);
        assert_eq!(ledger.height(), 6);
    }
}

#[test]
fn damage_in_the_chain_stops_the_ledger() {
    let dir = TempDir::new().unwrap();
    let ledger = vectors::open(dir.path());
    replay(&ledger, CHAIN, "org1");
    drop(ledger);
    let file = dir.path().join("blocks/segments/0000000000.segment");
    let mut bytes = fs::read(&file).unwrap();
    bytes[5000] ^= 1;
    fs::write(&file, bytes).unwrap();
    fs::remove_dir_all(dir.path().join("index")).unwrap();
    let error = Ledger::open(dir.path(), "test", vectors::config()).unwrap_err();
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    assert!(text.contains("0000000000.segment is damaged at offset"), "{text}");
}

#[test]
fn a_damaged_state_is_rebuilt() {
    let dir = TempDir::new().unwrap();
    let ledger = vectors::open(dir.path());
    replay(&ledger, CHAIN, "org1");
    drop(ledger);
    for file in ["index/db", "index/conf", "blocks/index/db"] {
        fs::write(dir.path().join(file), b"garbage").unwrap();
        assert_state(&state(dir.path()), &recorded_state(CHAIN, "org1"));
    }
}

#[test]
fn nothing_is_committed_twice_or_out_of_turn() {
    let dir = TempDir::new().unwrap();
    let ledger = vectors::open(dir.path());
    step(&ledger);
    step(&ledger);
    let chain = blocks(CHAIN);
    for number in [0, 1, 3] {
        let block = &chain[number];
        let codes = vectors::codes_before(block);
        let again = ledger.commit(vectors::as_ordered(block), codes, Default::default());
        assert!(again.is_err(), "block {number}");
    }
    check_end(&ledger);
}
