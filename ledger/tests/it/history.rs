//! The history of keys.

use ledger::{Config, Error, Ledger, Position};
use serde_json::Value;
use tempfile::TempDir;

use crate::chain::*;
use crate::vectors;

#[test]
fn recorded_histories_come_out_the_same() {
    let dir = TempDir::new().unwrap();
    let ledger = vectors::open(dir.path());
    vectors::replay(&ledger, "l1-simple", "org1");
    let text = std::fs::read(vectors::dir("l1-simple").join("queries.json")).unwrap();
    let queries: Value = serde_json::from_slice(&text).unwrap();
    let mut checked = 0;
    for (query, expected) in queries.as_object().unwrap() {
        let words: Vec<_> = query.split(' ').collect();
        let [namespace, "history", key] = words[..] else { continue };
        let found = ledger.history(namespace, key, None, 100).unwrap();
        let found = found.iter().map(|it| {
            serde_json::json!({
                "tx": it.tx_id,
                "v": String::from_utf8_lossy(&it.value),
                "del": it.is_delete,
                "ts": it.timestamp.unwrap().seconds,
            })
        });
        assert_eq!(Value::from(found.collect::<Vec<_>>()), *expected, "{query}");
        checked += 1;
    }
    assert!(checked > 2);
}

#[test]
fn pages_follow_each_other() {
    let dir = TempDir::new().unwrap();
    let ledger = create(dir.path());
    for number in 0..7 {
        submit(&ledger, &format!("tx{number}"), |tx| {
            tx.put_state("cc", "k", text(&number.to_string())).unwrap();
            tx.put_state("cc", "k\0", text("other")).unwrap();
            tx.put_state("cc2", "k", text("other")).unwrap();
        });
    }
    let mut before: Option<Position> = None;
    let mut values = Vec::new();
    loop {
        let page = ledger.history("cc", "k", before, 3).unwrap();
        let Some(last) = page.last() else { break };
        before = Some(last.position);
        values.extend(page.iter().map(|it| String::from_utf8_lossy(&it.value).into_owned()));
    }
    assert_eq!(values, ["6", "5", "4", "3", "2", "1", "0"]);
    assert!(ledger.history("cc", "none", None, 3).unwrap().is_empty());
}

#[test]
fn history_can_be_switched_off_and_on() {
    let dir = TempDir::new().unwrap();
    let without = Config { history: false, ..vectors::config() };
    let ledger = Ledger::open(dir.path(), "test", without).unwrap();
    vectors::replay(&ledger, "l1-simple", "org1");
    assert!(matches!(ledger.history("gz2", "same", None, 9), Err(Error::NoHistory)));
    drop(ledger);
    let ledger = vectors::open(dir.path());
    assert!(ledger.history("gz2", "same", None, 9).unwrap().len() > 2);
}
