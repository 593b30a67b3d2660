//! What valid transactions change, in unusual forms: checked by the commit hash, too.

use bytes::Bytes;
use proto::kvrwset::{KvMetadataWrite, KvWrite, KvrwSet};
use proto::peer::TxValidationCode::*;
use proto::txmgr;

use super::world::{World, only};
use crate::transactions::{key_policy, namespace_set, writes};

fn put(key: &str, value: &'static str) -> KvWrite {
    KvWrite { key: key.into(), is_delete: false, value: value.into() }
}

fn set(writes: Vec<KvWrite>) -> KvrwSet {
    KvrwSet { writes, ..Default::default() }
}

/// Commits a block with this set alone; it must change `k` to this, or not at all.
#[track_caller]
fn check(world: &mut World, set: KvrwSet, expected: Option<Option<&'static str>>) {
    let height = world.channel.height();
    let before = world.get("k");
    let envelope = world.with(namespace_set("cc", set));
    let codes = world.commit(vec![envelope]);
    assert_eq!(codes, [Valid]);
    let version = ledger::Version::new(height, 0).to_ordered_bytes();
    let written = expected.map(|value| txmgr::KvWrite {
        namespace: "cc".into(),
        key: "k".into(),
        is_delete: value.is_none(),
        value: value.unwrap_or_default().into(),
        version_bytes: version.into(),
        ..Default::default()
    });
    let hash = world.hash_after(height, &codes, written.into_iter().collect());
    assert_eq!(world.commit_hash(height), hash);
    match expected {
        Some(value) => {
            assert_eq!(world.get("k"), value.map(|value| (value.into(), (height, 0))));
        }
        None => assert_eq!(world.get("k"), before),
    }
}

#[test]
fn values_and_deletes() {
    let world = &mut World::new();
    check(world, set(vec![put("k", "v")]), Some(Some("v")));
    check(world, set(vec![put("k", "v")]), Some(Some("v")));
    // Empty is deleted, and so is a value that says it is.
    check(world, set(vec![put("k", "")]), Some(None));
    check(world, set(vec![put("k", "v")]), Some(Some("v")));
    check(world, set(vec![KvWrite { is_delete: true, ..put("k", "v") }]), Some(None));
    // What is not there is deleted nevertheless.
    check(world, set(vec![put("k", "")]), Some(None));
}

#[test]
fn a_policy_rewrites_the_value() {
    let world = &mut World::new();
    let policy = |entries: usize| KvrwSet {
        metadata_writes: vec![KvMetadataWrite {
            key: "k".into(),
            entries: vec![Default::default(); entries],
        }],
        ..Default::default()
    };
    check(world, policy(1), None);
    check(world, set(vec![put("k", "v")]), Some(Some("v")));
    check(world, policy(1), Some(Some("v")));
    check(world, policy(0), Some(Some("v")));
}

/// Only a forged set lists a key twice.
#[test]
fn a_key_twice_in_one_set() {
    let world = &mut World::new();
    check(world, set(vec![put("k", "1"), put("k", "2")]), None);
    check(world, set(vec![put("k", "1")]), Some(Some("1")));
    check(world, set(vec![put("k", "2"), put("k", "3")]), Some(Some("1")));
    check(world, set(vec![put("k", "2"), put("k", "3"), put("k", "4")]), Some(Some("4")));
    check(world, set(vec![put("k", ""), put("k", "")]), Some(Some("4")));
    check(world, set(vec![put("k", "5"), put("k", "")]), Some(None));
    check(world, set(vec![put("k", ""), put("k", "")]), None);
}

#[test]
fn the_last_transaction_of_a_block_wins() {
    let world = &mut World::new();
    let height = world.channel.height();
    let values: [&[u8]; 3] = [b"1", b"", b"3"];
    let block = values.map(|value| world.with(writes("cc", &[("k", value)]))).to_vec();
    let codes = world.commit(block);
    assert_eq!(codes, [Valid; 3]);
    assert_eq!(world.get("k"), Some(("3".into(), (height, 2))));
    let written = txmgr::KvWrite {
        namespace: "cc".into(),
        key: "k".into(),
        value: "3".into(),
        version_bytes: ledger::Version::new(height, 2).to_ordered_bytes().into(),
        ..Default::default()
    };
    assert_eq!(world.commit_hash(height), world.hash_after(height, &codes, vec![written]));
}

/// A policy set on a key that the block deleted before: there is nothing to set it on. (A Fabric
/// peer does not survive it.)
#[test]
fn a_policy_on_a_key_that_the_block_deleted() {
    let world = &mut World::new();
    check(world, set(vec![put("k", "v")]), Some(Some("v")));
    let block = vec![
        world.with(writes("cc", &[("k", b"")])),
        world.with(key_policy("cc", "k", &only("Org2MSP"))),
    ];
    assert_eq!(world.commit(block), [Valid, Valid]);
    assert_eq!(world.get("k"), None);
    let envelope = world.with(writes("cc", &[("k", b"w")]));
    world.expect(Valid, envelope);
}

/// Names and values that a state database in JSON would refuse are as good as any other.
#[test]
fn any_key_and_any_value() {
    let world = &mut World::new();
    let values: [&'static [u8]; 3] = [b"\xff\x00", b"{\"_id\":1}", b"{\"~version\":1}"];
    for key in ["", "_k", "\u{0}", "\u{0}a\u{0}b\u{0}", "\u{10ffff}", " "] {
        for value in values {
            let envelope = world.with(writes("cc", &[(key, value)]));
            world.expect(Valid, envelope);
            let found = world.get(key).unwrap();
            assert_eq!(found.0, Bytes::from_static(value));
        }
    }
}
