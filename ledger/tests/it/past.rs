//! What keys were, and what changed.

use std::collections::BTreeMap;

use ledger::{Change, Error, Filter, Ledger};
use tempfile::TempDir;

use crate::chain::*;
use crate::vectors;

type Name = (String, String);

/// All changes, in pages of `limit`.
fn changes(ledger: &Ledger, from: u64, to: u64, mut filter: Filter, limit: usize) -> Vec<Change> {
    let mut found = Vec::new();
    loop {
        let before = found.len();
        let take = |change| {
            found.push(change);
            true
        };
        let next: Option<Name> = ledger.changes(from, to, &filter, limit, take).unwrap();
        assert!(found.len() - before <= limit);
        let Some(next) = next else { return found };
        assert_eq!(found.len() - before, limit);
        filter.after = Some(next);
    }
}

/// Every key at every height of a recorded chain is what the state was at that height.
#[test]
fn states_of_all_heights_are_told() {
    let dir = TempDir::new().unwrap();
    let ledger = vectors::open(dir.path());
    let mut states: Vec<BTreeMap<Name, Vec<u8>>> = vec![BTreeMap::new()];
    for block in vectors::blocks("l1-simple") {
        let codes = vectors::codes_before(&block);
        ledger.commit(vectors::as_ordered(&block), codes, Default::default()).unwrap();
        let state = vectors::state_of(&ledger.view().unwrap()).into_iter();
        let public =
            state.filter(|((namespace, _), _)| !namespace.is_empty() && !namespace.contains('$'));
        let named = public.map(|((namespace, key), (value, ..))| {
            ((namespace, String::from_utf8(key).unwrap()), value)
        });
        states.push(named.collect());
    }
    let all: std::collections::BTreeSet<_> = states.iter().flat_map(|it| it.keys()).collect();
    assert!(all.len() > 30);
    for (height, state) in (0..).zip(&states) {
        for (namespace, key) in &all {
            let found = ledger.state_at(namespace, key, height).unwrap();
            assert!(found.as_ref().is_none_or(|write| write.position.block < height));
            let value = found.filter(|write| !write.is_delete).map(|write| write.value.to_vec());
            let expected = state.get(&(namespace.clone(), key.clone()));
            assert_eq!(value.as_ref(), expected, "{namespace} {key} at {height}");
        }
    }
    for (from, to) in [(0, 52), (3, 30), (20, 21), (9, 9)] {
        let found = changes(&ledger, from, to, Filter::default(), 7);
        assert!(found.is_sorted_by_key(|it| (it.namespace.clone(), it.key.clone())));
        let mut state = states[from as usize].clone();
        for Change { namespace, key, before, after } in found {
            let name = (namespace, key);
            let before = before.filter(|it| !it.is_delete).map(|it| it.value.to_vec());
            assert_eq!(state.remove(&name), before);
            assert!((from..to).contains(&after.position.block));
            if !after.is_delete {
                state.insert(name, after.value.to_vec());
            }
        }
        assert_eq!(state, states[to as usize], "{from} to {to}");
    }
    assert!(matches!(ledger.state_at("kv", "k", 53), Err(Error::AboveHeight { .. })));
}

#[test]
fn changes_are_filtered() {
    let dir = TempDir::new().unwrap();
    let ledger = create(dir.path());
    submit(&ledger, "1", |tx| {
        for (namespace, key) in [("cc", "a1"), ("cc", "a2"), ("cc", "b"), ("dd", "a1")] {
            tx.put_state(namespace, key, text("v")).unwrap();
        }
    });
    submit(&ledger, "2", |tx| tx.del_state("cc", "a2").unwrap());
    let found = |namespace: Option<&str>, prefix: &str, from| {
        let filter = Filter {
            namespace: namespace.map(str::to_owned),
            prefix: prefix.to_owned(),
            after: None,
        };
        let found = changes(&ledger, from, 3, filter, 2);
        let name = |it: Change| format!("{} {} {}", it.namespace, it.key, it.after.is_delete);
        found.into_iter().map(name).collect::<Vec<_>>()
    };
    assert_eq!(found(None, "a", 0), ["cc a1 false", "cc a2 true", "dd a1 false"]);
    assert_eq!(found(Some("cc"), "", 0), ["cc a1 false", "cc a2 true", "cc b false"]);
    assert_eq!(found(None, "", 2), ["cc a2 true"]);
    let refused = ledger.changes(0, 3, &Filter::default(), 9, |change| change.key != "a2").unwrap();
    assert_eq!(refused, Some(("cc".into(), "a1".into())));
}
