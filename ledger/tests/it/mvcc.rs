//! Which transactions of a block hold, and what they change.

use ledger::Ledger;
use proto::kvrwset::range_query_info::ReadsInfo;
use proto::kvrwset::{
    HashedRwSet, KvReadHash, KvWriteHash, KvrwSet, QueryReads, QueryReadsMerkleSummary,
    RangeQueryInfo,
};
use proto::transaction::TxValidationCode;
use tempfile::TempDir;

use crate::chain::*;

/// A ledger in which block 1 wrote `a`, `b`, `c`.
fn abc(dir: &TempDir) -> Ledger {
    let ledger = create(dir.path());
    let writes = ["a", "b", "c"].map(|key| write(key, "1")).into();
    commit(&ledger, vec![tx("abc", results(&KvrwSet { writes, ..Default::default() }))]);
    ledger
}

/// Commits the sets as one block on [`abc`] and compares the codes.
#[track_caller]
fn check(sets: &[KvrwSet], expected: &[TxValidationCode]) -> (Ledger, TempDir) {
    let dir = TempDir::new().unwrap();
    let ledger = abc(&dir);
    let txs = sets.iter().enumerate().map(|(at, set)| tx(&format!("tx{at}"), results(set)));
    let committed = commit(&ledger, txs.collect());
    assert_eq!(committed.codes, expected);
    (ledger, dir)
}

fn reads(key: &str, version: Option<(u64, u64)>) -> KvrwSet {
    KvrwSet { reads: vec![read(key, version)], ..Default::default() }
}

fn writes(key: &str, value: &str) -> KvrwSet {
    KvrwSet { writes: vec![write(key, value)], ..Default::default() }
}

fn policy(key: &str, value: &str) -> KvrwSet {
    KvrwSet { metadata_writes: vec![metadata(key, value)], ..Default::default() }
}

fn both(first: KvrwSet, second: KvrwSet) -> KvrwSet {
    KvrwSet {
        reads: [first.reads, second.reads].concat(),
        range_queries_info: [first.range_queries_info, second.range_queries_info].concat(),
        writes: [first.writes, second.writes].concat(),
        metadata_writes: [first.metadata_writes, second.metadata_writes].concat(),
    }
}

fn query(start: &str, end: &str, exhausted: bool, found: &[(&str, (u64, u64))]) -> KvrwSet {
    let kv_reads: Vec<_> = found.iter().map(|(key, version)| read(key, Some(*version))).collect();
    let reads_info = (!kv_reads.is_empty()).then_some(ReadsInfo::RawReads(QueryReads { kv_reads }));
    let (start_key, end_key) = (start.into(), end.into());
    let info = RangeQueryInfo { start_key, end_key, itr_exhausted: exhausted, reads_info };
    KvrwSet { range_queries_info: vec![info], ..Default::default() }
}

#[test]
fn reads_must_be_of_the_committed_version() {
    check(&[reads("a", Some((1, 0)))], &[Valid]);
    check(&[reads("a", Some((1, 1)))], &[MvccReadConflict]);
    check(&[reads("a", None)], &[MvccReadConflict]);
    check(&[reads("x", None)], &[Valid]);
    check(&[reads("x", Some((0, 0)))], &[MvccReadConflict]);
}

#[test]
fn keys_changed_earlier_in_the_block_cannot_be_read() {
    let read_a = reads("a", Some((1, 0)));
    check(&[writes("a", "2"), read_a.clone()], &[Valid, MvccReadConflict]);
    check(&[writes("a", ""), read_a.clone()], &[Valid, MvccReadConflict]);
    check(&[read_a.clone(), writes("a", "2"), writes("a", "3")], &[Valid; 3]);
    // What an invalid transaction would have written does not count.
    let failing = both(reads("b", None), writes("a", "2"));
    check(&[failing, read_a], &[MvccReadConflict, Valid]);
    check(&[writes("x", "1"), reads("x", None)], &[Valid, MvccReadConflict]);
}

#[test]
fn a_range_must_find_the_same() {
    let (a, b, c) = (("a", (1, 0)), ("b", (1, 0)), ("c", (1, 0)));
    check(&[query("a", "c", true, &[a, b])], &[Valid]);
    check(&[query("", "", true, &[a, b, c])], &[Valid]);
    check(&[query("a", "c", true, &[a])], &[PhantomReadConflict]);
    check(&[query("a", "c", true, &[a, b, c])], &[PhantomReadConflict]);
    check(&[query("a", "c", true, &[a, ("b", (1, 1))])], &[PhantomReadConflict]);
    // Not exhausted: the end is the last key read, and was read.
    check(&[query("a", "b", false, &[a, b])], &[Valid]);
    check(&[query("a", "b", true, &[a, b])], &[PhantomReadConflict]);
    // Without results there must be none.
    check(&[query("d", "", true, &[])], &[Valid]);
    check(&[query("c", "", true, &[])], &[PhantomReadConflict]);
    check(&[query("c", "a", true, &[])], &[Valid]);
    check(&[query("d", "", false, &[])], &[Valid]);
    // A forged end before the start is looked for nevertheless.
    check(&[query("c", "a", false, &[a])], &[Valid]);
    check(&[query("c", "a", false, &[])], &[PhantomReadConflict]);
    check(&[query("c", "x", false, &[c])], &[Valid]);
}

#[test]
fn a_range_sees_the_block_so_far() {
    let (a, b, c) = (("a", (1, 0)), ("b", (1, 0)), ("c", (1, 0)));
    let all = query("a", "", true, &[a, b, c]);
    let phantom = [Valid, PhantomReadConflict];
    check(&[writes("b2", "1"), all.clone()], &phantom);
    check(&[writes("b", ""), all.clone()], &phantom);
    check(&[writes("b", "2"), all.clone()], &phantom);
    check(&[writes("z", "2"), all.clone()], &phantom);
    check(&[writes("A", "2"), all.clone()], &[Valid, Valid]);
    check(&[writes("x", ""), all], &[Valid, Valid]);
    // Someone who foresees the block may even be right.
    check(&[writes("b", ""), query("a", "", true, &[a, c])], &[Valid, Valid]);
    check(&[writes("b2", "1"), query("a", "c", true, &[a, b, ("b2", (2, 0))])], &[Valid, Valid]);
}

#[test]
fn forged_summaries_of_ranges_never_hold() {
    for max_degree in [0, 1, 2, u32::MAX] {
        let summary = QueryReadsMerkleSummary { max_degree, ..Default::default() };
        let mut set = query("a", "", true, &[]);
        set.range_queries_info[0].reads_info = Some(ReadsInfo::ReadsMerkleHashes(summary));
        check(&[set], &[PhantomReadConflict]);
    }
}

#[test]
fn the_first_failure_in_order_is_reported() {
    let phantom = query("c", "", true, &[]);
    check(&[both(reads("a", None), phantom.clone())], &[MvccReadConflict]);
    check(&[both(reads("a", Some((1, 0))), phantom)], &[PhantomReadConflict]);
}

#[test]
fn metadata_stays_until_it_is_written_or_the_key_deleted() {
    let entry_of = |sets: &[KvrwSet]| {
        let (ledger, _dir) = check(sets, &vec![Valid; sets.len()]);
        entry(&ledger, "a")
    };
    let is = |value: &str, tx, parameter: &str| Some((value.into(), (2, tx), parameter.into()));
    assert_eq!(entry_of(&[policy("a", "p")]), is("1", 0, "p"));
    assert_eq!(entry_of(&[policy("a", "p"), writes("a", "2")]), is("2", 1, "p"));
    assert_eq!(entry_of(&[both(policy("a", "p"), writes("a", "2"))]), is("2", 0, "p"));
    assert_eq!(entry_of(&[policy("a", "p"), policy("a", "")]), is("1", 1, ""));
    assert_eq!(
        entry_of(&[policy("a", "p"), both(writes("a", "2"), policy("a", ""))]),
        is("2", 1, "")
    );
    assert_eq!(entry_of(&[policy("a", "p"), writes("a", "")]), None);
    assert_eq!(entry_of(&[policy("a", "p"), writes("a", ""), writes("a", "2")]), is("2", 2, ""));
    let (ledger, _dir) = check(&[policy("x", "p"), writes("x", "1")], &[Valid, Valid]);
    assert_eq!(entry(&ledger, "x"), is("1", 1, ""), "a missing key keeps no metadata");
}

/// Sets that list a key twice: their operations are added up.
#[test]
fn repeated_keys_do_what_they_do_in_fabric() {
    let twice = |key: &str| both(writes(key, "2"), writes(key, "3"));
    let (ledger, _dir) = check(&[twice("a"), twice("x")], &[Valid, Valid]);
    assert_eq!(entry(&ledger, "a"), Some(("1".into(), (2, 0), String::new())));
    assert_eq!(entry(&ledger, "x"), None);
    let three = both(twice("a"), writes("a", "4"));
    let (ledger, _dir) = check(&[three], &[Valid]);
    assert_eq!(entry(&ledger, "a"), Some(("4".into(), (2, 0), String::new())));
    let (ledger, _dir) = check(&[both(writes("a", "2"), writes("a", ""))], &[Valid]);
    assert_eq!(entry(&ledger, "a"), None);
    // Two deletes have the sum of nothing known, which is taken for a change of metadata.
    let deletes = |key: &str| both(writes(key, ""), writes(key, ""));
    let (ledger, _dir) = check(&[policy("a", "p"), deletes("a"), deletes("x")], &[Valid; 3]);
    assert_eq!(entry(&ledger, "a"), Some(("1".into(), (2, 1), String::new())));
    assert_eq!(entry(&ledger, "x"), None);
    let three = both(deletes("a"), writes("a", ""));
    let (ledger, _dir) = check(&[three], &[Valid]);
    assert_eq!(entry(&ledger, "a"), None);
    // Metadata written and removed in one set: what was written stays.
    let (ledger, _dir) = check(&[both(policy("a", "p"), policy("a", ""))], &[Valid]);
    assert_eq!(entry(&ledger, "a"), Some(("1".into(), (2, 0), "p".into())));
    let (ledger, _dir) = check(&[both(policy("x", "p"), policy("x", ""))], &[Valid]);
    assert_eq!(entry(&ledger, "x"), None);
}

#[test]
fn hashes_of_private_keys_are_checked_like_keys() {
    let dir = TempDir::new().unwrap();
    let ledger = abc(&dir);
    let hash = text("01234567890123456789012345678901");
    let write = KvWriteHash { key_hash: hash.clone(), value_hash: text("v"), ..Default::default() };
    let writes = HashedRwSet { hashed_writes: vec![write], ..Default::default() };
    let reads = |version: Option<(u64, u64)>| {
        let version = read("", version).version;
        let read = KvReadHash { key_hash: hash.clone(), version };
        HashedRwSet { hashed_reads: vec![read], ..Default::default() }
    };
    let txs = |sets: &[HashedRwSet]| sets.iter().map(|set| tx("", hashed_results(set))).collect();
    let committed = commit(&ledger, txs(&[reads(None), writes, reads(None)]));
    assert_eq!(committed.codes, [Valid, Valid, MvccReadConflict]);
    let committed = commit(&ledger, txs(&[reads(Some((2, 1))), reads(None)]));
    assert_eq!(committed.codes, [Valid, MvccReadConflict]);
    let view = ledger.view().unwrap();
    assert_eq!(view.hash("cc", "c", &hash).unwrap().unwrap().value, "v");
}

#[test]
fn transactions_that_cannot_be_applied_are_invalid() {
    let dir = TempDir::new().unwrap();
    let ledger = abc(&dir);
    let endorser = proto::common::HeaderType::EndorserTransaction;
    let committed = commit(
        &ledger,
        vec![
            text("no envelope"),
            envelope(endorser, "1", text("no transaction")),
            tx("2", text("no results")),
            tx("3", results(&writes("a", "2"))),
        ],
    );
    let (action, other) = (TxValidationCode::NilTxaction, TxValidationCode::InvalidOtherReason);
    assert_eq!(committed.codes[1..], [action, other, Valid]);
}

#[test]
fn codes_of_earlier_checks_are_final() {
    let dir = TempDir::new().unwrap();
    let ledger = abc(&dir);
    let code = TxValidationCode::EndorsementPolicyFailure;
    let next = block(&ledger, vec![tx("1", results(&writes("a", "2")))]);
    let wrong = ledger.commit(next.clone(), vec![], Default::default());
    assert!(matches!(wrong, Err(ledger::Error::Codes { .. })));
    let committed = ledger.commit(next, vec![code], Default::default()).unwrap();
    assert_eq!(committed.codes, [code]);
    assert_eq!(entry(&ledger, "a").unwrap().1, (1, 0));
    assert!(ledger.tx_exists("1").unwrap());
    assert_eq!(ledger.transaction("1").unwrap().unwrap().code, code);
}

#[test]
fn only_valid_copies_are_duplicates() {
    let envelopes = ["a", "a", "b", "", "", "a"].map(|id| tx(id, text("")));
    let bad = TxValidationCode::EndorsementPolicyFailure;
    let mut codes = [bad, Valid, Valid, Valid, Valid, Valid];
    ledger::mvcc::mark_duplicates(&envelopes, &mut codes);
    let duplicate = TxValidationCode::DuplicateTxid;
    assert_eq!(codes, [bad, Valid, Valid, Valid, Valid, duplicate]);
}
