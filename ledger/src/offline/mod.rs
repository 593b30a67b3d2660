//! A channel's ledger as it lies on disk, examined without changing it.
//!
//! Opening a [`crate::Ledger`] brings its files in order: a torn tail is cut off, indexes catch up.
//! Who wants to know what is really there reads it here. Blocks and private data are read where
//! they are, also while a peer appends to them. State and indexes can only be examined while no
//! process has them open, and on a copy, because opening such a database writes to it.

mod copy;
mod derived;
mod records;

use std::path::{Path, PathBuf};

use crate::{Error, SegmentsError, snapshot};

pub use derived::{Derived, HistoryEntry, TransactionEntry};
pub use records::{PrivateRecord, PrivateRecords, StoredBlock, StoredBlocks};

/// The ledger of one channel on disk.
#[derive(Debug, Clone)]
pub struct Offline {
    dir: PathBuf,
}

/// What was found of state and indexes.
#[derive(Debug)]
pub enum Opened {
    /// A copy of them, open.
    Copy(Box<Derived>),
    /// Some process has them open.
    InUse,
    /// There are none: they are built when a peer opens the ledger.
    Absent,
}

impl Offline {
    /// The ledger in `dir`, which must hold a chain of blocks.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self, Error> {
        let dir = dir.as_ref();
        match Self::is_ledger(dir) {
            true => Ok(Self { dir: dir.to_owned() }),
            false => Err(Error::NotALedger(dir.to_owned())),
        }
    }

    /// Whether `dir` looks like the folder of a channel's ledger.
    pub fn is_ledger(dir: &Path) -> bool {
        dir.join("blocks").join("segments").is_dir()
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The snapshot behind which the blocks begin; nothing if they begin with block 0.
    pub fn base(&self) -> Option<PathBuf> {
        let base = self.dir.join(snapshot::BASE);
        base.is_dir().then_some(base)
    }

    /// The blocks in the order of their files.
    pub fn blocks(&self) -> Result<StoredBlocks, SegmentsError> {
        StoredBlocks::new(&self.dir.join("blocks").join("segments"))
    }

    /// The private data in the order in which it was stored; none if the ledger keeps none.
    pub fn private_data(&self) -> Result<PrivateRecords, SegmentsError> {
        PrivateRecords::new(&self.dir.join("private"))
    }

    /// Copies state and indexes to the empty folder `scratch` and opens the copy. It is as large
    /// as they are.
    pub fn derived(&self, scratch: &Path) -> Result<Opened, Error> {
        copy::derived(&self.dir, scratch)
    }
}
