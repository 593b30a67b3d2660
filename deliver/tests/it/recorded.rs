//! Blocks of real Fabric networks, and what a dishonest orderer might make of them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use channel::Bundle;
use deliver::Verifier;
use deliver::verify::{Error, verify_block};
use prost::Message;
use proto::block;
use proto::common::{Block, BlockMetadataIndex, Metadata};

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn read(path: &Path) -> Block {
    block::parse(std::fs::read(path).unwrap().into()).unwrap()
}

fn recorded_chain(name: &str) -> Vec<Block> {
    let folder = workspace().join("ledger/tests/vectors").join(name).join("blocks");
    let mut files: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().map(|path| read(path)).collect()
}

fn byzantine_chain() -> [Block; 2] {
    let folder = workspace().join("channel/tests/fixtures/bft");
    [read(&folder.join("b0.block")), read(&folder.join("b1.block"))]
}

fn after(block: &Block) -> Verifier {
    Verifier::after(Arc::new(Bundle::from_block(block).unwrap()), block.header.as_ref().unwrap())
}

#[test]
fn recorded_chains_verify_through_all_their_configurations() {
    for (name, blocks, sequence) in
        [("l1-simple", 52, 0), ("l2-invalid", 0, 0), ("l3-governance", 48, 9), ("l4-private", 0, 0)]
    {
        let chain = recorded_chain(name);
        assert!(chain.len() > 10 && (blocks == 0 || chain.len() == blocks), "{name}");
        let mut verifier = after(&chain[0]);
        for block in &chain[1..] {
            verifier.verify(block).unwrap_or_else(|error| panic!("{name}: {error:?}"));
        }
        assert_eq!(verifier.bundle().sequence(), sequence, "{name}");
        assert_eq!(verifier.next(), chain.len() as u64);
    }
}

#[test]
fn a_byzantine_quorum_is_recognised_by_its_numbers() {
    let [genesis, first] = byzantine_chain();
    let mut verifier = after(&genesis);
    verifier.verify(&first).unwrap();
    let signatures = |keep: usize| {
        let mut block = first.clone();
        let mut metadata = block::signatures(&block).unwrap();
        assert!(metadata.signatures.len() >= 3);
        metadata.signatures.truncate(keep);
        block::set_slot(
            &mut block,
            BlockMetadataIndex::Signatures,
            metadata.encode_to_vec().into(),
        );
        after(&genesis).verify(&block)
    };
    assert!(signatures(3).is_ok());
    assert!(matches!(signatures(2), Err(Error::Signatures { .. })));
    assert!(matches!(signatures(0), Err(Error::Signatures { .. })));
}

#[test]
fn one_byzantine_signature_is_not_counted_thrice() {
    let [genesis, first] = byzantine_chain();
    let mut block = first.clone();
    let mut metadata = block::signatures(&block).unwrap();
    metadata.signatures = vec![metadata.signatures[0].clone(); 4];
    block::set_slot(&mut block, BlockMetadataIndex::Signatures, metadata.encode_to_vec().into());
    assert!(matches!(after(&genesis).verify(&block), Err(Error::Signatures { .. })));
}

#[track_caller]
fn check(tamper: impl FnOnce(&mut Block), expected: fn(&Error) -> bool) {
    let chain = recorded_chain("l1-simple");
    let mut verifier = after(&chain[0]);
    verifier.verify(&chain[1]).unwrap();
    let mut block = chain[2].clone();
    tamper(&mut block);
    let error = verifier.verify(&block).unwrap_err();
    assert!(expected(&error), "{error:?}");
    verifier.verify(&chain[2]).expect("a refused block changes nothing");
}

/// Makes the data hash that of the data.
fn rehash(block: &mut Block) {
    let hash = block::data_hash(&block.data.as_ref().unwrap().data);
    block.header.as_mut().unwrap().data_hash = Bytes::copy_from_slice(&hash);
}

#[test]
fn tampered_blocks_are_refused() {
    check(|block| block.header.as_mut().unwrap().number = 3, |e| matches!(e, Error::Number { .. }));
    check(
        |block| block.header.as_mut().unwrap().previous_hash = vec![7; 32].into(),
        |e| matches!(e, Error::PreviousHash(2)),
    );
    check(
        |block| block.metadata.as_mut().unwrap().metadata.truncate(4),
        |e| matches!(e, Error::Metadata { slots: 4, .. }),
    );
    check(|block| block.metadata = None, |e| matches!(e, Error::Metadata { slots: 0, .. }));
    check(|block| block.data = None, |e| matches!(e, Error::Block(_)));
    check(|block| block.header = None, |e| matches!(e, Error::Block(_)));
    check(
        |block| block.data.as_mut().unwrap().data[0] = b"junk".as_slice().into(),
        |e| matches!(e, Error::Block(block::Error::Malformed { .. })),
    );
    check(
        |block| {
            let envelope = &mut block.data.as_mut().unwrap().data[0];
            *envelope = [&envelope[..], b"\x0a\x00"].concat().into();
            rehash(block);
        },
        |e| matches!(e, Error::Block(block::Error::Malformed { .. })),
    );
    check(
        |block| {
            let data = &mut block.data.as_mut().unwrap().data;
            data.push(data[0].clone());
        },
        |e| matches!(e, Error::Block(block::Error::DataHash(2))),
    );
    check(
        |block| {
            let data = &mut block.data.as_mut().unwrap().data;
            data.push(data[0].clone());
            rehash(block);
        },
        |e| matches!(e, Error::Signatures { .. }),
    );
}

#[test]
fn signatures_of_another_block_or_of_nobody_do_not_count() {
    let chain = recorded_chain("l1-simple");
    let slot = BlockMetadataIndex::Signatures;
    check(
        |block| block::set_slot(block, slot, block::slot(&chain[1], slot)),
        |e| matches!(e, Error::Signatures { .. }),
    );
    for bytes in [&b""[..], b"\x0a\x02\x0a\x00"] {
        check(
            |block| block::set_slot(block, slot, bytes.into()),
            |e| matches!(e, Error::Signatures { .. }),
        );
    }
    check(
        |block| block::set_slot(block, slot, b"\xff".as_slice().into()),
        |e| matches!(e, Error::Block(_)),
    );
    check(
        |block| {
            let mut metadata: Metadata = block::signatures(block).unwrap();
            metadata.signatures[0].signature_header = b"\xff".as_slice().into();
            block::set_slot(block, slot, metadata.encode_to_vec().into());
        },
        |e| matches!(e, Error::Signatures { .. }),
    );
}

#[test]
fn a_config_block_must_follow_from_its_update() {
    let chain = recorded_chain("l3-governance");
    let genesis = &chain[0];
    let bundle = Bundle::from_block(genesis).unwrap();
    let header = chain[7].header.as_ref().unwrap();
    let previous = block::header_hash(header);
    verify_block(&bundle, 8, &previous, &chain[8]).unwrap();
    let skipped = Bundle::from_block(&chain[8]).unwrap();
    let mut verifier = Verifier::new(Arc::new(skipped), 8, previous.to_vec().into());
    let error = verifier.verify(&chain[8]).unwrap_err();
    assert!(matches!(error, Error::Config { number: 8, .. }), "{error:?}");
}
