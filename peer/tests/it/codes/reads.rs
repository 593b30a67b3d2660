//! Reads that do not hold any more when their transaction comes to be committed.

use bytes::Bytes;
use ledger::Simulator;
use prost::Message;
use proto::kvrwset::range_query_info::ReadsInfo;
use proto::kvrwset::{
    KvRead, KvrwSet, QueryReads, QueryReadsMerkleSummary, RangeQueryInfo, Version,
};
use proto::peer::TxValidationCode::{self, *};
use proto::rwset::TxReadWriteSet;

use super::world::{World, only};
use crate::transactions::{key_policy, namespace_set, writes};

/// What a simulation on the present state records of `cc`.
fn simulate(world: &World, run: impl FnOnce(&mut Simulator)) -> KvrwSet {
    let mut simulator = world.channel.ledger().simulator("tx").unwrap();
    run(&mut simulator);
    let results = simulator.finish().unwrap().public;
    let set = TxReadWriteSet::decode(results).unwrap();
    KvrwSet::decode(set.ns_rwset[0].rwset.clone()).unwrap()
}

fn range(world: &World, start: &str, end: &str) -> KvrwSet {
    simulate(world, |simulator| {
        let query = simulator.range("cc", start, end).unwrap();
        while simulator.next(query).unwrap().is_some() {}
    })
}

fn envelope(world: &World, set: KvrwSet) -> Bytes {
    world.with(namespace_set("cc", set))
}

#[track_caller]
fn check(world: &mut World, expected: TxValidationCode, set: KvrwSet) {
    let envelope = envelope(world, set);
    world.expect(expected, envelope);
}

/// Writes keys of this prefix.
fn fill(world: &mut World, prefix: &str, count: usize) {
    let keys: Vec<String> = (0..count).map(|number| format!("{prefix}{number:03}")).collect();
    let entries: Vec<(&str, &[u8])> = keys.iter().map(|key| (key.as_str(), &b"v"[..])).collect();
    let envelope = world.with(writes("cc", &entries));
    world.expect(Valid, envelope);
}

fn put(world: &mut World, key: &str, value: &[u8]) {
    let envelope = world.with(writes("cc", &[(key, value)]));
    world.expect(Valid, envelope);
}

#[test]
fn a_version_that_was_read_must_be_the_committed_one() {
    let world = &mut World::new();
    put(world, "k", b"1");
    let read = simulate(world, |simulator| drop(simulator.get_state("cc", "k").unwrap()));
    let absent = simulate(world, |simulator| drop(simulator.get_state("cc", "absent").unwrap()));
    check(world, Valid, read.clone());
    check(world, Valid, absent.clone());
    // Across blocks.
    put(world, "k", b"1");
    put(world, "absent", b"1");
    check(world, MvccReadConflict, read);
    check(world, MvccReadConflict, absent);
    for version in [None, Some(Version::default()), Some(Version { block_num: 999, tx_num: 0 })] {
        let reads = vec![KvRead { key: "k".into(), version }];
        check(world, MvccReadConflict, KvrwSet { reads, ..Default::default() });
    }
}

#[test]
fn a_key_written_earlier_in_the_block_cannot_have_been_read() {
    let world = &mut World::new();
    for (key, value) in [("k", &b"2"[..]), ("k", b""), ("new", b"1")] {
        put(world, "k", b"1");
        let read = simulate(world, |simulator| drop(simulator.get_state("cc", key).unwrap()));
        let other = simulate(world, |simulator| drop(simulator.get_state("cc", "o").unwrap()));
        let block = vec![
            envelope(world, read.clone()),
            world.with(writes("cc", &[(key, value)])),
            envelope(world, read),
            envelope(world, other),
        ];
        assert_eq!(world.commit(block), [Valid, Valid, MvccReadConflict, Valid]);
    }
}

/// A change of a key's policy is a change of the key.
#[test]
fn metadata_has_the_version_of_its_key() {
    let world = &mut World::new();
    put(world, "k", b"1");
    let read = |world: &World| {
        simulate(world, |simulator| drop(simulator.get_state_metadata("cc", "k").unwrap()))
    };
    let before = read(world);
    let policy = world.with(key_policy("cc", "k", &only("Org2MSP")));
    world.expect(Valid, policy);
    check(world, MvccReadConflict, before);
    let now = read(world);
    check(world, Valid, now.clone());
    // And in one block, also a change that is none.
    let policy = world.with(key_policy("cc", "k", &only("Org2MSP")));
    let block = vec![policy, envelope(world, now)];
    assert_eq!(world.commit(block), [Valid, MvccReadConflict]);
}

/// What may happen to a range after it was read, and what becomes of the transaction then.
fn phantoms(world: &mut World, count: usize) {
    fill(world, "m", count);
    let unchanged = range(world, "m", "n");
    check(world, Valid, unchanged);
    let changes: [(&str, &[u8], TxValidationCode); 6] = [
        ("m000", b"w", PhantomReadConflict),
        ("m001", b"", PhantomReadConflict),
        ("m0015", b"w", PhantomReadConflict),
        ("m999", b"w", PhantomReadConflict),
        ("n", b"w", Valid),
        ("l", b"w", Valid),
    ];
    for (key, value, expected) in changes {
        eprintln!("{key}");
        // In the block.
        let read = range(world, "m", "n");
        let block = vec![world.with(writes("cc", &[(key, value)])), envelope(world, read)];
        assert_eq!(world.commit(block), [Valid, expected]);
        // And between blocks.
        put(world, key, b"again");
        let read = range(world, "m", "n");
        put(world, key, value);
        check(world, expected, read);
    }
}

#[test]
fn ranges_listed() {
    phantoms(&mut World::new(), 20);
}

#[test]
fn ranges_hashed() {
    phantoms(&mut World::new(), 120);
}

#[test]
fn empty_ranges() {
    let world = &mut World::new();
    let empty = range(world, "m", "n");
    check(world, Valid, empty.clone());
    put(world, "m", b"v");
    check(world, PhantomReadConflict, empty);
}

/// The first query of a set.
fn query(set: &mut KvrwSet) -> &mut RangeQueryInfo {
    &mut set.range_queries_info[0]
}

fn listed(set: &mut KvrwSet) -> &mut Vec<KvRead> {
    match &mut query(set).reads_info {
        Some(ReadsInfo::RawReads(QueryReads { kv_reads })) => kv_reads,
        other => panic!("not listed: {other:?}"),
    }
}

fn hashed(set: &mut KvrwSet) -> &mut QueryReadsMerkleSummary {
    match &mut query(set).reads_info {
        Some(ReadsInfo::ReadsMerkleHashes(summary)) => summary,
        other => panic!("not hashed: {other:?}"),
    }
}

type Tamper = fn(&mut KvrwSet);

fn tampered(world: &mut World, cases: &[(&str, Tamper)]) {
    for (name, tamper) in cases {
        eprintln!("{name}");
        let mut set = range(world, "m", "n");
        tamper(&mut set);
        check(world, PhantomReadConflict, set);
    }
}

#[test]
fn tampered_lists() {
    let world = &mut World::new();
    fill(world, "m", 20);
    tampered(
        world,
        &[
            ("unsorted", |set| listed(set).reverse()),
            ("two swapped", |set| listed(set).swap(3, 4)),
            ("one missing", |set| drop(listed(set).remove(7))),
            ("last missing", |set| drop(listed(set).pop())),
            ("one twice", |set| {
                let read = listed(set)[0].clone();
                listed(set).insert(0, read);
            }),
            ("one too many", |set| {
                let read = KvRead { key: "mm".into(), ..listed(set)[0].clone() };
                listed(set).push(read);
            }),
            ("without version", |set| listed(set)[5].version = None),
            ("other version", |set| listed(set)[5].version = Some(Version::default())),
            ("no reads", |set| query(set).reads_info = None),
            ("empty list", |set| listed(set).clear()),
            ("hashes instead", |set| {
                let summary = QueryReadsMerkleSummary { max_degree: 50, ..Default::default() };
                query(set).reads_info = Some(ReadsInfo::ReadsMerkleHashes(summary));
            }),
            ("longer range", |set| query(set).end_key = String::new()),
            ("shorter range", |set| query(set).end_key = "m010".into()),
            ("later start", |set| query(set).start_key = "m001".into()),
        ],
    );
}

#[test]
fn tampered_hashes() {
    let world = &mut World::new();
    fill(world, "m", 120);
    tampered(
        world,
        &[
            ("a hash", |set| hashed(set).max_level_hashes[1] = Bytes::from_static(&[7; 32])),
            ("swapped", |set| hashed(set).max_level_hashes.swap(0, 1)),
            ("one missing", |set| drop(hashed(set).max_level_hashes.pop())),
            ("one more", |set| hashed(set).max_level_hashes.push(Bytes::new())),
            ("none", |set| hashed(set).max_level_hashes.clear()),
            ("level", |set| hashed(set).max_level = 2),
            ("no level", |set| hashed(set).max_level = 0),
            ("degree", |set| hashed(set).max_degree = 51),
            // These two stop a Fabric peer.
            ("degree 1", |set| hashed(set).max_degree = 1),
            ("no degree", |set| hashed(set).max_degree = 0),
            ("largest degree", |set| hashed(set).max_degree = u32::MAX),
            ("shorter", |set| query(set).end_key = "m119".into()),
            ("not exhausted", |set| {
                query(set).end_key = "m118".into();
                query(set).itr_exhausted = false;
            }),
        ],
    );
    // What is hashed by the degree an endorser chose holds by that degree; and who lists what
    // others hash is as right.
    let keys = (0..120).map(|number| format!("m{number:03}"));
    let version = {
        let (_, (block_num, tx_num)) = world.get("m000").unwrap();
        Some(Version { block_num, tx_num })
    };
    let kv_reads = keys.map(|key| KvRead { key, version }).collect();
    let mut set = range(world, "m", "n");
    query(&mut set).reads_info = Some(ReadsInfo::RawReads(QueryReads { kv_reads }));
    check(world, Valid, set);
}

#[test]
fn ranges_that_were_not_read_to_their_end() {
    let world = &mut World::new();
    fill(world, "m", 150);
    // The first batch ends with the key after the hundredth.
    let set = simulate(world, |simulator| {
        let query = simulator.range("cc", "m", "n").unwrap();
        simulator.next(query).unwrap();
    });
    assert_eq!(set.range_queries_info[0].end_key, "m100");
    check(world, Valid, set.clone());
    put(world, "m149", b"w");
    check(world, Valid, set.clone());
    put(world, "m100", b"w");
    check(world, PhantomReadConflict, set);
}

#[test]
fn the_first_failure_is_told() {
    let world = &mut World::new();
    put(world, "m", b"v");
    let stale = KvRead { key: "m".into(), version: None };
    let mut set = range(world, "m", "n");
    query(&mut set).reads_info = None;
    check(world, PhantomReadConflict, set.clone());
    set.reads = vec![stale];
    check(world, MvccReadConflict, set.clone());
    // Namespaces count in their order.
    world.define("dd", |_| {});
    let mut draft = world.draft();
    set.reads.clear();
    let first = namespace_set("cc", set);
    let reads = vec![KvRead { key: "m".into(), version: Some(Version::default()) }];
    let second = namespace_set("dd", KvrwSet { reads, ..Default::default() });
    draft.namespaces = vec![first.clone(), second.clone()];
    let envelope = draft.envelope();
    draft.namespaces = vec![second, first];
    let other = {
        draft.nonce = "other".into();
        draft.envelope()
    };
    world.expect(PhantomReadConflict, envelope);
    world.expect(MvccReadConflict, other);
}
