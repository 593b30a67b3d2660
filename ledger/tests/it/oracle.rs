//! Recorded chains must come to the recorded codes, commit hashes and states.

use ledger::{Config, state};
use tempfile::TempDir;

use crate::vectors::{self, assert_state, recorded_state, replay, state_of};

#[track_caller]
fn check(name: &str, org: &str) {
    let dir = TempDir::new().unwrap();
    let ledger = vectors::open(dir.path());
    replay(&ledger, name, org);
    assert_state(&state_of(&ledger.view().unwrap()), &recorded_state(name, org));
    drop(ledger);

    // Reopened as it is, and with all indexes gone.
    let ledger = vectors::open(dir.path());
    assert_state(&state_of(&ledger.view().unwrap()), &recorded_state(name, org));
    drop(ledger);
    std::fs::remove_dir_all(dir.path().join("index")).unwrap();
    std::fs::remove_dir_all(dir.path().join("blocks/index")).unwrap();
    let ledger = vectors::open(dir.path());
    assert_state(&state_of(&ledger.view().unwrap()), &recorded_state(name, org));
}

#[test]
fn valid_transactions() {
    check("l1-simple", "org1");
}

#[test]
fn invalid_transactions() {
    check("l2-invalid", "org1");
}

#[test]
fn governance() {
    check("l3-governance", "org1");
}

#[test]
fn private_data_of_a_member() {
    check("l4-private", "org1");
}

#[test]
fn private_data_of_another_member() {
    check("l4-private", "org2");
}

#[test]
fn the_state_in_memory_comes_to_the_same() {
    let dir = TempDir::new().unwrap();
    let mut config: Config = vectors::config();
    config.state.backend = state::Backend::Memory;
    for _ in 0..2 {
        let ledger = ledger::Ledger::open(dir.path(), "test", config.clone()).unwrap();
        replay(&ledger, "l4-private", "org1");
        let expected = recorded_state("l4-private", "org1");
        assert_state(&state_of(&ledger.view().unwrap()), &expected);
    }
}
