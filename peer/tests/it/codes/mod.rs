//! The code each kind of wrong transaction gets: every code of Fabric that can arise, on channels
//! with real identities, signatures and configuration, through the real validator and ledger.
//! `docs/validation-codes.md` lists which test stands for what.

mod actions;
mod blocks;
mod collections;
mod config;
mod creators;
mod definitions;
mod endorsements;
mod envelopes;
mod halts;
mod keys;
mod mutations;
mod reads;
mod repeats;
mod sets;
mod world;
mod writes;

use std::fs;
use std::path::Path;

use proto::peer::TxValidationCode;

/// `docs/validation-codes.md` speaks of every code, and of tests that are there.
#[test]
fn the_table_of_codes_is_whole() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let text = fs::read_to_string(root.join("docs/validation-codes.md")).unwrap();
    for number in 0..=255 {
        if let Ok(code) = TxValidationCode::try_from(number) {
            let named = format!("{number} `{}`", code.as_str_name());
            assert!(text.contains(&named), "{named}");
        }
    }
    let mut found = 0;
    for (module, test) in text.split('`').filter_map(|quoted| quoted.split_once("::")) {
        let file = root.join(format!("peer/tests/it/codes/{module}.rs"));
        let Ok(source) = fs::read_to_string(file) else { continue };
        let beginning = format!("fn {}", test.trim_end_matches('…'));
        assert!(source.contains(&beginning), "{module}::{test}");
        found += 1;
    }
    assert!(found > 30, "only {found} tests are named");
}
