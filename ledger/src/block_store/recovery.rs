//! Opening a chain: the index is brought to the state of the segments.

use std::path::Path;

use bytes::Bytes;
use proto::block;
use proto::common::Block;

use super::index::{Entry, Index};
use super::{Config, Error, transactions};
use crate::Snapshot;
use crate::database::Database;
use crate::segments::{self, Location, Log};

/// A chain as it was found on disk.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) log: Log,
    pub(crate) index: Index,
    pub(crate) height: u64,
    pub(crate) last: Option<Block>,
}

/// Blocks that enter the index in one batch while it is rebuilt.
const BATCH_BLOCKS_MAX: usize = 64;

/// Opens the chain in `dir`. The last segment is always checked, and all segments with blocks
/// that are not in the index. A chain with a `base` begins behind it.
pub(crate) fn open(dir: &Path, base: Option<&Snapshot>, config: &Config) -> Result<Opened, Error> {
    match try_open(dir, base, config) {
        // The second attempt begins without the index.
        Err(_) if Database::is_damaged(&dir.join("index")) => try_open(dir, base, config),
        opened => opened,
    }
}

fn try_open(dir: &Path, base: Option<&Snapshot>, config: &Config) -> Result<Opened, Error> {
    let index = Index::open(&dir.join("index"), config.index_cache_bytes)?;
    let dir = dir.join("segments");
    let first = base.map_or(0, Snapshot::next_block);
    let from = trusted(&dir, &index, base)?;
    let segment = from.map_or(0, |location| location.segment);
    let mut scan = Scan::new(&dir, &index, config, segment, first)?;
    let log = scan.open(config)?;
    let is_whole = from.is_none_or(|last| (last.segment, last.end()) <= log.end());
    if is_whole && scan.height() >= scan.indexed {
        let (height, last) = scan.finish()?;
        return Ok(Opened { log, index, height, last });
    }
    tracing::warn!(dir = %dir.display(), "blocks that were on disk are gone; the index is rebuilt without them");
    reset(&index, base)?;
    let mut scan = Scan::new(&dir, &index, config, 0, first)?;
    let log = scan.open(config)?;
    let (height, last) = scan.finish()?;
    Ok(Opened { log, index, height, last })
}

/// Where the last indexed block is, if it really is there; otherwise the index is emptied.
fn trusted(dir: &Path, index: &Index, base: Option<&Snapshot>) -> Result<Option<Location>, Error> {
    let height = index.height().unwrap_or(0);
    if base.is_some_and(|base| base.next_block() == height) {
        return Ok(None);
    }
    if let Some(number) = height.checked_sub(1)
        && let Ok(Some(location)) = index.location(number)
        && segments::path(dir, location.segment).exists()
    {
        return Ok(Some(location));
    }
    reset(index, base)?;
    Ok(None)
}

/// Empties the index, but for what the chain began from.
fn reset(index: &Index, base: Option<&Snapshot>) -> Result<(), Error> {
    index.clear()?;
    base.map_or(Ok(()), |base| index.begin(base))
}

/// Walks the blocks of the segments and indexes those that are missing.
struct Scan<'a> {
    dir: &'a Path,
    index: &'a Index,
    index_transactions: bool,
    from: u64,
    /// Height of the index before.
    indexed: u64,
    next: Option<u64>,
    last: Option<(u64, Bytes)>,
    pending: Vec<Entry>,
}

impl<'a> Scan<'a> {
    /// A walk from segment `from`; the first segment begins with block `first`.
    fn new(
        dir: &'a Path,
        index: &'a Index,
        config: &Config,
        from: u64,
        first: u64,
    ) -> Result<Self, Error> {
        let next = (from == 0).then_some(first);
        let index_transactions = config.index_transactions;
        let indexed = index.height()?;
        Ok(Self {
            dir,
            index,
            index_transactions,
            from,
            indexed,
            next,
            last: None,
            pending: vec![],
        })
    }

    fn open(&mut self, config: &Config) -> Result<Log, Error> {
        let from = self.from;
        let bytes_max = config.segment_bytes_max;
        Log::open(self.dir, bytes_max, from, &segments::BLOCKS, &mut |number, location, payload| {
            self.visit(number, location, payload)
        })
    }

    fn visit(&mut self, number: u64, location: Location, payload: Bytes) -> Result<(), Error> {
        let expected = self.next.unwrap_or(number);
        if number != expected {
            return Err(Error::Gap { dir: self.dir.to_owned(), expected, found: number });
        }
        self.next = Some(number + 1);
        if number >= self.indexed {
            let found = parse(number, payload.clone())?;
            self.pending.push(entry(number, &found, location, self.index_transactions)?);
            if self.pending.len() >= BATCH_BLOCKS_MAX {
                self.index.add(&std::mem::take(&mut self.pending))?;
            }
        }
        self.last = Some((number, payload));
        Ok(())
    }

    /// Height of the chain as far as it was walked.
    fn height(&self) -> u64 {
        self.next.unwrap_or(self.indexed)
    }

    fn finish(mut self) -> Result<(u64, Option<Block>), Error> {
        let height = self.height();
        self.index.add(&std::mem::take(&mut self.pending))?;
        let last = match (self.last, height.checked_sub(1)) {
            // A copy, or the block would keep its whole segment in memory.
            (Some((number, payload)), _) => Some(parse(number, Bytes::copy_from_slice(&payload))?),
            // The last segment holds no block yet.
            (None, Some(number)) => read(self.dir, self.index, number)?,
            (None, None) => None,
        };
        Ok((height, last))
    }
}

/// Reads a block through the index.
pub(crate) fn read(dir: &Path, index: &Index, number: u64) -> Result<Option<Block>, Error> {
    let Some(location) = index.location(number)? else { return Ok(None) };
    Ok(Some(parse(number, segments::read(dir, number, location)?)?))
}

fn parse(number: u64, bytes: Bytes) -> Result<Block, Error> {
    block::parse(bytes).map_err(|source| Error::Stored { number, source })
}

fn entry(
    number: u64,
    block: &Block,
    location: Location,
    index_transactions: bool,
) -> Result<Entry, Error> {
    let hash = block::header_hash(block::header(block)?);
    let tx_ids = if index_transactions { transactions::ids(block) } else { Vec::new() };
    Ok(Entry { number, hash, location, tx_ids })
}
