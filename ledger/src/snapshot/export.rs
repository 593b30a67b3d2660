//! Taking a snapshot while commits go on.
//!
//! The state gives out a view, and the view stays what it was while later blocks change the
//! database. What they overwrite is kept in memory for it, so a view may only fall so far behind:
//! commits wait when a snapshot being written would be cut off, and never else.
//!
//! A snapshot of a block to come is reserved: the commit of the block after it makes the view, so
//! nobody has to wait for whoever wants the snapshot.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Weak};

use parking_lot::{Condvar, Mutex};
use proto::block;

use super::SnapshotMetadata;
use super::write::{self, Last};
use crate::{Error, Ledger, View};

/// The snapshots of a ledger that are being written, by height, and those wanted, by block.
#[derive(Debug, Default)]
pub(crate) struct Exports {
    heights: Mutex<BTreeMap<u64, usize>>,
    ended: Condvar,
    reserved: Mutex<BTreeMap<u64, Option<(View, Running)>>>,
}

impl Exports {
    fn begin(self: &Arc<Self>, height: u64) -> Running {
        *self.heights.lock().entry(height).or_default() += 1;
        Running { exports: Arc::downgrade(self), height }
    }

    fn is_awaited(&self, last: u64) -> bool {
        self.reserved.lock().get(&last).is_some_and(Option::is_none)
    }

    /// Keeps the view after block `last` for whoever reserved it.
    fn grant(&self, last: u64, view: View, running: Running) {
        if let Some(reserved) = self.reserved.lock().get_mut(&last) {
            reserved.get_or_insert((view, running));
        }
    }

    /// Waits until block `number` can be committed without cutting off a view that is in use.
    fn wait(&self, number: u64, view_lag_blocks_max: usize) {
        // Private data that comes late needs some of the room, too.
        let room = (view_lag_blocks_max / 2).max(1) as u64;
        let mut heights = self.heights.lock();
        while heights.first_key_value().is_some_and(|(oldest, _)| number >= oldest + room) {
            self.ended.wait(&mut heights);
        }
    }
}

/// Holds commits back as far as needed, until it is dropped. A reserved one stands in what it
/// refers to, and goes with it when the ledger is closed.
#[derive(Debug)]
pub(super) struct Running {
    exports: Weak<Exports>,
    height: u64,
}

impl Drop for Running {
    fn drop(&mut self) {
        let Some(exports) = self.exports.upgrade() else { return };
        let mut heights = exports.heights.lock();
        if let Some(count) = heights.get_mut(&self.height) {
            *count -= 1;
            if *count == 0 {
                heights.remove(&self.height);
            }
        }
        exports.ended.notify_all();
    }
}

/// A snapshot about to be written: the state as it was when this was made, whatever is committed
/// since. Commits wait for those that are kept very long.
#[derive(Debug)]
pub struct Export {
    ledger: Arc<Ledger>,
    view: View,
    _running: Running,
}

impl Export {
    /// The newest block in it.
    pub fn last_block(&self) -> u64 {
        self.view.height().saturating_sub(1)
    }

    /// Writes it into the new folder `dir`, which appears once it is complete.
    pub fn write(self, dir: impl AsRef<Path>) -> Result<SnapshotMetadata, Error> {
        self.ledger.write_snapshot(&self.view, dir.as_ref())
    }
}

impl Ledger {
    /// Begins a snapshot of the newest block. This is quick; writing it is not.
    pub fn export(self: &Arc<Self>) -> Result<Export, Error> {
        let (view, running) = self.begin_export()?;
        Ok(Export { ledger: self.clone(), view, _running: running })
    }

    /// Writes a snapshot of the newest block into the new folder `dir`. Commits go on meanwhile.
    pub fn snapshot(&self, dir: impl AsRef<Path>) -> Result<SnapshotMetadata, Error> {
        let (view, _running) = self.begin_export()?;
        self.write_snapshot(&view, dir.as_ref())
    }

    /// Reserves the snapshot of block `last`, which may be yet to come, for
    /// [`reserved`](Self::reserved). Says whether there will be one: not of a block that has been
    /// passed.
    pub fn reserve(&self, last: u64) -> Result<bool, Error> {
        self.exports.reserved.lock().entry(last).or_default();
        let (view, running) = self.begin_export()?;
        let height = view.height();
        if last.checked_add(1) == Some(height) {
            self.exports.grant(last, view, running);
        }
        let mut reserved = self.exports.reserved.lock();
        if last < height && reserved.get(&last).is_some_and(Option::is_none) {
            reserved.remove(&last);
        }
        Ok(reserved.contains_key(&last))
    }

    /// The reserved snapshot of block `last`, if that is the newest block or has been passed. The
    /// reservation ends.
    pub fn reserved(self: &Arc<Self>, last: u64) -> Result<Option<Export>, Error> {
        if !self.reserve(last)? {
            return Ok(None);
        }
        let reserved = self.exports.reserved.lock().remove(&last).flatten();
        let ledger = self.clone();
        Ok(reserved.map(|(view, _running)| Export { ledger, view, _running }))
    }

    /// Gives a reservation up.
    pub fn release(&self, last: u64) {
        self.exports.reserved.lock().remove(&last);
    }

    /// What snapshots need before block `number` is committed. The caller holds no lock.
    pub(crate) fn before_commit(&self, number: u64) -> Result<(), Error> {
        if let Some(last) = number.checked_sub(1).filter(|last| self.exports.is_awaited(*last)) {
            let (view, running) = self.begin_export()?;
            if view.height() == number {
                self.exports.grant(last, view, running);
            }
        }
        self.exports.wait(number, self.config.state.view_lag_blocks_max);
        Ok(())
    }

    pub(super) fn begin_export(&self) -> Result<(View, Running), Error> {
        // Registered before the view is made: in between, blocks may be committed.
        let running = self.exports.begin(self.height());
        Ok((self.settled_view()?, running))
    }

    pub(super) fn write_snapshot(
        &self,
        view: &View,
        dir: &Path,
    ) -> Result<SnapshotMetadata, Error> {
        let last = self.last(view.height().saturating_sub(1))?;
        write::write(&last, &self.blocks, view, dir)
    }

    /// What a snapshot says of its last block.
    fn last(&self, number: u64) -> Result<Last, Error> {
        let channel = self.channel_id().to_owned();
        if let Some(base) = self.base.as_ref().filter(|base| base.last_block() == number) {
            return Ok(Last {
                channel,
                number,
                hash: base.last_hash(),
                previous_hash: base.previous_hash().clone(),
                commit_hash: base.commit_hash().cloned(),
            });
        }
        let last = self.blocks.block(number)?.ok_or(Error::DamagedIndex("block"))?;
        let header = block::header(&last)?;
        Ok(Last {
            channel,
            number,
            hash: block::header_hash(header),
            previous_hash: header.previous_hash.clone(),
            commit_hash: block::commit_hash(&last),
        })
    }
}
