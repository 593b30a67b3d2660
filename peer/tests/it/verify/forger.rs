//! Changes databases of a stopped peer so that their checksums hold.

use std::path::Path;

use super::wait_until_closed;

/// Under this key stands how many entries a tree has and the sum of their checksums.
const TALLY: [u8; 8] = [0xff; 8];

/// A tree with good checksums, whatever becomes of it.
pub struct Forged(sled::Tree);

/// Changes a tree of a database of a stopped peer.
pub fn change(ledger: &Path, database: &str, tree: &str, change: impl FnOnce(&Forged)) {
    let db = sled::open(ledger.join(database)).unwrap();
    let tree = Forged(db.open_tree(tree).unwrap());
    change(&tree);
    tree.settle();
    db.flush().unwrap();
    drop((tree, db));
    wait_until_closed(ledger);
}

impl Forged {
    pub fn insert(&self, key: &[u8], value: &[u8]) {
        self.0.insert(key, sealed(key, value)).unwrap();
    }

    pub fn remove(&self, key: &[u8]) {
        self.0.remove(key).unwrap().unwrap();
    }

    /// Keys and values without their checksums.
    pub fn with_prefix(&self, prefix: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
        let found = self.0.scan_prefix(prefix).map(Result::unwrap);
        let found = found.filter(|(key, _)| key != &TALLY);
        found.map(|(key, value)| (key.to_vec(), value[..value.len() - 4].to_vec())).collect()
    }

    fn settle(&self) {
        let (mut count, mut sum) = (0_u64, 0_u64);
        for (key, value) in self.with_prefix(b"") {
            count += 1;
            sum = sum.wrapping_add(u64::from(checksum(&key, &value)));
        }
        let tally = self.0.get(TALLY).unwrap().unwrap();
        let mut tally = tally[..tally.len() - 4].to_vec();
        tally[..8].copy_from_slice(&count.to_be_bytes());
        tally[8..16].copy_from_slice(&sum.to_be_bytes());
        self.insert(&TALLY, &tally);
    }
}

fn sealed(key: &[u8], value: &[u8]) -> Vec<u8> {
    [value, &checksum(key, value).to_be_bytes()].concat()
}

fn checksum(key: &[u8], value: &[u8]) -> u32 {
    let length = (key.len() as u64).to_be_bytes();
    crc32fast::hash(&[&length, key, value].concat())
}
