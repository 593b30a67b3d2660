use std::fs;
use std::path::Path;

use bytes::Bytes;
use proto::common::Block;
use tempfile::TempDir;

use super::*;

fn config() -> Config {
    Config { segment_bytes_max: 2000, recent_blocks_max: 2, ..Config::default() }
}

fn envelope(tx_id: &str) -> Bytes {
    use prost::Message;
    use proto::common::{ChannelHeader, Header, Payload, SignatureHeader};
    let channel = ChannelHeader { tx_id: tx_id.into(), ..Default::default() };
    let signature = SignatureHeader { creator: "c".into(), nonce: "n".into() };
    let header = Header {
        channel_header: channel.encode_to_vec().into(),
        signature_header: signature.encode_to_vec().into(),
    };
    let payload = Payload { header: Some(header), data: "data".into() };
    proto::envelope::encode(&payload.encode_to_vec(), b"signature")
}

/// Blocks of three transactions: one of its own, one that repeats in every block, one that is no
/// envelope.
fn chain(length: u64) -> Vec<Block> {
    let mut previous = Bytes::new();
    let mut blocks = Vec::new();
    for number in 0..length {
        let own = envelope(&format!("tx{number}"));
        let data = vec![own, envelope("same"), Bytes::from_static(b"\xff")];
        let block = proto::block::new(number, previous, data);
        let hash = proto::block::header_hash(block.header.as_ref().unwrap());
        previous = Bytes::copy_from_slice(&hash);
        blocks.push(block);
    }
    blocks
}

fn filled(dir: &Path, length: u64) -> Vec<Block> {
    let store = BlockStore::open(dir, config()).unwrap();
    let blocks = chain(length);
    for block in &blocks {
        store.append(block).unwrap();
    }
    blocks
}

#[track_caller]
fn check(store: &BlockStore, blocks: &[Block]) {
    assert_eq!(store.height(), blocks.len() as u64);
    assert_eq!(*store.watch().borrow(), blocks.len() as u64);
    assert_eq!(store.last_block().unwrap().as_ref(), blocks.last());
    for (number, block) in (0..).zip(blocks) {
        let hash = proto::block::header_hash(block.header.as_ref().unwrap());
        assert_eq!(store.block(number).unwrap().as_ref(), Some(block));
        assert_eq!(store.block_by_hash(&hash).unwrap().as_ref(), Some(block));
        let own = format!("tx{number}");
        assert_eq!(store.position_of(&own).unwrap(), Some((number, 0)));
        assert_eq!(store.position_of("same").unwrap(), Some((0, 1)), "the first occurrence");
        assert_eq!(store.block_by_tx_id(&own).unwrap().as_ref(), Some(block));
    }
    assert_eq!(store.block(blocks.len() as u64).unwrap(), None);
    assert!(!store.tx_exists("other").unwrap());
}

#[test]
fn blocks_are_found_after_reopening() {
    let dir = TempDir::new().unwrap();
    let blocks = filled(dir.path(), 30);
    let store = BlockStore::open(dir.path(), config()).unwrap();
    check(&store, &blocks);
    let info = store.info().unwrap();
    assert_eq!(info.height, 30);
    assert_eq!(info.current_block_hash, store.last_hash().unwrap().as_slice());
}

#[test]
fn several_blocks_are_appended_together() {
    let dir = TempDir::new().unwrap();
    let store = BlockStore::open(dir.path(), config()).unwrap();
    let blocks = chain(10);
    store.append_all(&blocks[..4]).unwrap();
    store.append_all(&[]).unwrap();
    store.append_all(&blocks[4..]).unwrap();
    check(&store, &blocks);
}

#[test]
fn blocks_that_do_not_follow_are_refused() {
    let dir = TempDir::new().unwrap();
    let store = BlockStore::open(dir.path(), config()).unwrap();
    let blocks = chain(3);
    assert!(matches!(store.append(&blocks[1]), Err(Error::Number { height: 0, found: 1 })));
    store.append(&blocks[0]).unwrap();
    assert!(matches!(store.append(&blocks[0]), Err(Error::Number { .. })));
    let mut forged = blocks[1].clone();
    forged.header.as_mut().unwrap().previous_hash = Bytes::from_static(&[1; 32]);
    assert!(matches!(store.append(&forged), Err(Error::PreviousHash(1))));
    assert!(store.append(&Block::default()).is_err());
    store.append_all(&blocks[1..]).unwrap();
    check(&store, &blocks);
}

#[test]
fn the_index_is_rebuilt_when_missing_or_damaged() {
    let dir = TempDir::new().unwrap();
    let blocks = filled(dir.path(), 30);
    let index = dir.path().join("index");
    fs::remove_dir_all(&index).unwrap();
    check(&BlockStore::open(dir.path(), config()).unwrap(), &blocks);
    for file in ["db", "conf"] {
        fs::write(index.join(file), b"no database at all").unwrap();
        check(&BlockStore::open(dir.path(), config()).unwrap(), &blocks);
    }
}

#[test]
fn the_index_follows_the_segments_when_behind_or_ahead() {
    let dir = TempDir::new().unwrap();
    let blocks = filled(dir.path(), 20);
    let other = TempDir::new().unwrap();
    filled(other.path(), 30);
    let swap = |from: &Path, to: &Path| {
        fs::remove_dir_all(to).unwrap();
        fs::rename(from, to).unwrap();
    };
    swap(&other.path().join("index"), &dir.path().join("index"));
    check(&BlockStore::open(dir.path(), config()).unwrap(), &blocks);
    filled(other.path().join("fresh").as_path(), 4);
    swap(&other.path().join("fresh/index"), &dir.path().join("index"));
    check(&BlockStore::open(dir.path(), config()).unwrap(), &blocks);
}

#[test]
fn a_torn_block_is_cut_off_and_can_be_appended_again() {
    let dir = TempDir::new().unwrap();
    let blocks = filled(dir.path(), 3);
    let file = dir.path().join("segments/0000000000.segment");
    let whole = fs::read(&file).unwrap();
    for cut in 1..100 {
        fs::write(&file, &whole[..whole.len() - cut]).unwrap();
        let store = BlockStore::open(dir.path(), config()).unwrap();
        check(&store, &blocks[..2]);
        store.append(&blocks[2]).unwrap();
        check(&store, &blocks);
    }
}

#[test]
fn damage_is_named_with_file_and_offset() {
    let dir = TempDir::new().unwrap();
    filled(dir.path(), 30);
    let file = dir.path().join("segments/0000000000.segment");
    let mut bytes = fs::read(&file).unwrap();
    bytes[100] ^= 1;
    fs::write(&file, &bytes).unwrap();
    // Old segments are not read again at every start, but no damaged block is ever served.
    let store = BlockStore::open(dir.path(), config()).unwrap();
    let text = store.block(0).unwrap_err().to_string();
    assert!(text.contains("0000000000.segment") && text.contains("offset 16"), "{text}");
    drop(store);
    fs::remove_dir_all(dir.path().join("index")).unwrap();
    let text = BlockStore::open(dir.path(), config()).unwrap_err().to_string();
    assert!(text.contains("restore") && text.contains("offset 16"), "{text}");
}

#[test]
fn orderers_do_without_transaction_ids() {
    let dir = TempDir::new().unwrap();
    let config = Config { index_transactions: false, ..config() };
    let store = BlockStore::open(dir.path(), config).unwrap();
    store.append_all(&chain(3)).unwrap();
    assert!(!store.tx_exists("tx0").unwrap());
    assert_eq!(store.height(), 3);
}
