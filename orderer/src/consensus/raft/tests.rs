//! Messages no honest consenter would send.

use bytes::Bytes;
use prost::Message as _;
use proto::gauze::raft as wire;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::super::{Batch, Change, Consenter, Effect, Input, Position};
use super::{Options, Raft};

fn node(effects: &mut Vec<Effect>) -> Raft {
    let options = Options { compact_bytes: 500, ..Options::new(1, vec![1, 2, 3]) };
    Raft::start(options, &[], Position { height: 1, index: 0 }, effects).unwrap()
}

/// A message with small numbers, so that many meet the local state.
fn message(rng: &mut StdRng) -> wire::Message {
    let mut small = |max: u64| match rng.random_range(0..20) {
        0 => u64::MAX - rng.random_range(0..3),
        _ => rng.random_range(0..max),
    };
    let index = small(12);
    let first = if small(4) == 0 { small(12) } else { index.wrapping_add(1) };
    let term = small(6);
    let entries = (0..small(4).min(4)).map(|n| wire::Entry {
        term: if n == 0 { small(6) } else { term },
        index: first.wrapping_add(n),
        batch: Bytes::from_static(b"\x0a\x01x"),
        membership: false,
    });
    let mut entries: Vec<_> = entries.collect();
    if small(5) == 0 {
        let kind = Some(wire::change::Kind::Remove(small(4)));
        let batch = wire::Batch {
            envelopes: vec![Bytes::from_static(b"config")],
            config: true,
            change: Some(wire::Change { kind }),
        };
        entries.extend(entries.last().map(|last| wire::Entry {
            index: last.index.wrapping_add(1),
            batch: batch.encode_to_vec().into(),
            membership: true,
            ..*last
        }));
    }
    let snapshot = (small(3) == 0).then(|| wire::Snapshot {
        index: small(20),
        term: small(6),
        voters: (0..small(4).min(4)).map(|_| small(5)).collect(),
        height: small(10),
    });
    wire::Message {
        kind: small(12) as i32,
        to: 1,
        from: 2 + small(2).min(1),
        term,
        log_term: small(6),
        index,
        entries,
        commit: small(15),
        commit_term: small(6),
        snapshot,
        reject: small(2) == 0,
        reject_hint: small(12),
        transfer: small(8) == 0,
    }
}

#[test]
fn no_message_brings_a_consenter_down() {
    for seed in 0..400 {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut effects = Vec::new();
        let mut raft = node(&mut effects);
        for step in 0..400 {
            let input = match rng.random_range(0..10) {
                0..=1 => Input::Tick,
                2..=3 => {
                    let durable = effects.iter().rev().find_map(|effect| match effect {
                        Effect::Persist { number, .. } | Effect::Compact { number, .. } => {
                            Some(*number)
                        }
                        _ => None,
                    });
                    Input::Persisted(durable.unwrap_or(0))
                }
                4 => {
                    let batch = Batch {
                        envelopes: vec![Bytes::from_static(b"mine")],
                        config: false,
                        change: (rng.random_range(0..5) == 0).then_some(Change::Add(4)),
                    };
                    Input::Order { ticket: step, batch }
                }
                _ => {
                    let message = message(&mut rng);
                    let from = message.from;
                    let bytes: Bytes = message.encode_to_vec().into();
                    Input::Message { from, bytes }
                }
            };
            raft.step(input, &mut effects);
        }
    }
}

#[test]
fn bytes_that_are_no_message_are_refused() {
    let mut rng = StdRng::seed_from_u64(1);
    let mut effects = Vec::new();
    let mut raft = node(&mut effects);
    effects.clear();
    for _ in 0..5000 {
        let length = rng.random_range(0..40);
        let bytes: Vec<u8> = (0..length).map(|_| rng.random()).collect();
        raft.step(Input::Message { from: 2, bytes: bytes.into() }, &mut effects);
    }
    // Somebody else's name, and messages for others.
    for (from, to) in [(3, 1), (2, 2), (1, 1)] {
        let kind = wire::Kind::Vote.into();
        let vote = wire::Message { kind, from, to, term: 9, ..Default::default() };
        let bytes = vote.encode_to_vec().into();
        raft.step(Input::Message { from: 2, bytes }, &mut effects);
    }
    assert!(effects.is_empty(), "{effects:?}");
}

#[test]
fn a_node_that_lost_its_log_does_not_vote() {
    let tip = Position { height: 8, index: 9 };
    let vote = wire::Message {
        kind: wire::Kind::Vote.into(),
        from: 2,
        to: 1,
        term: 3,
        log_term: 1,
        index: 1,
        ..Default::default()
    };
    for lost_log in [true, false] {
        let mut effects = Vec::new();
        let options = Options { lost_log, ..Options::new(1, vec![1, 2, 3]) };
        let mut raft = Raft::start(options, &[], tip, &mut effects).unwrap();
        let bytes = vote.encode_to_vec().into();
        raft.step(Input::Message { from: 2, bytes }, &mut effects);
        raft.step(Input::Persisted(u64::MAX), &mut effects);
        let answered = effects.iter().any(|effect| matches!(effect, Effect::Send { to: 2, .. }));
        assert_eq!(answered, !lost_log);
    }
}
