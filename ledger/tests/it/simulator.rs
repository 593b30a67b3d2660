//! What a simulation records and refuses.

use bytes::Bytes;
use ledger::rwset::TxRwSet;
use ledger::simulator::Error;
use ledger::{Config, Ledger, Simulation};
use proto::kvrwset::RangeQueryInfo;
use proto::kvrwset::range_query_info::ReadsInfo;
use tempfile::TempDir;

use crate::chain::*;
use crate::vectors;

/// A ledger with keys k000, k001 … in `cc`.
fn with_keys(dir: &TempDir, count: usize) -> Ledger {
    let ledger = create(dir.path());
    submit(&ledger, "keys", |tx| {
        for number in 0..count {
            tx.put_state("cc", &format!("k{number:03}"), text("v")).unwrap();
        }
    });
    ledger
}

fn query_of(simulation: &Simulation) -> RangeQueryInfo {
    let set = TxRwSet::decode(simulation.public.clone()).unwrap();
    set.namespaces[0].public.range_queries_info[0].clone()
}

fn reads_of(info: &RangeQueryInfo) -> usize {
    match &info.reads_info {
        None => 0,
        Some(ReadsInfo::RawReads(reads)) => reads.kv_reads.len(),
        Some(ReadsInfo::ReadsMerkleHashes(_)) => usize::MAX,
    }
}

/// Takes `taken` of `count` keys and compares how far the query was recorded.
#[track_caller]
fn check_prefetch(count: usize, taken: usize, expected_end: &str, expected_exhausted: bool) {
    let dir = TempDir::new().unwrap();
    let ledger = with_keys(&dir, count);
    let mut tx = ledger.simulator("tx").unwrap();
    let query = tx.range("cc", "k", "l").unwrap();
    for number in 0..taken {
        assert_eq!(tx.next(query).unwrap().unwrap().key, format!("k{number:03}"));
    }
    tx.close(query);
    assert!(matches!(tx.next(query), Err(Error::UnknownQuery(_))));
    let info = query_of(&tx.finish().unwrap());
    assert_eq!((info.end_key.as_str(), info.itr_exhausted), (expected_end, expected_exhausted));
}

#[test]
fn queries_are_read_ahead_in_batches() {
    check_prefetch(0, 0, "l", true);
    check_prefetch(100, 0, "l", true);
    check_prefetch(101, 0, "k100", false);
    check_prefetch(250, 99, "k100", false);
    check_prefetch(250, 100, "k200", false);
    check_prefetch(250, 199, "k200", false);
    check_prefetch(250, 200, "l", true);
    check_prefetch(250, 250, "l", true);
}

#[test]
fn batches_are_handed_out_as_they_were_pulled() {
    let dir = TempDir::new().unwrap();
    let ledger = with_keys(&dir, 230);
    let mut tx = ledger.simulator("tx").unwrap();
    let query = tx.range("cc", "", "").unwrap();
    let mut next = || tx.next_batch(query).map(|(batch, more)| (batch.len(), more)).unwrap();
    assert_eq!(
        [next(), next(), next(), next()],
        [(100, true), (100, true), (30, false), (0, false)]
    );
    let info = query_of(&tx.finish().unwrap());
    assert_eq!((info.end_key.as_str(), info.itr_exhausted), ("", true));
}

#[test]
fn long_queries_end_at_the_limit() {
    let dir = TempDir::new().unwrap();
    drop(with_keys(&dir, 30));
    let config = Config { query_results_max: 20, ..vectors::config() };
    let ledger = Ledger::open(dir.path(), "test", config).unwrap();
    let mut tx = ledger.simulator("tx").unwrap();
    let query = tx.range("cc", "", "").unwrap();
    assert_eq!(tx.next_batch(query).unwrap().0.len(), 20);
    assert_eq!(tx.next(query).unwrap(), None);
    assert_eq!(tx.range_page("cc", "", "", 1000, "").unwrap().results.len(), 20);
    let info = query_of(&tx.finish().unwrap());
    assert_eq!((info.end_key.as_str(), info.itr_exhausted), ("k019", false));
}

#[test]
fn pages_record_what_they_show() {
    let dir = TempDir::new().unwrap();
    let ledger = with_keys(&dir, 25);
    let page = |bookmark: &str| {
        let mut tx = ledger.simulator("tx").unwrap();
        let page = tx.range_page("cc", "k", "l", 10, bookmark).unwrap();
        (page, query_of(&tx.finish().unwrap()))
    };
    let (first, info) = page("");
    assert_eq!((first.results.len(), first.bookmark.as_str()), (10, "k010"));
    assert_eq!((info.end_key.as_str(), info.itr_exhausted, reads_of(&info)), ("k009", false, 10));
    let (second, _) = page(&first.bookmark);
    assert_eq!((second.results[0].key.as_str(), second.bookmark.as_str()), ("k010", "k020"));
    let (last, info) = page(&second.bookmark);
    assert_eq!((last.results.len(), last.bookmark.as_str()), (5, ""));
    assert_eq!((info.start_key.as_str(), info.end_key.as_str()), ("k020", "l"));
    assert!(info.itr_exhausted);
}

#[test]
fn equal_queries_are_recorded_once() {
    let dir = TempDir::new().unwrap();
    let ledger = with_keys(&dir, 3);
    let mut tx = ledger.simulator("tx").unwrap();
    for end in ["z", "y", "z"] {
        tx.range("cc", "a", end).unwrap();
    }
    let set = TxRwSet::decode(tx.finish().unwrap().public).unwrap();
    let ends: Vec<_> =
        set.namespaces[0].public.range_queries_info.iter().map(|it| it.end_key.as_str()).collect();
    assert_eq!(ends, ["z", "y"]);
}

#[test]
fn unchecked_queries_and_writes_exclude_each_other() {
    let dir = TempDir::new().unwrap();
    let ledger = create(dir.path());
    let new = || ledger.simulator("tx").unwrap();
    let mut tx = new();
    tx.private_range("cc", "c", "", "").unwrap();
    assert!(matches!(tx.put_state("cc", "k", text("v")), Err(Error::PrivateQueryAndWrite(_))));
    assert!(tx.put_private("cc", "c", "k", text("v")).is_err());
    assert!(tx.set_private_metadata("cc", "c", "k", "n", text("v")).is_err());
    let mut tx = new();
    tx.range_page("cc", "", "", 1, "").unwrap();
    assert!(matches!(tx.del_state("cc", "k"), Err(Error::PageAndWrite(_))));
    let mut tx = new();
    tx.put_private("cc", "c", "k", text("v")).unwrap();
    assert!(matches!(tx.range_page("cc", "", "", 1, ""), Err(Error::PageAndWrite(_))));
    assert!(matches!(tx.private_range("cc", "c", "", ""), Err(Error::PrivateQueryAndWrite(_))));
    assert!(tx.range("cc", "", "").is_ok());
}

#[test]
fn own_writes_are_not_read_and_later_blocks_not_seen() {
    let dir = TempDir::new().unwrap();
    let ledger = with_keys(&dir, 2);
    let mut tx = ledger.simulator("tx").unwrap();
    tx.put_state("cc", "k000", text("mine")).unwrap();
    submit(&ledger, "other", |other| other.put_state("cc", "k000", text("other")).unwrap());
    assert_eq!(tx.get_state("cc", "k000").unwrap(), Some(text("v")));
    assert_eq!(commit_one(&ledger, "tx", tx.finish().unwrap()).codes, [MvccReadConflict]);
}

#[test]
fn an_empty_value_deletes() {
    let dir = TempDir::new().unwrap();
    let ledger = with_keys(&dir, 2);
    submit(&ledger, "tx", |tx| {
        tx.put_state("cc", "k000", Bytes::new()).unwrap();
        tx.put_state("cc", "new", text("x")).unwrap();
        tx.del_state("cc", "new").unwrap();
    });
    assert_eq!(entry(&ledger, "k000"), None);
    assert_eq!(entry(&ledger, "new"), None);
}

#[test]
fn key_policies_of_written_keys_are_reported() {
    let dir = TempDir::new().unwrap();
    let ledger = with_keys(&dir, 2);
    submit(&ledger, "policy", |tx| {
        tx.set_state_metadata("cc", "k000", "VALIDATION_PARAMETER", text("p")).unwrap();
    });
    let mut tx = ledger.simulator("tx").unwrap();
    tx.put_state("cc", "k000", text("v")).unwrap();
    tx.put_state("cc", "k001", text("v")).unwrap();
    tx.get_private_hash("cc", "c", "k").unwrap();
    assert!(tx.get_state_metadata("cc2", "k").unwrap().is_empty());
    let used = tx.finish().unwrap().used;
    let writes = &used["cc"].public.writes;
    assert_eq!(
        (writes.get(&text("k000")[..]), used["cc"].public.reads),
        (Some(&Some(text("p"))), false)
    );
    assert_eq!(writes.get(&text("k001")[..]), Some(&None));
    assert!(used["cc"].collections["c"].reads && used["cc"].collections["c"].writes.is_empty());
    assert!(used["cc2"].public.reads);
}
