//! Ledgers in which nothing is wrong.

use std::path::Path;

use ledger::snapshot::Joining;
use peer::verify::{At, Options, Outcome, Recorded, Report, fabric, gauze};
use proto::peer::TxValidationCode;

use super::{
    copied, copy, read_block, stopped, vectors, verify_fabric, verify_gauze, verify_in_use,
    wait_until_closed,
};
use crate::replay::{replayed, replayed_until};

const NAMES: [&str; 4] = ["l1-simple", "l2-invalid", "l3-governance", "l4-private"];

#[track_caller]
fn is_clean(report: &Report, name: &str) {
    assert!(report.is_clean(), "{name}: {:#?}", report.difference);
    let outcomes = report.checks.iter().map(|check| check.outcome);
    assert!(outcomes.clone().all(|it| it == Outcome::Held), "{name}: {:#?}", report.checks);
}

#[track_caller]
fn names(report: &Report) -> Vec<&'static str> {
    report.checks.iter().map(|check| check.name).collect()
}

#[test]
fn recordings_of_fabric() {
    for name in NAMES {
        let report = verify_fabric(&vectors(name), &Options::default()).unwrap();
        is_clean(&report, name);
        for check in ["hash chain", "orderer signatures", "validation", "state", "snapshot"] {
            assert!(names(&report).contains(&check), "{name}: {report:#?}");
        }
        let blocks = std::fs::read_dir(vectors(name).join("blocks")).unwrap().count();
        assert_eq!(report.blocks, blocks as u64);
        assert_eq!(report.codes.values().sum::<u64>(), report.transactions);
    }
}

#[test]
fn block_files_of_fabric() {
    let file = vectors("l1-simple").join("blockfile_000000");
    let alone = verify_fabric(&file, &Options::default()).unwrap();
    is_clean(&alone, "file");
    assert_eq!((alone.blocks, alone.channel.as_str()), (52, "gauze1"));
    // In the folder of a peer, divided into several files, with the last block cut off.
    let bytes = std::fs::read(&file).unwrap();
    let ends = block_ends(&bytes);
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("ledgersData/chains/chains/gauze1");
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(dir.join("blockfile_000000"), &bytes[..ends[10]]).unwrap();
    std::fs::write(dir.join("blockfile_000001"), &bytes[ends[10]..ends[30]]).unwrap();
    std::fs::write(dir.join("blockfile_000002"), &bytes[ends[30]..bytes.len() - 7]).unwrap();
    for path in [root.path().join("ledgersData"), root.path().join("ledgersData/chains"), dir] {
        let report = verify_fabric(&path, &Options { to: Some(3), ..Options::default() }).unwrap();
        assert_eq!(report.blocks, 4);
    }
    let report = verify_fabric(root.path(), &Options::default()).unwrap();
    is_clean(&report, "files");
    assert_eq!(report.blocks, 51);
    assert!(report.notes[0].contains("blockfile_000002 ends with"), "{:?}", report.notes);
}

/// Where the blocks of a block file end.
fn block_ends(bytes: &[u8]) -> Vec<usize> {
    let mut ends = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let length = prost::encoding::decode_varint(&mut rest).unwrap() as usize;
        rest = &rest[length..];
        ends.push(bytes.len() - rest.len());
    }
    ends
}

#[test]
fn ledgers_of_gauze() {
    for name in NAMES {
        let dir = tempfile::tempdir().unwrap();
        let ledger = stopped(dir.path(), name);
        let report = verify_gauze(&ledger, &Options::default()).unwrap();
        is_clean(&report, name);
        assert_eq!(report.channel, ledger.file_name().unwrap().to_str().unwrap());
        let expected = ["state", "private data", "history", "transaction index", "block index"];
        assert_eq!(names(&report)[4..], expected, "{name}");
        assert_eq!(gauze::find(dir.path()).unwrap(), [ledger]);
    }
}

#[test]
fn the_last_block_to_verify() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = stopped(dir.path(), "l2-invalid");
    let options = Options { to: Some(12), ..Options::default() };
    for report in [
        verify_gauze(&ledger, &options).unwrap(),
        verify_fabric(&vectors("l2-invalid"), &options).unwrap(),
    ] {
        assert!(report.is_clean(), "{report:#?}");
        assert_eq!(report.blocks, 13);
        let state = report.checks.iter().find(|check| check.name == "state").unwrap();
        assert_eq!(state.outcome, Outcome::Skipped, "{report:#?}");
    }
}

#[test]
fn a_ledger_in_use() {
    let dir = tempfile::tempdir().unwrap();
    let channel = replayed(dir.path(), "l2-invalid", "org1", "Org1MSP");
    let report = verify_in_use(&dir.path().join(channel.id()), &Options::default()).unwrap();
    assert!(report.is_clean(), "{report:#?}");
    assert_eq!(report.blocks, channel.height());
    assert!(report.notes[0].contains("Stop the peer"), "{:?}", report.notes);
    assert!(report.checks.iter().any(|check| check.outcome == Outcome::Skipped), "{report:#?}");
}

#[test]
fn a_state_that_lags_behind_its_blocks() {
    let whole = tempfile::tempdir().unwrap();
    let dir = stopped(whole.path(), "l2-invalid");
    // Blocks of the whole ledger beside the state of a part of it.
    let part = tempfile::tempdir().unwrap();
    let channel = replayed_until(part.path(), "l2-invalid", "org1", "Org1MSP", 12);
    let part_of_it = part.path().join(channel.id());
    drop(channel);
    wait_until_closed(&part_of_it);
    for folder in ["index", "blocks/index"] {
        std::fs::remove_dir_all(dir.join(folder)).unwrap();
        copy(&part_of_it.join(folder), &dir.join(folder));
    }
    let report = verify_gauze(&dir, &Options::default()).unwrap();
    is_clean(&report, "lag");
    assert_eq!(report.blocks, 30);
    // And without any: it is built when the peer starts.
    for folder in ["index", "blocks/index"] {
        std::fs::remove_dir_all(dir.join(folder)).unwrap();
    }
    let report = verify_gauze(&dir, &Options::default()).unwrap();
    assert!(report.is_clean(), "{report:#?}");
}

/// A ledger that begins behind the snapshot of some block, and the rest of its blocks.
#[test]
fn a_ledger_that_began_from_a_snapshot() {
    let whole = tempfile::tempdir().unwrap();
    let channel = replayed_until(whole.path(), "l4-private", "org1", "Org1MSP", 30);
    let snapshot = whole.path().join("taken");
    channel.ledger().snapshot(&snapshot).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let ledgers = ledger::Ledgers::open(dir.path(), ledger::Config::default()).unwrap();
    let with = Joining { accept: &|_| Ok(()), is_member: &|_, _, _| Ok(true) };
    let ledger = ledgers.create_from_snapshot(&snapshot, &with).unwrap();
    let path = dir.path().join(ledger.channel_id());
    drop((ledger, ledgers));
    wait_until_closed(&path);
    let report = verify_gauze(&path, &Options::default()).unwrap();
    assert!(report.is_clean(), "{report:#?}");
    assert_eq!((report.first, report.blocks), (31, 0));

    // The blocks behind it are those of the recording.
    let ledger = ledger::Ledger::open(&path, channel.id(), ledger::Config::default()).unwrap();
    for number in 31..48 {
        let recorded = read_block(&vectors("l4-private"), number);
        let codes = codes_before(&recorded);
        let committed = ledger.commit(recorded.clone(), codes, Default::default()).unwrap();
        assert_eq!(committed.block, recorded);
    }
    drop(ledger);
    wait_until_closed(&path);
    let report = verify_gauze(&path, &Options::default()).unwrap();
    is_clean(&report, "behind a snapshot");
    assert_eq!((report.first, report.blocks), (31, 17));
    assert!(report.notes[0].contains("snapshot"), "{:?}", report.notes);

    // A snapshot that is not what its hashes say.
    let state = path.join("snapshot/public_state.data");
    let mut bytes = std::fs::read(&state).unwrap();
    bytes[700] ^= 1;
    std::fs::write(&state, bytes).unwrap();
    let report = verify_gauze(&path, &Options::default()).unwrap();
    let found = report.difference.unwrap();
    assert_eq!(found.what, peer::verify::What::Snapshot, "{found}");
    assert!(!found.remedy.is_empty());
}

/// The codes before versions are compared.
fn codes_before(block: &proto::common::Block) -> Vec<TxValidationCode> {
    let code = |byte: &u8| match TxValidationCode::try_from(i32::from(*byte)).unwrap() {
        TxValidationCode::MvccReadConflict | TxValidationCode::PhantomReadConflict => {
            TxValidationCode::Valid
        }
        code => code,
    };
    proto::block::transactions_filter(block).iter().map(code).collect()
}

#[test]
fn what_is_no_ledger() {
    let empty = tempfile::tempdir().unwrap();
    for path in [empty.path(), Path::new("/nonexistent/folder")] {
        assert!(gauze::find(path).is_err());
        assert!(fabric::find(path).is_err());
    }
    let folder = copied("l2-invalid");
    assert!(gauze::find(folder.path()).is_err());
    assert_eq!(fabric::find(folder.path()).unwrap().len(), 1);
    let all = fabric::find(vectors("").as_path()).unwrap();
    assert_eq!(all.len(), NAMES.len());
}

/// Something recorded that cannot be compared without a panic.
struct Panics;

impl Recorded for Panics {
    fn name(&self) -> &'static str {
        "panics"
    }

    fn at(&self) -> At {
        At::Block(2)
    }

    fn compare(
        &mut self,
        _: &ledger::Ledger,
    ) -> Result<peer::verify::Findings, peer::verify::Error> {
        panic!("a database that panics");
    }
}

#[test]
fn a_panic_is_a_difference() {
    let scratch = tempfile::tempdir().unwrap();
    let found = fabric::find(&vectors("l2-invalid")).unwrap().remove(0);
    let mut subject = fabric::open(&found, scratch.path()).unwrap();
    subject.recorded = vec![Box::new(Panics)];
    let replay = scratch.path().join("replay");
    let report = peer::verify::verify(subject, &Options::default(), &replay, &|_| {}).unwrap();
    assert_eq!(report.blocks, 3);
    assert_eq!(report.difference.unwrap().what, peer::verify::What::Database);
}
