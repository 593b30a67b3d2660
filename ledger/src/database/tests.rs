use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::*;

const CACHE: u64 = 1 << 20;
const SPECS: &[Spec] = &[STATE, HISTORY, TRANSIENT];

fn open(dir: &Path) -> Database {
    Database::open(dir, CACHE, SPECS).unwrap()
}

fn filled(dir: &Path, entries: u32) {
    let tree = open(dir).tree(&STATE).unwrap();
    for number in 0..entries {
        tree.insert(&number.to_be_bytes(), number.to_le_bytes()).unwrap();
    }
    tree.remove(&1u32.to_be_bytes()).unwrap();
    tree.insert(&2u32.to_be_bytes(), b"again").unwrap();
}

fn count(tree: &Tree) -> usize {
    tree.iter().filter(|entry| entry.is_ok()).count()
}

#[test]
fn entries_come_back_and_the_tally_is_not_one_of_them() {
    let dir = TempDir::new().unwrap();
    let at = dir.path().join("index");
    filled(&at, 100);
    let tree = open(&at).tree(&STATE).unwrap();
    assert_eq!(count(&tree), 99);
    assert_eq!(tree.get(2u32.to_be_bytes()).unwrap().unwrap(), b"again");
    assert_eq!(tree.get(1u32.to_be_bytes()).unwrap(), None);
    let newest = tree.iter().next_back().unwrap().unwrap();
    assert_eq!(newest.0, 99u32.to_be_bytes());
    assert_eq!(tree.range::<&[u8]>(..).keys().count(), 99);
    tree.clear().unwrap();
    assert!(tree.is_empty());
    tree.insert(b"k", b"v").unwrap();
    drop(tree);
    assert_eq!(count(&open(&at).tree(&STATE).unwrap()), 1);
}

/// Entries change behind the back of the tally, as if sled had lost or mixed them up.
#[test]
fn what_the_tally_does_not_agree_with_is_begun_again() {
    let changes: [fn(&sled::Tree); 5] = [
        |tree| drop(tree.remove(7u32.to_be_bytes()).unwrap()),
        |tree| drop(tree.insert(7u32.to_be_bytes(), b"longer than a checksum").unwrap()),
        |tree| {
            let other = tree.get(8u32.to_be_bytes()).unwrap().unwrap();
            drop(tree.insert(7u32.to_be_bytes(), other).unwrap());
        },
        |tree| drop(tree.remove(tally::KEY).unwrap()),
        |tree| drop(tree.insert(tally::KEY, b"12345678").unwrap()),
    ];
    for change in changes {
        let dir = TempDir::new().unwrap();
        let at = dir.path().join("index");
        filled(&at, 20);
        let db = sled::open(&at).unwrap();
        change(&db.open_tree("state").unwrap());
        drop(db);
        assert!(open(&at).tree(&STATE).unwrap().is_empty());
        assert!(!dir.path().join("index.removed").exists());
    }
}

#[test]
fn a_tree_may_not_be_older_than_the_others() {
    let dir = TempDir::new().unwrap();
    let at = dir.path().join("index");
    let db = open(&at);
    let (state, history) = (db.tree(&STATE).unwrap(), db.tree(&HISTORY).unwrap());
    state.insert(b"a", b"1").unwrap();
    let before = sled_entries(&at, state, history, db);
    let db = open(&at);
    let (state, history) = (db.tree(&STATE).unwrap(), db.tree(&HISTORY).unwrap());
    state.insert(b"a", b"2").unwrap();
    history.insert(b"b", b"1").unwrap();
    drop((db, state, history));
    let db = sled::open(&at).unwrap();
    let tree = db.open_tree("state").unwrap();
    for (key, value) in before {
        tree.insert(key, value).unwrap();
    }
    drop((db, tree));
    let db = open(&at);
    assert!(db.tree(&STATE).unwrap().is_empty());
    assert!(db.tree(&HISTORY).unwrap().is_empty());
}

/// The state as sled has it, with its tally. The database is closed.
fn sled_entries(
    at: &Path,
    state: Tree,
    history: Tree,
    db: Database,
) -> Vec<(sled::IVec, sled::IVec)> {
    drop((state, history, db));
    drop(open(at));
    let db = sled::open(at).unwrap();
    db.open_tree("state").unwrap().iter().map(Result::unwrap).collect()
}

#[test]
fn a_clear_that_was_interrupted_is_finished() {
    let dir = TempDir::new().unwrap();
    let at = dir.path().join("index");
    filled(&at, 20);
    open(&at).tree(&HISTORY).unwrap().insert(b"kept", b"1").unwrap();
    let db = sled::open(&at).unwrap();
    let tree = db.open_tree("state").unwrap();
    let stored = tree.get(tally::KEY).unwrap().unwrap();
    let clearing = tally::Tally::from_sealed(&stored).unwrap().clearing();
    tree.insert(tally::KEY, clearing.to_sealed()).unwrap();
    tree.remove(7u32.to_be_bytes()).unwrap();
    drop((db, tree));
    let db = open(&at);
    assert!(db.tree(&STATE).unwrap().is_empty());
    assert_eq!(count(&db.tree(&HISTORY).unwrap()), 1);
}

#[test]
fn damage_met_later_is_an_error_and_leads_to_a_new_start() {
    let dir = TempDir::new().unwrap();
    let at = dir.path().join("index");
    filled(&at, 20);
    let tree = open(&at).tree(&STATE).unwrap();
    let shared = Shared { dir: at.clone(), damaged: false.into(), batches: vec![] };
    let panicked = shared.call("read", || -> Result<(), sled::Error> { panic!("page {}", 7) });
    let text = panicked.unwrap_err().to_string();
    assert!(text.contains("page 7") && text.contains("restart the node"), "{text}");
    assert!(at.join(DAMAGED).exists());
    drop(tree);
    assert!(open(&at).tree(&STATE).unwrap().is_empty());
    assert!(!at.join(DAMAGED).exists());
}

#[test]
fn no_database_at_all_is_begun_again() {
    let dir = TempDir::new().unwrap();
    let at = dir.path().join("index");
    filled(&at, 20);
    for file in ["db", "conf"] {
        fs::write(at.join(file), b"no database at all").unwrap();
        assert!(open(&at).tree(&STATE).unwrap().is_empty());
    }
}

#[test]
#[allow(clippy::print_stdout, reason = "it says how long it took")]
#[ignore = "long: how long the check of a large database takes"]
fn long_opening_a_million_entries() {
    let dir = TempDir::new().unwrap();
    let at = dir.path().join("index");
    let cache = 128 << 20;
    let tree = Database::open(&at, cache, SPECS).unwrap().tree(&STATE).unwrap();
    let begun = std::time::Instant::now();
    for block in 0..1000u64 {
        let mut batch = Batch::default();
        for number in 0..1000u64 {
            let key = proto::sha256(&(block * 1000 + number).to_be_bytes());
            batch.insert(&key[..], vec![block as u8; 100]);
        }
        tree.apply_batch(batch).unwrap();
    }
    tree.flush().unwrap();
    println!("written in {:?}", begun.elapsed());
    drop(tree);
    let begun = std::time::Instant::now();
    let tree = Database::open(&at, cache, SPECS).unwrap().tree(&STATE).unwrap();
    println!("opened in {:?}", begun.elapsed());
    drop(tree);
    let begun = std::time::Instant::now();
    drop(sled::Config::new().path(&at).cache_capacity(cache).open().unwrap());
    println!("opened by sled alone in {:?}", begun.elapsed());
}
