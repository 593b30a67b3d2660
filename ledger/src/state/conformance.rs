//! What every state database must do.

use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use tempfile::TempDir;

use super::*;

const LAG: usize = 8;

/// Runs a check on every implementation.
fn on_each(check: impl Fn(&dyn StateDb)) {
    check(&*memory(LAG).unwrap());
    let config = Config { view_lag_blocks_max: LAG, ..Config::default() };
    on_new_sled(&config, |db| check(&*db));
    // Every block is written at once, and hardly anything is remembered.
    let config = Config { lag_blocks_max: 1, recent_bytes_max: 1000, ..config };
    on_new_sled(&config, |db| check(&Settling(db)));
}

fn on_new_sled(config: &Config, check: impl Fn(Arc<dyn StateDb>)) {
    let dir = TempDir::new().unwrap();
    let index = dir.path().join("index");
    let db = crate::database::Database::open(&index, 8 << 20, crate::database::LEDGER).unwrap();
    check(on_sled(&db, config).unwrap());
}

/// Says after each block that it is on disk.
#[derive(Debug)]
struct Settling(Arc<dyn StateDb>);

impl StateDb for Settling {
    fn savepoint(&self) -> Result<Option<u64>, Error> {
        self.0.savepoint()
    }

    fn versions(&self, keys: &[StateKey]) -> Result<Vec<Option<Version>>, Error> {
        self.0.versions(keys)
    }

    fn apply(&self, batch: &StateBatch) -> Result<(), Error> {
        self.0.apply(batch)?;
        self.0.settle()
    }

    fn amend(&self, updates: &BTreeMap<StateKey, Option<Versioned>>) -> Result<(), Error> {
        self.0.amend(updates)
    }

    fn view(&self) -> Result<Arc<dyn StateView>, Error> {
        self.0.view()
    }

    fn clear(&self) -> Result<(), Error> {
        self.0.clear()
    }

    fn flush(&self) -> Result<(), Error> {
        self.0.flush()
    }
}

fn versioned(block: u64, text: &str) -> Versioned {
    let value = Bytes::copy_from_slice(text.as_bytes());
    Versioned { value, metadata: Bytes::new(), version: Version::new(block, 0) }
}

fn batch(block: u64, updates: &[(&str, Option<&str>)]) -> StateBatch {
    let updates = updates.iter().map(|(key, value)| {
        (StateKey::public("cc", key), value.map(|value| versioned(block, value)))
    });
    StateBatch { block, previous: block.checked_sub(1), updates: updates.collect() }
}

fn value(view: &Arc<dyn StateView>, key: &str) -> Option<String> {
    let entry = view.get(&StateKey::public("cc", key)).unwrap()?;
    Some(String::from_utf8(entry.value.to_vec()).unwrap())
}

fn keys(view: &Arc<dyn StateView>, start: &str, end: &str) -> Vec<String> {
    Range::new(view.clone(), "cc", start, end).map(|entry| entry.unwrap().0).collect()
}

#[test]
fn batches_are_applied_in_order_and_once() {
    on_each(|db| {
        assert_eq!(db.savepoint().unwrap(), None);
        assert!(matches!(db.apply(&batch(1, &[])), Err(Error::Conflict { .. })));
        db.apply(&batch(0, &[("a", Some("1"))])).unwrap();
        db.apply(&batch(1, &[("a", None), ("b", Some("2"))])).unwrap();
        db.apply(&batch(0, &[("a", Some("again"))])).unwrap();
        assert_eq!(db.savepoint().unwrap(), Some(1));
        let gap = StateBatch { block: 3, previous: Some(2), ..StateBatch::default() };
        assert!(matches!(db.apply(&gap), Err(Error::Conflict { found: Some(1), .. })));
        let keys = [StateKey::public("cc", "a"), StateKey::public("cc", "b")];
        assert_eq!(db.versions(&keys).unwrap(), [None, Some(Version::new(1, 0))]);
        db.clear().unwrap();
        assert_eq!(db.savepoint().unwrap(), None);
        assert_eq!(db.view().unwrap().savepoint(), None);
        db.apply(&batch(0, &[])).unwrap();
        assert_eq!(keys_of(&db.view().unwrap()), Vec::<String>::new());
    });
}

fn keys_of(view: &Arc<dyn StateView>) -> Vec<String> {
    keys(view, "", "")
}

#[test]
fn all_parts_of_an_entry_are_kept() {
    on_each(|db| {
        let entry = Versioned {
            value: Bytes::from(vec![7; 100_000]),
            metadata: Bytes::from_static(b"\0meta"),
            version: Version::new(0, 300),
        };
        let empty = Versioned { value: Bytes::new(), metadata: Bytes::new(), ..entry.clone() };
        let (long, short) = (StateKey::public("", "\0k"), StateKey::hashed("n", "c", &[0; 32]));
        let updates = [(long.clone(), Some(entry.clone())), (short.clone(), Some(empty.clone()))];
        let updates = updates.into_iter().collect();
        db.apply(&StateBatch { block: 0, previous: None, updates }).unwrap();
        let found = db.view().unwrap().get_many(&[short, long]).unwrap();
        assert_eq!(found, [Some(empty), Some(entry)]);
    });
}

#[test]
fn ranges_are_in_byte_order_and_half_open() {
    on_each(|db| {
        let all = ["", "\0a\0", "a", "a\0", "b", "ä", "\u{10ffff}"];
        db.apply(&batch(0, &all.map(|key| (key, Some("v"))))).unwrap();
        let other = StateKey::public("cc2", "a");
        let updates = [(other, Some(versioned(1, "v")))].into_iter().collect();
        db.apply(&StateBatch { block: 1, previous: Some(0), updates }).unwrap();
        let view = db.view().unwrap();
        assert_eq!(keys(&view, "", ""), all);
        assert_eq!(keys(&view, "a", "b"), ["a", "a\0"]);
        assert_eq!(keys(&view, "b", "a"), Vec::<String>::new());
        assert_eq!(keys(&view, "\u{1}", ""), &all[2..]);
    });
}

#[test]
fn views_do_not_see_later_blocks() {
    on_each(|db| {
        let empty = db.view().unwrap();
        db.apply(&batch(0, &[("a", Some("1")), ("c", Some("1"))])).unwrap();
        let first = db.view().unwrap();
        db.apply(&batch(1, &[("a", Some("2")), ("b", Some("2")), ("c", None)])).unwrap();
        db.apply(&batch(2, &[("a", None), ("c", Some("3"))])).unwrap();
        let last = db.view().unwrap();
        assert_eq!(keys_of(&empty), Vec::<String>::new());
        assert_eq!(keys_of(&first), ["a", "c"]);
        assert_eq!(keys_of(&last), ["b", "c"]);
        assert_eq!(value(&first, "a").as_deref(), Some("1"));
        assert_eq!(value(&first, "c").as_deref(), Some("1"));
        assert_eq!(value(&last, "c").as_deref(), Some("3"));
        assert_eq!((empty.savepoint(), first.savepoint()), (None, Some(0)));
    });
}

#[test]
fn a_view_that_is_too_old_is_cut_off() {
    on_each(|db| {
        db.apply(&batch(0, &[("a", Some("old"))])).unwrap();
        let old = db.view().unwrap();
        for block in 1..=LAG as u64 * 2 {
            db.apply(&batch(block, &[("a", Some("new"))])).unwrap();
        }
        assert!(matches!(old.get(&StateKey::public("cc", "a")), Err(Error::ViewExpired)));
        let start = StateKey::public("cc", "");
        let range = old.range(&start, &StateKey::end_of("cc"), 10);
        assert!(matches!(range, Err(Error::ViewExpired)));
        assert_eq!(value(&db.view().unwrap(), "a").as_deref(), Some("new"));
    });
}

/// Readers on threads of their own, while blocks are applied: each block writes one number to all
/// keys, and no view may ever see two numbers.
#[test]
fn a_view_never_shows_half_a_block() {
    on_each(|db| {
        let all: Vec<String> = (0..60).map(|key| format!("k{key:02}")).collect();
        let write = |block: u64| {
            let text = block.to_string();
            let updates: Vec<_> =
                all.iter().map(|key| (key.as_str(), Some(text.as_str()))).collect();
            db.apply(&batch(block, &updates)).unwrap();
        };
        write(0);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while db.savepoint().unwrap() < Some(150) {
                        check_uniform(&db.view().unwrap(), &all);
                    }
                });
            }
            (1..=150).for_each(write);
        });
    });
}

fn check_uniform(view: &Arc<dyn StateView>, all: &[String]) {
    let expected = view.savepoint().unwrap().to_string();
    match Range::new(view.clone(), "cc", "", "").collect::<Result<Vec<_>, _>>() {
        Err(Error::ViewExpired) => return,
        entries => {
            let entries = entries.unwrap();
            assert_eq!(entries.len(), all.len());
            assert!(entries.iter().all(|(_, entry)| entry.value == expected.as_bytes()));
        }
    }
    for key in all {
        match view.get(&StateKey::public("cc", key)) {
            Err(Error::ViewExpired) => return,
            entry => assert_eq!(entry.unwrap().unwrap().value, expected.as_bytes()),
        }
    }
}

/// Random blocks against maps, one map for each block's view.
#[test]
fn views_equal_a_model() {
    let update = (0u8..12, proptest::option::of(0u8..200));
    let blocks = proptest::collection::vec(proptest::collection::vec(update, 0..6), 1..LAG);
    let mut runner = TestRunner::new(ProptestConfig { cases: 24, ..ProptestConfig::default() });
    runner
        .run(&blocks, |blocks| {
            on_each(|db| {
                let mut model = std::collections::BTreeMap::new();
                let mut views = Vec::new();
                for (block, updates) in (0..).zip(&blocks) {
                    let mut applied = batch(block, &[]);
                    for (key, value) in updates {
                        let key = format!("k{key}");
                        let entry = value.map(|value| versioned(block, &value.to_string()));
                        applied.updates.insert(StateKey::public("cc", &key), entry.clone());
                        match entry {
                            Some(entry) => model.insert(key, entry),
                            None => model.remove(&key),
                        };
                    }
                    db.apply(&applied).unwrap();
                    views.push((db.view().unwrap(), model.clone()));
                }
                for (view, model) in views {
                    let found = Range::new(view, "cc", "", "").map(Result::unwrap);
                    assert!(found.eq(model), "a view differs");
                }
            });
            Ok(())
        })
        .unwrap();
}
