//! The recorded ledgers.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use ledger::{Config, Ledger, PrivateWriteSets, View};
use prost::Message;
use proto::common::Block;
use proto::rwset::TxPvtReadWriteSet;
use proto::transaction::TxValidationCode;
use serde_json::Value;

pub(crate) fn dir(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(name)
}

/// The chain as a peer recorded it.
pub(crate) fn blocks(name: &str) -> Vec<Block> {
    let mut files: Vec<_> =
        fs::read_dir(dir(name).join("blocks")).unwrap().map(|it| it.unwrap().path()).collect();
    files.sort();
    files.iter().map(|it| proto::block::parse(fs::read(it).unwrap().into()).unwrap()).collect()
}

/// The block as the orderer made it: without what peers add.
pub(crate) fn as_ordered(block: &Block) -> Block {
    let mut block = block.clone();
    let slots = &mut block.metadata.as_mut().unwrap().metadata;
    slots[2] = Bytes::new();
    slots[4] = Bytes::new();
    block
}

pub(crate) fn codes(block: &Block) -> Vec<TxValidationCode> {
    let filter = proto::block::transactions_filter(block);
    filter.iter().map(|code| TxValidationCode::try_from(i32::from(*code)).unwrap()).collect()
}

/// The codes before reads are validated.
pub(crate) fn codes_before(block: &Block) -> Vec<TxValidationCode> {
    let before = |code| match code {
        TxValidationCode::MvccReadConflict | TxValidationCode::PhantomReadConflict => {
            TxValidationCode::Valid
        }
        code => code,
    };
    codes(block).into_iter().map(before).collect()
}

/// The private data an organization's peer held when it committed the block.
pub(crate) fn private(name: &str, org: &str, number: u64) -> PrivateWriteSets {
    let mut private = PrivateWriteSets::default();
    let Ok(files) = fs::read_dir(dir(name).join(format!("private_{org}"))) else { return private };
    for file in files {
        let path = file.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap();
        let parts: Vec<_> = stem.split('_').collect();
        if parts[1].parse::<u64>().unwrap() == number {
            let set = TxPvtReadWriteSet::decode(fs::read(&path).unwrap().as_slice()).unwrap();
            private.write_sets.insert(parts[3].parse().unwrap(), set);
        }
    }
    private
}

/// Commits a recorded chain from where the ledger is, and compares each block.
#[track_caller]
pub(crate) fn replay(ledger: &Ledger, name: &str, org: &str) {
    let blocks = blocks(name);
    let from = ledger.height();
    for recorded in blocks.iter().skip(from as usize) {
        let number = proto::block::number(recorded);
        let private = private(name, org, number);
        let committed =
            ledger.commit(as_ordered(recorded), codes_before(recorded), private).unwrap();
        assert_eq!(committed.codes, codes(recorded), "{name}: codes of block {number}");
        assert_eq!(
            committed.commit_hash,
            proto::block::commit_hash(recorded),
            "{name}: commit hash of block {number}"
        );
        assert_eq!(committed.block, *recorded, "{name}: block {number}");
    }
    assert_eq!(ledger.height(), blocks.len() as u64);
}

/// A ledger with small segments, so that there are several.
pub(crate) fn open(dir: &Path) -> Ledger {
    Ledger::open(dir, "test", config()).unwrap()
}

pub(crate) fn config() -> Config {
    let mut config = Config::default();
    config.blocks.segment_bytes_max = 100_000;
    config.blocks.index_cache_bytes = 4 << 20;
    config.private_data.segment_bytes_max = 4_000;
    config.state.cache_bytes = 8 << 20;
    config.state.lag_blocks_max = 5;
    config
}

/// One entry of a state: value, block, transaction, metadata.
pub(crate) type Entry = (Vec<u8>, u64, u64, Vec<u8>);

/// A state by namespace and key.
pub(crate) type State = BTreeMap<(String, Vec<u8>), Entry>;

/// The recorded state; without clear private data if none was recorded to commit.
pub(crate) fn recorded_state(name: &str, org: &str) -> State {
    let text = fs::read(dir(name).join(format!("state_{org}.json"))).unwrap();
    let json: Value = serde_json::from_slice(&text).unwrap();
    let mut state = State::new();
    let with_private = dir(name).join(format!("private_{org}")).exists();
    for (namespace, entries) in json["namespaces"].as_object().unwrap() {
        if namespace.contains("$$p") && !with_private {
            continue;
        }
        for entry in entries.as_array().unwrap() {
            let field = |name: &str| base64(entry[name].as_str().unwrap_or_default());
            let version = |at: usize| entry["version"][at].as_u64().unwrap();
            let value = (field("value_b64"), version(0), version(1), field("metadata_b64"));
            state.insert((namespace.clone(), field("key_b64")), value);
        }
    }
    state
}

pub(crate) fn state_of(view: &View) -> State {
    let entries = view.entries().map(|entry| {
        let (key, it) = entry.unwrap();
        let at = (key.namespace().to_owned(), key.key().to_vec());
        (at, (it.value.to_vec(), it.version.block, it.version.tx, it.metadata.to_vec()))
    });
    entries.collect()
}

/// Compares states and names what differs.
#[track_caller]
pub(crate) fn assert_state(found: &State, expected: &State) {
    let all: BTreeSet<_> = found.keys().chain(expected.keys()).collect();
    let mut differences = Vec::new();
    for key in all {
        let (found, expected) = (found.get(key), expected.get(key));
        if found != expected {
            let short = |entry: Option<&Entry>| {
                entry.map(|(value, block, tx, metadata)| {
                    (hex::encode(&value[..value.len().min(16)]), *block, *tx, metadata.len())
                })
            };
            let name = String::from_utf8_lossy(&key.1).into_owned();
            differences.push(format!(
                "{} {name:?}: {:?} {:?}",
                key.0,
                short(found),
                short(expected)
            ));
        }
    }
    assert!(differences.is_empty(), "found, expected:\n{}", differences.join("\n"));
}

fn base64(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let (mut bits, mut count) = (0u32, 0);
    for byte in text.bytes().filter(|byte| *byte != b'=') {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            _ => 63,
        };
        bits = bits << 6 | u32::from(digit);
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
        }
    }
    out
}
