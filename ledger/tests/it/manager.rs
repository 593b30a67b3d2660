//! The ledgers of a node.

use ledger::{Error, Ledgers};
use tempfile::TempDir;

use crate::vectors::{self, blocks, config};

#[test]
fn ledgers_are_created_once_and_found_again() {
    let dir = TempDir::new().unwrap();
    let genesis = &blocks("l1-simple")[0];
    let ledgers = Ledgers::open(dir.path(), config()).unwrap();
    assert!(ledgers.list().is_empty());
    let care = ledgers.create("care", genesis).unwrap();
    ledgers.create("pharma", genesis).unwrap();
    assert_eq!((care.height(), care.channel_id()), (1, "care"));
    assert_eq!(care.block(0).unwrap().unwrap(), *genesis);
    assert!(matches!(ledgers.create("care", genesis), Err(Error::Exists(_))));
    assert!(matches!(ledgers.create("../care", genesis), Err(Error::ChannelId(_))));
    assert!(ledgers.create("third", &blocks("l1-simple")[1]).is_err());
    assert!(ledgers.get("third").is_none());
    drop((care, ledgers));
    let ledgers = Ledgers::open(dir.path(), config()).unwrap();
    assert_eq!(ledgers.list(), ["care", "pharma"]);
    vectors::replay(&ledgers.get("care").unwrap(), "l1-simple", "org1");
    assert_eq!(ledgers.get("pharma").unwrap().height(), 1);
}

#[test]
fn an_interrupted_creation_is_taken_up() {
    let dir = TempDir::new().unwrap();
    std::fs::create_dir_all(dir.path().join("care/blocks/segments")).unwrap();
    let ledgers = Ledgers::open(dir.path(), config()).unwrap();
    assert!(ledgers.list().is_empty());
    assert_eq!(ledgers.create("care", &blocks("l1-simple")[0]).unwrap().height(), 1);
}

#[test]
fn watchers_see_a_block_when_all_of_it_can_be_read() {
    let dir = TempDir::new().unwrap();
    let ledger = vectors::open(dir.path());
    let height = ledger.watch();
    vectors::replay(&ledger, "l1-simple", "org1");
    assert_eq!(*height.borrow(), ledger.height());
    let info = ledger.info().unwrap();
    let last = ledger.block(ledger.height() - 1).unwrap().unwrap();
    assert_eq!(info.height, ledger.height());
    assert_eq!(ledger.block_by_hash(&info.current_block_hash).unwrap().unwrap(), last);
    assert_eq!(ledger.block(ledger.height()).unwrap(), None);
    let tx_id = ledger::block_store::indexed_tx_id(&proto::block::envelopes(&last)[0]).unwrap();
    assert_eq!(ledger.block_by_tx_id(&tx_id).unwrap().unwrap(), last);
    assert_eq!(ledger.transaction(&tx_id).unwrap().unwrap().block, ledger.height() - 1);
    assert_eq!(ledger.transaction("none").unwrap(), None);
}
