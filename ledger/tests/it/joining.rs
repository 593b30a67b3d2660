//! Ledgers that begin from a snapshot go on like those that began with block 0.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ledger::snapshot::{Joining, Snapshot};
use ledger::{Config, Error, Ledger, Ledgers, Position, View, block_store, snapshot, state};
use prost::Message;
use proto::common::Block;
use proto::kvrwset::KvrwSet;
use tempfile::TempDir;

use crate::snapshot::files;
use crate::vectors::{self, State, assert_state, blocks, config, recorded_state, state_of};

const CHAINS: [(&str, &str); 4] =
    [("l1-simple", "gauze1"), ("l2-invalid", "gauze2"), ("l3-governance", "gauze3"), PRIVATE];
const PRIVATE: (&str, &str) = ("l4-private", "gauze4");

fn recorded(name: &str) -> PathBuf {
    vectors::dir(name).join("snapshot")
}

/// Joins a channel as a peer that accepts everything and is a member of no collection.
fn join(ledgers: &Ledgers, dir: &Path) -> Result<Arc<Ledger>, Error> {
    join_with(ledgers, dir, &|_, _, _| Ok(false))
}

fn join_with(
    ledgers: &Ledgers,
    dir: &Path,
    is_member: &dyn Fn(&View, &str, &str) -> Result<bool, String>,
) -> Result<Arc<Ledger>, Error> {
    ledgers.create_from_snapshot(dir, &Joining { accept: &|_| Ok(()), is_member })
}

fn commit(ledger: &Ledger, name: &str, block: &Block) {
    let number = proto::block::number(block);
    let private = vectors::private(name, "org1", number);
    let before = vectors::codes_before(block);
    let committed = ledger.commit(vectors::as_ordered(block), before, private).unwrap();
    assert_eq!(committed.codes, vectors::codes(block), "{name}: codes of block {number}");
    // The filled block holds the commit hash.
    assert_eq!(committed.block, *block, "{name}: block {number}");
}

/// A state without clear private data.
fn without_clear(mut state: State) -> State {
    state.retain(|(namespace, _), _| !namespace.contains("$$p"));
    state
}

fn check_end(ledger: &Ledger, name: &str, dir: &Path) {
    let expected = without_clear(recorded_state(name, "org1"));
    assert_state(&without_clear(state_of(&ledger.view().unwrap())), &expected);
    ledger.snapshot(dir).unwrap();
    assert!(files(dir) == files(&recorded(name)), "{name}: the snapshot at the end");
}

fn text(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// Everything in a folder, with how much there is of it.
fn tree(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn from_what_fabric_recorded() {
    for (name, channel) in CHAINS {
        let dir = TempDir::new().unwrap();
        let ledgers = Ledgers::open(dir.path().join("ledgers"), config()).unwrap();
        let ledger = join(&ledgers, &recorded(name)).unwrap();
        let chain = blocks(name);
        let (height, last) = (chain.len() as u64, chain.last().unwrap());
        assert_eq!((ledger.height(), ledger.first_block()), (height, height));
        assert_eq!(tree(&dir.path().join("ledgers")), [channel]);
        let info = ledger.info().unwrap();
        let header = last.header.as_ref().unwrap();
        assert_eq!(info.height, height);
        assert_eq!(info.current_block_hash, proto::block::header_hash(header)[..]);
        assert_eq!(info.previous_block_hash, header.previous_hash);
        assert_eq!(info.bootstrapping_snapshot_info.unwrap().last_block_in_snapshot, height - 1);
        check_end(&ledger, name, &dir.path().join("again"));
        drop((ledger, ledgers));

        // Opened again, and with everything that is derived gone.
        let place = dir.path().join("ledgers").join(channel);
        for derived in [&[][..], &["index", "blocks/index"]] {
            derived.iter().for_each(|it| fs::remove_dir_all(place.join(it)).unwrap());
            let ledger = Ledger::open(&place, channel, config()).unwrap();
            let to = dir.path().join(format!("after{}", derived.len()));
            check_end(&ledger, name, &to);
        }
    }
}

#[test]
fn from_the_middle_and_on_to_the_end() {
    for (name, channel) in CHAINS {
        let dir = TempDir::new().unwrap();
        let whole = Ledger::open(dir.path().join("whole"), channel, config()).unwrap();
        let chain = blocks(name);
        let middles = [1, chain.len() / 3, chain.len() / 2, chain.len() - 2];
        for (number, block) in chain.iter().enumerate() {
            commit(&whole, name, block);
            if middles.contains(&number) {
                whole.snapshot(dir.path().join(number.to_string())).unwrap();
            }
        }
        for number in middles {
            let root = dir.path().join(format!("from{number}"));
            let ledgers = Ledgers::open(&root, config()).unwrap();
            let ledger = join(&ledgers, &dir.path().join(number.to_string())).unwrap();
            assert_eq!(ledger.height(), number as u64 + 1);
            chain[number + 1..].iter().for_each(|block| commit(&ledger, name, block));
            check_end(&ledger, name, &dir.path().join(format!("end{number}")));
        }
        drop(whole);
    }
}

#[test]
fn a_restart_goes_on_and_a_rebuild_comes_to_the_same() {
    let (name, channel) = PRIVATE;
    let dir = TempDir::new().unwrap();
    let whole = Ledger::open(dir.path().join("whole"), channel, config()).unwrap();
    let chain = blocks(name);
    chain[..20].iter().for_each(|block| commit(&whole, name, block));
    whole.snapshot(dir.path().join("snapshot")).unwrap();
    let root = dir.path().join("ledgers");
    drop(join(&Ledgers::open(&root, config()).unwrap(), &dir.path().join("snapshot")).unwrap());
    for (at, block) in chain.iter().enumerate().skip(20) {
        let place = root.join(channel);
        match at % 3 {
            1 => fs::remove_dir_all(place.join("index")).unwrap(),
            2 => fs::remove_dir_all(place.join("blocks/index")).unwrap(),
            _ => {}
        }
        let ledgers = Ledgers::open(&root, config()).unwrap();
        commit(&ledgers.get(channel).unwrap(), name, block);
    }
    let ledger = Ledger::open(root.join(channel), channel, config()).unwrap();
    check_end(&ledger, name, &dir.path().join("end"));
    drop(ledger);
    let mut memory: Config = config();
    memory.state.backend = state::Backend::Memory;
    let ledger = Ledger::open(root.join(channel), channel, memory).unwrap();
    check_end(&ledger, name, &dir.path().join("memory"));
}

#[test]
fn what_came_before_the_snapshot_is_known_to_be_gone() {
    let (name, channel) = CHAINS[0];
    let dir = TempDir::new().unwrap();
    let whole = Ledger::open(dir.path().join("whole"), channel, config()).unwrap();
    let chain = blocks(name);
    chain[..9].iter().for_each(|block| commit(&whole, name, block));
    whole.snapshot(dir.path().join("snapshot")).unwrap();
    let ledgers = Ledgers::open(dir.path().join("ledgers"), config()).unwrap();
    let ledger = join(&ledgers, &dir.path().join("snapshot")).unwrap();
    for block in [0, 8] {
        let error = text(&ledger.block(block).unwrap_err());
        let expected = format!("block {block} is not available: this ledger began from a snapshot");
        assert!(error.contains(&expected), "{error}");
    }
    assert_eq!(ledger.block(9).unwrap(), None);
    chain[9..].iter().for_each(|block| commit(&ledger, name, block));
    assert_eq!(ledger.block(9).unwrap().unwrap(), chain[9]);
    let id = |block: &Block| {
        let envelopes = proto::block::envelopes(block);
        block_store::indexed_tx_id(&envelopes[0]).unwrap()
    };
    let (before, after) = (id(&chain[5]), id(&chain[12]));
    assert!(ledger.tx_exists(&before).unwrap() && ledger.tx_exists(&after).unwrap());
    let error = text(&ledger.transaction(&before).unwrap_err());
    assert!(error.contains(&format!("transaction {before} is not available")), "{error}");
    assert!(ledger.block_by_tx_id(&before).is_err());
    assert_eq!(ledger.transaction(&after).unwrap().unwrap().block, 12);
    assert!(!ledger.tx_exists("none").unwrap());
    let hash = |block: &Block| proto::block::header_hash(block.header.as_ref().unwrap());
    assert_eq!(ledger.block_by_hash(&hash(&chain[5])).unwrap(), None);
    assert_eq!(ledger.block_by_hash(&hash(&chain[12])).unwrap().unwrap(), chain[12]);
    // The history of each key begins with the snapshot, too.
    chain[9..].iter().for_each(|block| commit(&whole, name, block));
    let first = Position { block: 9, tx: 0 };
    let mut expected = whole.history("gz2", "same", None, 100).unwrap();
    expected.retain(|it| it.position >= first);
    assert_eq!(ledger.history("gz2", "same", None, 100).unwrap(), expected);
}

/// Changes one file of a copy of a recorded snapshot, and the hashes with it unless told not to.
fn forged(to: &Path, name: &str, file: &str, change: &dyn Fn(&mut Vec<u8>)) {
    fs::create_dir_all(to).unwrap();
    for (name, bytes) in files(&recorded(name)) {
        fs::write(to.join(name), hex::decode(bytes).unwrap()).unwrap();
    }
    let mut bytes = fs::read(to.join(file)).unwrap();
    change(&mut bytes);
    fs::write(to.join(file), bytes).unwrap();
}

/// Makes the metadata say what the files are.
fn rehash(dir: &Path) {
    let path = dir.join("_snapshot_signable_metadata.json");
    let mut json: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    for (file, hash) in json["snapshot_files_raw_hashes"].as_object_mut().unwrap() {
        let bytes = fs::read(dir.join(file)).unwrap_or_default();
        *hash = hex::encode(proto::sha256(&bytes)).into();
    }
    let bytes = serde_json::to_vec_pretty(&json).unwrap();
    fs::write(&path, &bytes).unwrap();
    let path = dir.join("_snapshot_additional_metadata.json");
    let mut json: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    json["snapshot_hash"] = hex::encode(proto::sha256(&bytes)).into();
    fs::write(&path, serde_json::to_vec_pretty(&json).unwrap()).unwrap();
}

#[track_caller]
fn refused(root: &Path, dir: &Path, expected: &[&str]) {
    let ledgers = Ledgers::open(root, config()).unwrap();
    let error = text(&join(&ledgers, dir).unwrap_err());
    for expected in expected {
        assert!(error.contains(expected), "{error:?} does not say {expected:?}");
    }
    assert!(ledgers.list().is_empty() && tree(root).is_empty(), "{error}: {:?}", tree(root));
    let checked = Snapshot::open(dir, &config().snapshots)
        .and_then(|snapshot| snapshot.verify(&mut |_, _| {}));
    assert!(checked.is_err(), "only joining finds out: {error}");
}

#[test]
fn a_changed_byte_anywhere_is_found() {
    let dir = TempDir::new().unwrap();
    let root = dir.path().join("ledgers");
    for file in files(&recorded(PRIVATE.0)).keys() {
        let length = fs::metadata(recorded(PRIVATE.0).join(file)).unwrap().len() as usize;
        for at in [0, length / 3, length - 1] {
            let forgery = dir.path().join(format!("{file}-{at}"));
            forged(&forgery, PRIVATE.0, file, &|bytes| bytes[at] ^= 0x11);
            let named = if file.starts_with('_') { "_snapshot_" } else { file };
            refused(&root, &forgery, &[named.split('.').next().unwrap()]);
        }
        let forgery = dir.path().join(format!("{file}-without"));
        forged(&forgery, PRIVATE.0, file, &|_| {});
        fs::remove_file(forgery.join(file)).unwrap();
        refused(&root, &forgery, &[file]);
    }
}

#[test]
fn forgeries_with_good_hashes_are_refused_with_the_place() {
    let dir = TempDir::new().unwrap();
    let root = dir.path().join("ledgers");
    type Change<'a> = &'a dyn Fn(&mut Vec<u8>);
    let first_record = 2;
    let long = |bytes: &mut Vec<u8>| drop(bytes.splice(1..1, [0xff, 0xff, 0xff, 0xff, 0x7f]));
    let endless = |bytes: &mut Vec<u8>| drop(bytes.splice(1..1, [0xff; 11]));
    let cases: [(&str, Change<'_>, &str); 14] = [
        ("public_state.data", &|it| it[0] = 2, "offset 0: this version of the format"),
        ("public_state.data", &long, "offset 1: a record is longer than the file"),
        ("public_state.data", &endless, "offset 1: a number is too long"),
        ("public_state.data", &|it| it.push(0), "something follows the last record"),
        ("public_state.data", &|it| it.truncate(it.len() - 1), "longer than the file"),
        ("public_state.data", &|it| it.clear(), "offset 0: the file ends too early"),
        ("public_state.metadata", &|it| it[1] += 1, "the file ends too early"),
        ("public_state.metadata", &|it| it[1] -= 1, "something follows the last record"),
        ("public_state.metadata", &|it| it[first_record] = 0x80, "public_state.metadata"),
        ("txids.metadata", &|it| it[1] -= 1, "something follows the last record"),
        ("txids.data", &|it| it[first_record] = b'~', "the transaction ids are not ascending"),
        ("confighistory.data", &|it| it[first_record] = b'x', "names no chaincode and block"),
        ("confighistory.metadata", &|it| it[1] += 1, "the file ends too early"),
        ("private_state_hashes.metadata", &|it| it[5] = 0, "a namespace cannot stand here"),
    ];
    for (index, (file, change, expected)) in cases.into_iter().enumerate() {
        let forgery = dir.path().join(index.to_string());
        forged(&forgery, PRIVATE.0, file, change);
        rehash(&forgery);
        // What counts the records and the records themselves are read together.
        refused(&root, &forgery, &[file.split('.').next().unwrap(), expected]);
    }
}

#[test]
fn forged_metadata_is_refused() {
    let dir = TempDir::new().unwrap();
    let root = dir.path().join("ledgers");
    let signable = "_snapshot_signable_metadata.json";
    let cases = [
        ("\"gauze4\"", "\"../gauze4\"", "is not a channel id"),
        ("\"last_block_number\": 47", "\"last_block_number\": 18446744073709551615", "no block"),
        ("\"last_block_number\": 47", "\"last_block_number\": 46", "newer than the snapshot"),
        ("\"last_block_number\": 47", "\"last_block_number\": -1", "is not the metadata"),
        ("SimpleKeyValueDB", "Postgres", "is not a known state database"),
        ("\"txids.data\"", "\"../txids.data\"", "is no file of a snapshot"),
        ("\"txids.data\"", "\"public_state.data\"", "it does not name both files of txids"),
        ("\"fdb207", "\"xdb207", "is no hash"),
        ("\"channel_name\"", "\"channel\"", "unknown field"),
    ];
    for (index, (from, to, expected)) in cases.into_iter().enumerate() {
        let forgery = dir.path().join(index.to_string());
        forged(&forgery, PRIVATE.0, signable, &|bytes| {
            let text = String::from_utf8(bytes.clone()).unwrap();
            assert!(text.contains(from), "{from}");
            *bytes = text.replacen(from, to, 1).into_bytes();
        });
        let path = forgery.join("_snapshot_additional_metadata.json");
        let mut json: serde_json::Value =
            serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        let hash = proto::sha256(&fs::read(forgery.join(signable)).unwrap());
        json["snapshot_hash"] = hex::encode(hash).into();
        fs::write(&path, serde_json::to_vec(&json).unwrap()).unwrap();
        refused(&root, &forgery, &[expected]);
    }
    let forgery = dir.path().join("long");
    forged(&forgery, PRIVATE.0, signable, &|bytes| bytes.resize(1 << 17, b' '));
    refused(&root, &forgery, &["131072 bytes are too many"]);
    refused(&root, &dir.path().join("nowhere"), &["open", "nowhere"]);
}

#[test]
fn joining_is_all_or_nothing() {
    let (name, channel) = PRIVATE;
    let dir = TempDir::new().unwrap();
    let root = dir.path().join("ledgers");
    let ledgers = Ledgers::open(&root, config()).unwrap();
    let refuse = |_: &View| Err("not here".to_owned());
    let with = Joining { accept: &refuse, is_member: &|_, _, _| Ok(false) };
    let error = ledgers.create_from_snapshot(recorded(name), &with).unwrap_err();
    assert!(text(&error).contains("not here") && tree(&root).is_empty());

    // What a crash leaves is removed, and the rest of an interrupted join by block is no obstacle.
    drop(ledgers);
    let unfinished = root.join(format!("{channel}_joining"));
    fs::create_dir_all(unfinished.join("snapshot")).unwrap();
    fs::create_dir_all(root.join(channel).join("blocks/segments")).unwrap();
    let ledgers = Ledgers::open(&root, config()).unwrap();
    assert!(ledgers.list().is_empty() && !unfinished.exists());
    let ledger = join(&ledgers, &recorded(name)).unwrap();
    assert!(matches!(join(&ledgers, &recorded(name)), Err(Error::Exists(_))));
    assert!(matches!(ledgers.create(channel, &blocks(name)[0]), Err(Error::Exists(_))));
    drop((ledger, ledgers));
    assert_eq!(Ledgers::open(&root, config()).unwrap().list(), [channel]);

    // The copy it is rebuilt from is checked like any other.
    let file = root.join(channel).join("snapshot/public_state.data");
    let mut bytes = fs::read(&file).unwrap();
    bytes[1000] ^= 1;
    fs::write(&file, bytes).unwrap();
    drop(Ledger::open(root.join(channel), channel, config()).unwrap());
    fs::remove_dir_all(root.join(channel).join("index")).unwrap();
    let error = text(&Ledger::open(root.join(channel), channel, config()).unwrap_err());
    assert!(error.contains("public_state.data"), "{error}");
}

#[test]
fn private_data_from_before_is_missing_until_it_comes() {
    let (name, channel) = PRIVATE;
    let dir = TempDir::new().unwrap();
    let root = dir.path().join("ledgers");
    let ledgers = Ledgers::open(&root, config()).unwrap();
    let is_org1 = |_: &View, _: &str, collection: &str| Ok(collection != "_implicit_org_Org2MSP");
    let ledger = join_with(&ledgers, &recorded(name), &is_org1).unwrap();
    let missing = ledger.missing_private_data(1000).unwrap();
    assert!(!missing.is_empty());
    let of_org2 = |missing: &ledger::Missing| missing.collection == "_implicit_org_Org2MSP";
    assert!(!missing.values().flatten().any(of_org2), "{missing:?}");
    let complete = recorded_state(name, "org1");
    let clear = |state: &State| -> State {
        let held = state.iter().filter(|((namespace, _), _)| namespace.contains("$$p"));
        held.map(|(key, entry)| (key.clone(), entry.clone())).collect()
    };
    let state = || state_of(&ledger.view().unwrap());
    assert!(clear(&state()).is_empty() && !clear(&complete).is_empty());

    // Forged data changes nothing.
    for number in missing.keys() {
        let mut private = vectors::private(name, "org1", *number);
        for set in private.write_sets.values_mut().flat_map(|set| &mut set.ns_pvt_rwset) {
            for collection in &mut set.collection_pvt_rwset {
                let mut set = KvrwSet::decode(collection.rwset.clone()).unwrap();
                for write in &mut set.writes {
                    write.value = [&write.value[..], b"!"].concat().into();
                }
                collection.rwset = set.encode_to_vec().into();
            }
        }
        ledger.add_private_data(*number, private).unwrap();
    }
    assert!(clear(&state()).is_empty());
    for number in missing.keys() {
        ledger.add_private_data(*number, vectors::private(name, "org1", *number)).unwrap();
    }
    assert_state(&clear(&state()), &clear(&complete));
    drop((ledger, ledgers));

    // It is still there after everything was rebuilt.
    fs::remove_dir_all(root.join(channel).join("index")).unwrap();
    let ledger = Ledger::open(root.join(channel), channel, config()).unwrap();
    assert_state(&clear(&state_of(&ledger.view().unwrap())), &clear(&complete));
}

#[test]
fn commits_go_on_while_a_snapshot_is_written() {
    let (name, channel) = PRIVATE;
    let dir = TempDir::new().unwrap();
    let ledger = Arc::new(Ledger::open(dir.path().join("whole"), channel, config()).unwrap());
    let chain = blocks(name);
    chain[..20].iter().for_each(|block| commit(&ledger, name, block));
    ledger.snapshot(dir.path().join("expected")).unwrap();
    let export = ledger.export().unwrap();
    chain[20..].iter().for_each(|block| commit(&ledger, name, block));
    assert_eq!(export.last_block(), 19);
    export.write(dir.path().join("late")).unwrap();
    assert!(files(&dir.path().join("late")) == files(&dir.path().join("expected")));
    // Also when the view is long gone.
    ledger.snapshot_of(19, dir.path().join("later")).unwrap();
    assert!(files(&dir.path().join("later")) == files(&dir.path().join("expected")));
    let names: Vec<_> = tree(dir.path());
    assert_eq!(names, ["expected", "late", "later", "whole"]);
    ledger.snapshot_of(47, dir.path().join("end")).unwrap();
    assert!(files(&dir.path().join("end")) == files(&recorded(name)));
    let error = ledger.snapshot_of(48, dir.path().join("future")).unwrap_err();
    assert!(matches!(error, Error::NotCommitted { number: 48, height: 48 }));

    // The same on a ledger that began from a snapshot itself.
    let ledgers = Ledgers::open(dir.path().join("joined"), config()).unwrap();
    let joined = join(&ledgers, &dir.path().join("expected")).unwrap();
    chain[20..].iter().for_each(|block| commit(&joined, name, block));
    ledger.snapshot_of(30, dir.path().join("30")).unwrap();
    joined.snapshot_of(30, dir.path().join("30-joined")).unwrap();
    assert!(files(&dir.path().join("30")) == files(&dir.path().join("30-joined")));
    joined.snapshot_of(19, dir.path().join("19-joined")).unwrap();
    assert!(files(&dir.path().join("19-joined")) == files(&dir.path().join("expected")));
    let error = text(&joined.snapshot_of(18, dir.path().join("18")).unwrap_err());
    assert!(error.contains("block 18 is not available"), "{error}");
}

#[test]
fn a_block_to_come_can_be_reserved() {
    let (name, channel) = PRIVATE;
    let dir = TempDir::new().unwrap();
    let ledger = Arc::new(Ledger::open(dir.path().join("whole"), channel, config()).unwrap());
    let chain = blocks(name);
    chain[..10].iter().for_each(|block| commit(&ledger, name, block));
    assert!(!ledger.reserve(8).unwrap(), "passed");
    for last in [9, 15, 16, 20, 90] {
        assert!(ledger.reserve(last).unwrap(), "{last}");
    }
    ledger.release(20);
    chain[10..].iter().for_each(|block| commit(&ledger, name, block));
    for last in [9, 15, 16] {
        let export = ledger.reserved(last).unwrap().unwrap();
        export.write(dir.path().join(format!("{last}"))).unwrap();
        ledger.snapshot_of(last, dir.path().join(format!("{last}-again"))).unwrap();
        let found = files(&dir.path().join(format!("{last}")));
        assert!(found == files(&dir.path().join(format!("{last}-again"))), "{last}");
        assert!(ledger.reserved(last).unwrap().is_none(), "it is given out once");
    }
    assert!(ledger.reserved(20).unwrap().is_none() && ledger.reserved(90).unwrap().is_none());
    assert!(ledger.reserve(47).unwrap());
    ledger.reserved(47).unwrap().unwrap().write(dir.path().join("end")).unwrap();
    assert!(files(&dir.path().join("end")) == files(&recorded(name)));
    // A reservation does not keep the databases of a closed ledger open.
    assert!(ledger.reserve(47).unwrap());
    drop(ledger);
    Ledger::open(dir.path().join("whole"), channel, config()).unwrap();
}

#[test]
fn commits_wait_before_they_cut_a_snapshot_off() {
    let (name, channel) = PRIVATE;
    let dir = TempDir::new().unwrap();
    let mut config = config();
    config.state.view_lag_blocks_max = 8;
    let ledger = Arc::new(Ledger::open(dir.path().join("whole"), channel, config).unwrap());
    let chain = blocks(name);
    chain[..10].iter().for_each(|block| commit(&ledger, name, block));
    ledger.snapshot(dir.path().join("expected")).unwrap();
    let export = ledger.export().unwrap();
    std::thread::scope(|scope| {
        let mut height = ledger.watch();
        scope.spawn(|| chain[10..].iter().for_each(|block| commit(&ledger, name, block)));
        while *height.borrow_and_update() < 14 {
            std::thread::yield_now();
        }
        // It would go on at once if nothing held it.
        std::thread::sleep(std::time::Duration::from_millis(50));
        assert_eq!(ledger.height(), 14);
        export.write(dir.path().join("late")).unwrap();
    });
    assert_eq!(ledger.height(), chain.len() as u64);
    assert!(files(&dir.path().join("late")) == files(&dir.path().join("expected")));
}

#[test]
fn contents_are_counted() {
    let found = Snapshot::open(recorded(PRIVATE.0), &snapshot::SnapshotConfig::default()).unwrap();
    let mut told = 0;
    let contents = found.verify(&mut |_, _| told += 1).unwrap();
    assert_eq!(found.last_block(), 47);
    assert_eq!(found.hash(), "b71aab9146dd030642ce49227831c2dfe1fbdf4a67cd2d770e055b705124cea5");
    assert_eq!(contents.public_keys[""], 1);
    assert!(contents.collection_configs > 0);
    let keys: u64 = contents.public_keys.values().chain(contents.private_keys.values()).sum();
    assert_eq!(told, keys + contents.transactions);
}
