//! Changed blocks of a recording.

use std::fs;
use std::path::Path;

use bytes::Bytes;
use peer::verify::{Difference, Options, What};
use prost::Message;
use proto::common::{Block, BlockMetadataIndex, Metadata};

use super::{block_file, change_block, copied, differs, read_block, verify_fabric};

/// Changes block `number` of a recording and says what must be found in it.
#[track_caller]
fn check(
    number: u64,
    change: impl FnOnce(&mut Block),
    what: What,
    transaction: Option<u64>,
) -> Difference {
    let dir = copied("l2-invalid");
    change_block(dir.path(), number, change);
    found(dir.path(), what, number, transaction)
}

#[track_caller]
fn found(dir: &Path, what: What, number: u64, transaction: Option<u64>) -> Difference {
    let report = verify_fabric(dir, &Options::default()).unwrap();
    assert_eq!(report.blocks, number, "the blocks before are sound: {report:#?}");
    differs(&report, what, number, transaction)
}

fn envelopes(block: &mut Block) -> &mut Vec<Bytes> {
    &mut block.data.as_mut().unwrap().data
}

/// Inverts the lowest bit of a byte, counted from the end.
fn flip(bytes: &mut Bytes, from_end: usize) {
    let mut changed = bytes.to_vec();
    let at = changed.len() - 1 - from_end;
    changed[at] ^= 1;
    *bytes = changed.into();
}

fn slot(block: &mut Block, index: BlockMetadataIndex, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = proto::block::slot(block, index).to_vec();
    change(&mut bytes);
    proto::block::set_slot(block, index, bytes.into());
}

#[test]
fn a_flipped_byte_in_a_transaction() {
    // The last byte of an envelope is of its signature.
    let found = check(10, |block| flip(&mut envelopes(block)[2], 0), What::DataHash, Some(2));
    assert!(found.found.contains("recorded as VALID and is now BAD_CREATOR_SIGNATURE"), "{found}");
    // In the middle of what was signed.
    check(10, |block| flip(&mut envelopes(block)[2], 200), What::DataHash, Some(2));
    // A form that no orderer lets through.
    let empty = |block: &mut Block| envelopes(block)[1] = Bytes::from_static(b"\x0a\x00");
    check(10, empty, What::Form, Some(1));
}

#[test]
fn a_changed_content_with_a_matching_hash() {
    let forge = |block: &mut Block| {
        envelopes(block).pop();
        let hash = proto::block::data_hash(proto::block::envelopes(block));
        block.header.as_mut().unwrap().data_hash = Bytes::copy_from_slice(&hash);
    };
    let found = check(10, forge, What::OrdererSignatures, None);
    assert!(found.expected.contains("BlockValidation"), "{found}");
    assert!(found.found.contains("1 by somebody of OrdererMSP"), "{found}");
    check(10, |block| drop(envelopes(block).pop()), What::DataHash, None);
}

#[test]
fn forged_orderer_signatures() {
    let with = |change: fn(&mut Metadata)| {
        move |block: &mut Block| {
            slot(block, BlockMetadataIndex::Signatures, |bytes| {
                let mut metadata = Metadata::decode(bytes.as_slice()).unwrap();
                change(&mut metadata);
                *bytes = metadata.encode_to_vec();
            });
        }
    };
    let flipped = with(|metadata| flip(&mut metadata.signatures[0].signature, 0));
    check(7, flipped, What::OrdererSignatures, None);
    let none = check(7, with(|it| it.signatures.clear()), What::OrdererSignatures, None);
    assert!(none.found.starts_with("no signatures"), "{none}");
    // Also what is signed beside the header counts.
    check(7, with(|metadata| flip(&mut metadata.value, 0)), What::OrdererSignatures, None);
}

#[test]
fn an_altered_code() {
    for (number, index, expected, altered) in [
        (12, 0, "MVCC_READ_CONFLICT", 0),
        (10, 2, "VALID", 11),
        (23, 3, "INVALID_CHAINCODE", 255),
        (14, 0, "DUPLICATE_TXID", 77),
    ] {
        let alter = |block: &mut Block| {
            slot(block, BlockMetadataIndex::TransactionsFilter, |codes| codes[index] = altered);
        };
        let found = check(number, alter, What::ValidationCode, Some(index as u64));
        assert_eq!(found.expected, expected);
        assert_eq!(found.transaction.unwrap().id.is_some(), number != 23 || index == 3);
    }
    let cut = |block: &mut Block| {
        slot(block, BlockMetadataIndex::TransactionsFilter, |codes| codes.truncate(3));
    };
    let found = check(10, cut, What::CodeCount, None);
    assert_eq!((found.expected.as_str(), found.found.as_str()), ("4", "3"));
}

#[test]
fn an_altered_commit_hash() {
    let alter = |block: &mut Block| proto::block::set_commit_hash(block, &[7; 32]);
    let found = check(9, alter, What::CommitHash, None);
    assert_eq!(found.found, "07".repeat(32));
    let remove = |block: &mut Block| slot(block, BlockMetadataIndex::CommitHash, Vec::clear);
    assert_eq!(check(9, remove, What::CommitHash, None).found, "none");
}

#[test]
fn headers() {
    let header = |change: fn(&mut proto::common::BlockHeader)| {
        move |block: &mut Block| change(block.header.as_mut().unwrap())
    };
    let found = check(5, header(|it| it.number = 6), What::BlockNumber, None);
    assert_eq!((found.expected.as_str(), found.found.as_str()), ("5", "6"));
    check(5, header(|it| flip(&mut it.previous_hash, 0)), What::PreviousHash, None);
    check(5, header(|it| flip(&mut it.data_hash, 0)), What::DataHash, None);
    let other = proto::common::LastConfig { index: 3 }.encode_to_vec();
    let other = Metadata { value: other.into(), signatures: Vec::new() }.encode_to_vec();
    let last_config = |block: &mut Block| {
        slot(block, BlockMetadataIndex::LastConfig, |bytes| *bytes = other);
    };
    let found = check(5, last_config, What::LastConfig, None);
    assert_eq!((found.expected.as_str(), found.found.as_str()), ("block 0", "block 3"));
    check(5, |block| block.metadata.as_mut().unwrap().metadata.truncate(3), What::Form, None);
}

#[test]
fn missing_and_swapped_blocks() {
    let dir = copied("l2-invalid");
    fs::remove_file(block_file(dir.path(), 7)).unwrap();
    found(dir.path(), What::MissingBlock, 7, None);
    // Of the last one only the state and the snapshot know.
    let dir = copied("l2-invalid");
    fs::remove_file(block_file(dir.path(), 29)).unwrap();
    found(dir.path(), What::MissingBlock, 29, None);
    let dir = copied("l2-invalid");
    let (five, six) = (block_file(dir.path(), 5), block_file(dir.path(), 6));
    let away = dir.path().join("away");
    fs::rename(&five, &away).unwrap();
    fs::rename(&six, &five).unwrap();
    fs::rename(&away, &six).unwrap();
    let swapped = found(dir.path(), What::BlockNumber, 5, None);
    assert_eq!((swapped.expected.as_str(), swapped.found.as_str()), ("5", "6"));
}

#[test]
fn the_first_block() {
    let dir = copied("l2-invalid");
    fs::copy(super::vectors("l1-simple").join("genesis.block"), dir.path().join("genesis.block"))
        .unwrap();
    found(dir.path(), What::Genesis, 0, None);
    // As an option it also holds for what has no genesis block beside it.
    let file = super::vectors("l1-simple").join("blockfile_000000");
    for (number, clean) in [(0, true), (1, false)] {
        let genesis = Some(read_block(&super::vectors("l1-simple"), number));
        let options = Options { genesis, to: Some(2), ..Options::default() };
        assert_eq!(verify_fabric(&file, &options).unwrap().is_clean(), clean);
    }
    check(0, |block| flip(&mut envelopes(block)[0], 0), What::DataHash, None);
    check(0, |block| envelopes(block).clear(), What::DataHash, None);
}

#[test]
fn a_chain_without_verdicts() {
    // As an orderer keeps it.
    let ordered = |block: &mut Block| {
        slot(block, BlockMetadataIndex::TransactionsFilter, Vec::clear);
        slot(block, BlockMetadataIndex::CommitHash, Vec::clear);
    };
    let found = check(1, ordered, What::CodeCount, None);
    assert_eq!((found.expected.as_str(), found.found.as_str()), ("1", "0"));
}
