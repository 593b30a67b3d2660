//! `gauze ledger verify` as people run it: on recordings, on changed ones, on a running peer.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::harness::{MAIN, shared};

const DIFFERENT: i32 = 1;
const NOT_FOUND: i32 = 3;

fn vectors(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../ledger/tests/vectors")).join(name)
}

/// Runs it where there is no `gauze.toml`: exit code, result and error.
fn verify(arguments: &[&str], dir: &Path) -> (i32, String, String) {
    let elsewhere = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_gauze"));
    command.current_dir(elsewhere.path()).env("TMPDIR", elsewhere.path());
    let output = command.args(["ledger", "verify"]).args(arguments).arg(dir).output().unwrap();
    let left = std::fs::read_dir(elsewhere.path()).unwrap().count();
    assert_eq!(left, 0, "the scratch folder is removed");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn recordings() {
    let (code, out, err) = verify(&["--from-fabric", "--output", "json"], &vectors(""));
    assert_eq!((code, err.as_str()), (0, ""), "nothing but the result where nobody watches: {out}");
    let json: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(json["verified"], true);
    let channels: Vec<_> =
        json["ledgers"].as_array().unwrap().iter().map(|it| &it["channel"]).collect();
    assert_eq!(channels, ["gauze1", "gauze2", "gauze3", "gauze4"]);
    let (code, out, _) = verify(&["--from-fabric"], &vectors("l1-simple/blockfile_000000"));
    assert_eq!(code, 0, "{out}");
    assert!(out.contains("✔ validation") && out.contains("verified"), "{out}");
}

#[test]
fn a_changed_recording() {
    let dir = tempfile::tempdir().unwrap();
    let blocks = dir.path().join("blocks");
    std::fs::create_dir(&blocks).unwrap();
    for number in 0..15 {
        let name = format!("block_{number:06}.pb");
        std::fs::copy(vectors("l2-invalid/blocks").join(&name), blocks.join(&name)).unwrap();
    }
    let path = blocks.join("block_000012.pb");
    let mut block = proto::block::parse(std::fs::read(&path).unwrap().into()).unwrap();
    let filter = proto::common::BlockMetadataIndex::TransactionsFilter;
    proto::block::set_slot(&mut block, filter, vec![0].into());
    std::fs::write(&path, prost::Message::encode_to_vec(&block)).unwrap();

    let (code, out, err) = verify(&["--from-fabric"], dir.path());
    assert_eq!(code, DIFFERENT, "{out}{err}");
    assert!(out.contains("✘ validation"), "{out}");
    for part in [
        "block 12, transaction 0 (id ",
        "validation code",
        "expected MVCC_READ_CONFLICT",
        "found VALID",
        "next: ",
    ] {
        assert!(err.contains(part), "{part}: {err}");
    }
    let (code, out, _) = verify(&["--from-fabric", "--output", "json"], dir.path());
    let json: Value = serde_json::from_str(&out).unwrap();
    let difference = &json["ledgers"][0]["difference"];
    assert_eq!((code, &json["verified"]), (DIFFERENT, &Value::from(false)));
    assert_eq!((&difference["what"], &difference["block"]), (&"validationCode".into(), &12.into()));
    assert_eq!(difference["transaction"]["index"], 0);
    let (code, ..) = verify(&["--from-fabric", "--to", "11"], dir.path());
    assert_eq!(code, 0, "nothing is wrong before it");
}

#[test]
fn what_is_no_ledger() {
    let (code, _, err) = verify(&[], Path::new("/nonexistent"));
    assert_eq!(code, NOT_FOUND, "{err}");
    let (code, _, err) = verify(&[], &vectors("l1-simple"));
    assert_eq!(code, NOT_FOUND, "{err}");
    assert!(err.contains("next: gauze ledger verify --from-fabric"), "{err}");
}

#[test]
fn a_running_peer() {
    let network = shared();
    let data = network.state().join("nodes/peer0.alpha");
    let (code, out, err) = verify(&["--output", "json"], &data);
    assert_eq!(code, 0, "{out}{err}");
    let json: Value = serde_json::from_str(&out).unwrap();
    let ledgers = json["ledgers"].as_array().unwrap();
    let main = ledgers.iter().find(|ledger| ledger["channel"] == MAIN).unwrap();
    assert!(main["blocks"].as_u64().unwrap() >= 3, "{main:#}");
    assert!(main["notes"][0].as_str().unwrap().contains("Stop the peer"), "{main:#}");
}
