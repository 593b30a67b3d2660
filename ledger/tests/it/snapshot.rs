//! Snapshots of recorded chains are the recorded snapshots.

use std::collections::BTreeMap;
use std::path::Path;

use prost::Message;
use proto::common::{ChannelHeader, Header, Payload};
use proto::transaction::TxValidationCode;
use tempfile::TempDir;

use crate::chain::{block, create, text};
use crate::vectors;

pub(crate) fn files(dir: &Path) -> BTreeMap<String, String> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| {
        let entry = entry.unwrap();
        let bytes = std::fs::read(entry.path()).unwrap();
        (entry.file_name().into_string().unwrap(), hex::encode(bytes))
    });
    entries.collect()
}

#[track_caller]
fn check(name: &str, channel: &str) {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("ledger");
    let ledger = ledger::Ledger::open(&path, channel, vectors::config()).unwrap();
    vectors::replay(&ledger, name, "org1");
    let target = dir.path().join("snapshot");
    let metadata = ledger.snapshot(&target).unwrap();
    assert_eq!(metadata.last_block_number, ledger.height() - 1);
    let (found, expected) = (files(&target), files(&vectors::dir(name).join("snapshot")));
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (file, bytes) in &expected {
        assert_eq!(&found[file], bytes, "{name}: {file}");
    }
    assert!(ledger.snapshot(&target).is_err(), "it is not overwritten");
}

#[test]
fn of_valid_transactions() {
    check("l1-simple", "gauze1");
}

#[test]
fn of_invalid_transactions() {
    check("l2-invalid", "gauze2");
}

#[test]
fn of_governance() {
    check("l3-governance", "gauze3");
}

#[test]
fn of_private_data() {
    check("l4-private", "gauze4");
}

/// What cannot be read has the empty id; an id that can be read is used up, whatever follows it.
#[test]
fn of_transactions_nobody_can_read() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("ledger");
    let ledger = create(&path);
    let header = |channel_header: ChannelHeader| {
        let header = Header {
            channel_header: channel_header.encode_to_vec().into(),
            signature_header: text("\u{0}"),
        };
        let payload = Payload { header: Some(header), data: text("data") };
        proto::envelope::encode(&payload.encode_to_vec(), b"signature")
    };
    let unreadable = proto::envelope::encode(b"\xff", b"signature");
    let claimed = header(ChannelHeader { tx_id: "claimed".into(), ..Default::default() });
    let nameless = header(ChannelHeader::default());
    let codes = [TxValidationCode::BadPayload, TxValidationCode::BadCommonHeader];
    let codes = vec![codes[0], codes[1], codes[1]];
    let next = block(&ledger, vec![unreadable, claimed, nameless]);
    ledger.commit(next, codes, Default::default()).unwrap();
    drop(ledger);
    let expected = b"\x01\x00\x06config\x07claimed";
    for name in ["first", "again"] {
        let ledger = create(&path);
        assert!(ledger.tx_exists("claimed").unwrap());
        let target = dir.path().join(name);
        ledger.snapshot(&target).unwrap();
        assert_eq!(std::fs::read(target.join("txids.data")).unwrap(), expected);
        drop(ledger);
        // With the indexes made again from the blocks.
        std::fs::remove_dir_all(path.join("index")).unwrap();
        std::fs::remove_dir_all(path.join("blocks/index")).unwrap();
    }
}
