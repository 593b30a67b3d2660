//! Random transactions against a model that is too simple to be wrong.

use std::collections::BTreeMap;

use bytes::Bytes;
use ledger::{Ledger, Simulator};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use proto::transaction::TxValidationCode;
use tempfile::TempDir;

use crate::chain::*;
use crate::vectors;

#[derive(Debug, Clone)]
enum Step {
    Get(u8),
    Put(u8, u8),
    Delete(u8),
    Range(u8, u8),
}

fn key(number: u8) -> String {
    format!("k{number:02}")
}

fn step() -> impl Strategy<Value = Step> {
    let key = 0u8..8;
    prop_oneof![
        3 => key.clone().prop_map(Step::Get),
        3 => (key.clone(), 1u8..250).prop_map(|(key, value)| Step::Put(key, value)),
        1 => key.clone().prop_map(Step::Delete),
        1 => (key.clone(), key).prop_map(|(start, end)| Step::Range(start, end)),
    ]
}

/// The state: value and version by key.
type Model = BTreeMap<String, (u8, (u64, u64))>;

fn run(simulator: &mut Simulator, steps: &[Step], model: &Model) {
    for step in steps {
        match step {
            Step::Get(number) => {
                let found = simulator.get_state("cc", &key(*number)).unwrap();
                let expected = model.get(&key(*number)).map(|(value, _)| vec![*value]);
                assert_eq!(found.map(|it| it.to_vec()), expected);
            }
            Step::Put(number, value) => {
                let value = Bytes::from(vec![*value]);
                simulator.put_state("cc", &key(*number), value).unwrap();
            }
            Step::Delete(number) => simulator.del_state("cc", &key(*number)).unwrap(),
            Step::Range(start, end) => {
                let (start, end) = (key(*start.min(end)), key(*start.max(end)));
                let query = simulator.range("cc", &start, &end).unwrap();
                for (key, (value, _)) in model.range(start..end) {
                    let found = simulator.next(query).unwrap().unwrap();
                    assert_eq!((&found.key, &found.value[..]), (key, &[*value][..]));
                }
                assert_eq!(simulator.next(query).unwrap(), None);
            }
        }
    }
}

/// What becomes of a transaction that was simulated on `before`.
fn expect(
    steps: &[Step],
    before: &Model,
    now: &mut Model,
    changed: &[String],
    version: (u64, u64),
) -> (TxValidationCode, Vec<String>) {
    let stale = |key: &String| {
        changed.contains(key) || before.get(key).map(|it| it.1) != now.get(key).map(|it| it.1)
    };
    for step in steps {
        if let Step::Get(number) = step
            && stale(&key(*number))
        {
            return (MvccReadConflict, vec![]);
        }
    }
    for step in steps {
        if let Step::Range(start, end) = step {
            let (start, end) = (key(*start.min(end)), key(*start.max(end)));
            let versions = |model: &Model| {
                let range = model.range(start.clone()..end.clone());
                range.map(|(key, it)| (key.clone(), it.1)).collect::<Vec<_>>()
            };
            if versions(before) != versions(now) {
                return (PhantomReadConflict, vec![]);
            }
        }
    }
    let mut written = Vec::new();
    for step in steps {
        match step {
            Step::Put(number, value) => drop(now.insert(key(*number), (*value, version))),
            Step::Delete(number) => drop(now.remove(&key(*number))),
            _ => continue,
        }
        if let Step::Put(number, _) | Step::Delete(number) = step {
            written.push(key(*number));
        }
    }
    (Valid, written)
}

fn check_state(ledger: &Ledger, model: &Model) {
    let view = ledger.view().unwrap();
    let found = view.range("cc", "", "").map(|entry| {
        let (key, it) = entry.unwrap();
        (key, (it.value[0], (it.version.block, it.version.tx)))
    });
    assert_eq!(found.collect::<Model>(), *model);
}

#[test]
fn commits_come_to_the_state_of_the_model() {
    let transaction = proptest::collection::vec(step(), 0..6);
    // Each block: transactions, and whether its first one was simulated a block earlier.
    let block = (proptest::collection::vec(transaction, 1..5), any::<bool>());
    let blocks = proptest::collection::vec(block, 1..8);
    let mut runner = TestRunner::new(ProptestConfig { cases: 30, ..ProptestConfig::default() });
    runner
        .run(&blocks, |blocks| {
            let dir = TempDir::new().unwrap();
            let mut ledger = create(dir.path());
            let mut model = Model::new();
            let mut earlier: Option<(Vec<Step>, Model, Bytes)> = None;
            for (number, (transactions, late)) in (1..).zip(blocks) {
                let before = model.clone();
                let mut simulated: Vec<_> = transactions
                    .into_iter()
                    .map(|steps| {
                        let mut simulator = ledger.simulator("tx").unwrap();
                        run(&mut simulator, &steps, &before);
                        (steps, before.clone(), simulator.finish().unwrap().public)
                    })
                    .collect();
                // The first one is held back for a block, and takes the place of another.
                let held = late.then(|| simulated.remove(0));
                simulated.extend(earlier.take());
                earlier = held;
                if simulated.is_empty() {
                    simulated.push((vec![], before.clone(), Bytes::new()));
                }
                let mut changed = Vec::new();
                let mut expected = Vec::new();
                for (index, (steps, before, _)) in (0..).zip(&simulated) {
                    let version = (number, index);
                    let (code, written) = expect(steps, before, &mut model, &changed, version);
                    expected.push(code);
                    changed.extend(written);
                }
                let envelopes = simulated.into_iter().map(|(_, _, results)| tx("", results));
                let committed = commit(&ledger, envelopes.collect());
                assert_eq!(committed.codes, expected);
                check_state(&ledger, &model);
                if number % 3 == 0 {
                    drop(ledger);
                    ledger = vectors::open(dir.path());
                }
            }
            drop(ledger);
            std::fs::remove_dir_all(dir.path().join("index")).unwrap();
            check_state(&vectors::open(dir.path()), &model);
            Ok(())
        })
        .unwrap();
}
