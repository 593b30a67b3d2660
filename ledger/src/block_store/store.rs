//! The block store itself.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::{Mutex, RwLock};
use prost::Message;
use proto::block;
use proto::common::{Block, BlockchainInfo, BootstrappingSnapshotInfo};
use tokio::sync::watch;

use super::index::Place;
use super::index::{Entry, Index};
use super::{Config, Error, recovery, transactions};
use crate::Snapshot;
use crate::segments::{self, Log};

/// A chain of blocks on disk. Appending takes turns, reading never waits for an append.
#[derive(Debug)]
pub struct BlockStore {
    dir: PathBuf,
    config: Config,
    log: Mutex<Log>,
    index: Index,
    /// What the chain began from, if not from block 0.
    base: Option<Arc<Snapshot>>,
    tip: RwLock<Tip>,
    height: watch::Sender<u64>,
}

/// The newest blocks.
#[derive(Debug, Default)]
struct Tip {
    height: u64,
    hash: Option<[u8; 32]>,
    recent: VecDeque<Block>,
}

impl Tip {
    fn push(&mut self, block: &Block, hash: [u8; 32], recent_max: usize) {
        self.height = block::number(block) + 1;
        self.hash = Some(hash);
        self.recent.push_back(block.clone());
        // The newest block is always kept: orderers and recovery ask for it.
        while self.recent.len() > recent_max.max(1) {
            self.recent.pop_front();
        }
    }

    fn get(&self, number: u64) -> Option<Block> {
        let first = self.height - self.recent.len() as u64;
        self.recent.get(usize::try_from(number.checked_sub(first)?).ok()?).cloned()
    }
}

impl BlockStore {
    /// Opens or creates the chain in `dir`. An interrupted append is cut off; damage elsewhere is
    /// an error that names file and offset.
    pub fn open(dir: impl AsRef<Path>, config: Config) -> Result<Self, Error> {
        Self::open_after(dir.as_ref(), None, config)
    }

    /// Opens or creates a chain whose first block follows the last one of a snapshot. The index
    /// knows the transactions of the snapshot, too, but not where they are.
    pub(crate) fn open_after(
        dir: &Path,
        base: Option<Arc<Snapshot>>,
        config: Config,
    ) -> Result<Self, Error> {
        let opened = recovery::open(dir, base.as_deref(), &config)?;
        let hash = base.as_ref().map(|base| base.last_hash());
        let mut tip = Tip { height: opened.height, hash, ..Tip::default() };
        if let Some(last) = &opened.last {
            tip.push(last, block::header_hash(block::header(last)?), config.recent_blocks_max);
        }
        Ok(Self {
            dir: dir.join("segments"),
            config,
            log: Mutex::new(opened.log),
            index: opened.index,
            base,
            height: watch::Sender::new(tip.height),
            tip: RwLock::new(tip),
        })
    }

    /// How many blocks there are.
    pub fn height(&self) -> u64 {
        self.tip.read().height
    }

    /// Number of the first block: not 0 if the chain began from a snapshot.
    pub fn first_block(&self) -> u64 {
        self.base.as_ref().map_or(0, |base| base.next_block())
    }

    /// Follows the height. The value changes after the block is on disk and can be read.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.height.subscribe()
    }

    /// Hash of the newest block's header, which the next block must name.
    pub fn last_hash(&self) -> Option<[u8; 32]> {
        self.tip.read().hash
    }

    /// Height and the newest two hashes, as clients ask for them.
    pub fn info(&self) -> Result<BlockchainInfo, Error> {
        let last = self.last_block()?;
        let height = last.as_ref().map_or(self.first_block(), |last| block::number(last) + 1);
        let (current, previous) = match (&last, &self.base) {
            (None, None) => (Bytes::new(), Bytes::new()),
            (None, Some(base)) => {
                (Bytes::copy_from_slice(&base.last_hash()), base.previous_hash().clone())
            }
            (Some(last), _) => {
                let header = block::header(last)?;
                let current = Bytes::copy_from_slice(&block::header_hash(header));
                (current, header.previous_hash.clone())
            }
        };
        Ok(BlockchainInfo {
            height,
            current_block_hash: current,
            previous_block_hash: previous,
            bootstrapping_snapshot_info: self.base.as_ref().map(|base| BootstrappingSnapshotInfo {
                last_block_in_snapshot: base.last_block(),
            }),
        })
    }

    /// Appends the next block and returns when it is on disk.
    pub fn append(&self, block: &Block) -> Result<(), Error> {
        self.append_all(std::slice::from_ref(block))
    }

    /// Appends the next blocks with a single fsync.
    pub fn append_all(&self, blocks: &[Block]) -> Result<(), Error> {
        let ids = |block| match self.config.index_transactions {
            true => transactions::ids(block),
            false => Vec::new(),
        };
        self.append_indexed(blocks, blocks.iter().map(ids).collect())
    }

    /// Appends blocks whose transaction ids are known already.
    pub(crate) fn append_indexed(
        &self,
        blocks: &[Block],
        tx_ids: Vec<Vec<Option<String>>>,
    ) -> Result<(), Error> {
        let mut log = self.log.lock();
        let hashes = self.check(blocks)?;
        let records: Vec<_> =
            blocks.iter().map(|it| (block::number(it), it.encode_to_vec().into())).collect();
        let locations = log.append(&records)?;
        let entries: Vec<_> = blocks
            .iter()
            .zip(&hashes)
            .zip(locations)
            .zip(tx_ids)
            .map(|(((it, hash), location), tx_ids)| Entry {
                number: block::number(it),
                hash: *hash,
                location,
                tx_ids,
            })
            .collect();
        self.index.add(&entries).inspect_err(|_| log.fail())?;
        let mut tip = self.tip.write();
        for (it, hash) in blocks.iter().zip(hashes) {
            tip.push(it, hash, self.config.recent_blocks_max);
        }
        let height = tip.height;
        drop(tip);
        self.height.send_if_modified(|known| std::mem::replace(known, height) != height);
        Ok(())
    }

    /// Checks that the blocks follow the chain, and computes their hashes.
    fn check(&self, blocks: &[Block]) -> Result<Vec<[u8; 32]>, Error> {
        let (mut height, mut previous) = {
            let tip = self.tip.read();
            (tip.height, tip.hash)
        };
        let mut hashes = Vec::with_capacity(blocks.len());
        for block in blocks {
            let header = block::header(block)?;
            if header.number != height {
                return Err(Error::Number { height, found: header.number });
            }
            let expected = previous.as_ref().map_or(&[][..], <[u8; 32]>::as_slice);
            if header.previous_hash != expected {
                return Err(Error::PreviousHash(height));
            }
            let hash = block::header_hash(header);
            hashes.push(hash);
            previous = Some(hash);
            height += 1;
        }
        Ok(hashes)
    }

    /// The block with this number, if there is one yet.
    pub fn block(&self, number: u64) -> Result<Option<Block>, Error> {
        self.check_available(number)?;
        let recent = {
            let tip = self.tip.read();
            if number >= tip.height {
                return Ok(None);
            }
            tip.get(number)
        };
        match recent {
            Some(block) => Ok(Some(block)),
            None => recovery::read(&self.dir, &self.index, number),
        }
    }

    fn check_available(&self, number: u64) -> Result<(), Error> {
        match &self.base {
            Some(base) if number <= base.last_block() => {
                Err(Error::NotAvailable { number, last: base.last_block() })
            }
            _ => Ok(()),
        }
    }

    /// The encoded block with this number.
    pub fn block_bytes(&self, number: u64) -> Result<Option<Bytes>, Error> {
        self.check_available(number)?;
        let Some(location) = self.index.location(number)? else { return Ok(None) };
        Ok(Some(segments::read(&self.dir, number, location)?))
    }

    /// The newest block.
    pub fn last_block(&self) -> Result<Option<Block>, Error> {
        Ok(self.tip.read().recent.back().cloned())
    }

    /// The block whose header has this hash.
    pub fn block_by_hash(&self, hash: &[u8]) -> Result<Option<Block>, Error> {
        self.index.by_hash(hash)?.map_or(Ok(None), |number| self.block(number))
    }

    /// The block with the first transaction of this id.
    pub fn block_by_tx_id(&self, tx_id: &str) -> Result<Option<Block>, Error> {
        self.position_of(tx_id)?.map_or(Ok(None), |(number, _)| self.block(number))
    }

    /// Block and position of the first transaction with this id, valid or not.
    pub fn position_of(&self, tx_id: &str) -> Result<Option<(u64, u32)>, Error> {
        match self.index.by_tx_id(tx_id)? {
            None => Ok(None),
            Some(Place::At(number, index)) => Ok(Some((number, index))),
            Some(Place::Before) => {
                let (tx_id, first) = (tx_id.to_owned(), self.first_block());
                Err(Error::TransactionNotAvailable { tx_id, last: first.saturating_sub(1) })
            }
        }
    }

    /// Whether a transaction with this id is in the chain, valid or not.
    pub fn tx_exists(&self, tx_id: &str) -> Result<bool, Error> {
        self.index.has_tx_id(tx_id)
    }

    /// All transaction ids, ascending.
    pub fn tx_ids(&self) -> impl Iterator<Item = Result<String, Error>> + '_ {
        self.tx_ids_through(u64::MAX)
    }

    /// The ids of all transactions up to block `last`, ascending.
    pub(crate) fn tx_ids_through(
        &self,
        last: u64,
    ) -> impl Iterator<Item = Result<String, Error>> + '_ {
        self.index.tx_ids_through(last)
    }

    /// The index itself.
    pub(crate) fn index(&self) -> &Index {
        &self.index
    }

    /// Writes the index to disk. Blocks are there already.
    pub fn flush(&self) -> Result<(), Error> {
        self.index.flush()
    }
}
