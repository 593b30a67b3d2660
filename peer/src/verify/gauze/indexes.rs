//! History and indexes of a peer of Gauze.

use std::sync::Arc;

use ledger::offline::{Derived, HistoryEntry, Offline, TransactionEntry};
use ledger::{Ledger, Position};
use proto::block;

use crate::verify::compare::{Merge, Pair};
use crate::verify::{At, Difference, Error, Findings, Place, Recorded, What};

/// Which transactions wrote which keys.
pub(super) struct History {
    pub(super) derived: Arc<Derived>,
}

impl Recorded for History {
    fn name(&self) -> &'static str {
        "history"
    }

    fn at(&self) -> At {
        At::End
    }

    fn compare(&mut self, replayed: &Ledger) -> Result<Findings, Error> {
        let Some(savepoint) = self.derived.history_savepoint().map_err(Error::Ledger)? else {
            return Ok(Findings::skipped(self.name(), "none is kept"));
        };
        let last = savepoint.min(replayed.height().saturating_sub(1));
        let until = move |entry: &Result<HistoryEntry, Error>| {
            !entry.as_ref().is_ok_and(|entry| entry.position.block > last)
        };
        let expected = replayed.derived();
        let expected = expected.history().map(|entry| entry.map_err(Error::Scratch)).filter(until);
        let found = self.derived.history().map(|entry| entry.map_err(Error::Ledger)).filter(until);
        let mut count = 0_u64;
        for pair in Merge::new(expected, found, |entry: &HistoryEntry| entry.order().to_vec()) {
            let (entry, expected, found) = match pair? {
                Pair::Same(_) => {
                    count += 1;
                    continue;
                }
                Pair::Missing(entry) => (entry, "an entry", "none"),
                Pair::Extra(entry) | Pair::Differs(_, entry) => (entry, "no entry", "one"),
            };
            let HistoryEntry { key, position, .. } = entry;
            let difference = located(Difference::new(What::History, expected, found), position);
            let difference = difference.place(Place::new(key.namespace(), &key.key()));
            return Ok(Findings::differs(self.name(), "differs", difference));
        }
        Ok(Findings::held(self.name(), format!("{count} writes up to block {last}")))
    }
}

/// Where each transaction id is.
pub(super) struct TransactionIndex {
    pub(super) derived: Arc<Derived>,
}

impl Recorded for TransactionIndex {
    fn name(&self) -> &'static str {
        "transaction index"
    }

    fn at(&self) -> At {
        At::End
    }

    fn compare(&mut self, replayed: &Ledger) -> Result<Findings, Error> {
        let height = self.derived.indexed_height().map_err(Error::Ledger)?.min(replayed.height());
        let until = move |entry: &Result<TransactionEntry, Error>| {
            let block = |at: &Option<Position>| at.map_or(0, |at| at.block);
            !entry.as_ref().is_ok_and(|(_, at)| block(at) >= height)
        };
        let expected = replayed.derived();
        let expected = expected.transactions().map(|it| it.map_err(Error::Scratch)).filter(until);
        let found = self.derived.transactions().map(|it| it.map_err(Error::Ledger)).filter(until);
        let mut count = 0_u64;
        for pair in Merge::new(expected, found, |entry: &TransactionEntry| entry.0.clone()) {
            let (id, at, expected, found) = match pair? {
                Pair::Same(_) => {
                    count += 1;
                    continue;
                }
                Pair::Missing((id, at)) => (id, at, place(at), "no entry".to_owned()),
                Pair::Extra((id, at)) => (id, at, "no entry".to_owned(), place(at)),
                Pair::Differs((id, at), (_, found)) => (id, at, place(at), place(found)),
            };
            let difference = Difference::new(What::TransactionIndex, expected, found);
            let at = at.unwrap_or(Position { block: 0, tx: 0 });
            let difference = difference.block(at.block).transaction(u64::from(at.tx), Some(id));
            return Ok(Findings::differs(self.name(), "differs", difference));
        }
        Ok(Findings::held(self.name(), format!("{count} ids")))
    }
}

/// Where each block is.
pub(super) struct BlockIndex {
    pub(super) offline: Offline,
    pub(super) derived: Arc<Derived>,
}

impl Recorded for BlockIndex {
    fn name(&self) -> &'static str {
        "block index"
    }

    fn at(&self) -> At {
        At::End
    }

    fn compare(&mut self, replayed: &Ledger) -> Result<Findings, Error> {
        let height = self.derived.indexed_height().map_err(Error::Ledger)?;
        let blocks = match self.offline.blocks() {
            Ok(blocks) => blocks,
            Err(error) => {
                return Ok(Findings::differs(self.name(), "no blocks", super::damage(error)?));
            }
        };
        let mut count = 0_u64;
        for stored in blocks
            .take_while(|it| it.as_ref().is_ok_and(|it| it.number < height.min(replayed.height())))
        {
            let Ok(stored) = stored else { break };
            let parsed = block::parse(stored.bytes.clone()).unwrap_or_default();
            let hash = block::header_hash(&parsed.header.unwrap_or_default());
            let (number, finds) = (
                self.derived.number_of(&hash).map_err(Error::Ledger)?,
                self.derived.finds(&stored).map_err(Error::Ledger)?,
            );
            if number != Some(stored.number) || !finds {
                let expected = format!("{} at offset {}", stored.file.display(), stored.offset());
                let found = match (number, finds) {
                    (Some(_), true) | (None, true) => "another number for its hash",
                    _ => "another place or none",
                };
                let difference = Difference::new(What::BlockIndex, expected, found);
                let difference = difference.block(stored.number);
                return Ok(Findings::differs(self.name(), "differs", difference));
            }
            count += 1;
        }
        if height > replayed.height() && !self.truncated(replayed)? {
            let expected = format!("blocks up to {}, which are indexed", height - 1);
            let found = format!("{} as the last", replayed.height().saturating_sub(1));
            let missing = Difference::new(What::MissingBlock, expected, found);
            let missing = missing.block(replayed.height());
            return Ok(Findings::differs(self.name(), "is ahead of the blocks", missing));
        }
        Ok(Findings::held(self.name(), format!("{count} blocks by number and by hash")))
    }
}

impl BlockIndex {
    /// Whether verification ended before the last stored block because the operator said so.
    fn truncated(&self, replayed: &Ledger) -> Result<bool, Error> {
        let mut blocks = match self.offline.blocks() {
            Ok(blocks) => blocks,
            Err(_) => return Ok(false),
        };
        Ok(blocks.any(|it| it.is_ok_and(|it| it.number >= replayed.height())))
    }
}

fn place(at: Option<Position>) -> String {
    let known = |at: Position| format!("block {} transaction {}", at.block, at.tx);
    at.map_or_else(|| "a block before the ledger's first".to_owned(), known)
}

fn located(difference: Difference, at: Position) -> Difference {
    difference.block(at.block).transaction(u64::from(at.tx), None)
}
