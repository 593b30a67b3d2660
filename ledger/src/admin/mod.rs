//! Administration of a ledger that is closed: rebuilding, cutting back, removing, pausing.
//!
//! Each operation that takes something away first leaves a mark beside the ledger (`mark`), then
//! works in steps that can be done again, and removes the mark last. Opening a ledger finishes
//! what a mark says was begun, so an interruption anywhere comes to the same end. What follows,
//! deriving state and history from the blocks, is what every opening does.
//!
//! [`Ledgers`](crate::Ledgers) offers the operations, and only for ledgers that are not open.

mod derived;
mod mark;
mod pause;
mod regain;
mod remove;

use std::path::Path;

use mark::{Mark, Operation};
pub(crate) use pause::{pause, paused, resume};
pub(crate) use regain::Regain;
pub(crate) use remove::{finish_removals, remove};

use crate::{Config, Error, block_store, failpoint, snapshot};

/// Told how far a long operation is: units done, and all of them.
pub type OnProgress<'a> = &'a mut (dyn FnMut(u64, u64) + 'a);

/// Begins to derive everything from the blocks again. The next opening does it.
pub(crate) fn rebuild(dir: &Path, config: &Config) -> Result<(), Error> {
    Mark::begin(dir, Operation::Rebuild)?;
    finish(dir, config)
}

/// Cuts the chain behind block `to` and begins to derive everything from what is left.
pub(crate) fn rollback(dir: &Path, config: &Config, to: u64) -> Result<(), Error> {
    let base = snapshot::base(dir, config)?;
    let first = base.as_ref().map_or(0, |base| base.next_block());
    let height = block_store::height(&dir.join("blocks"), base.as_deref(), &config.blocks)?;
    if to < oldest(first) {
        return Err(Error::BelowBase { to, first });
    }
    if to.checked_add(1).is_none_or(|keep| keep > height) {
        return Err(Error::NotThere { to, height });
    }
    Regain::note(dir, height)?;
    Mark::begin(dir, Operation::Rollback { to })?;
    finish(dir, config)
}

/// Cuts the chain back to where it began.
pub(crate) fn reset(dir: &Path, config: &Config) -> Result<(), Error> {
    let first = snapshot::base(dir, config)?.map_or(0, |base| base.next_block());
    rollback(dir, config, oldest(first))
}

/// The oldest block that can be the newest: block 0, or the last one of the snapshot a ledger
/// began from.
fn oldest(first: u64) -> u64 {
    first.saturating_sub(1)
}

/// Finishes an operation that was begun, if there is one.
pub(crate) fn finish(dir: &Path, config: &Config) -> Result<(), Error> {
    let Some(mark) = Mark::load(dir)? else { return Ok(()) };
    let blocks = dir.join("blocks");
    match mark.operation() {
        Operation::Rebuild => block_store::drop_index(&blocks)?,
        Operation::Rollback { to } => {
            let base = snapshot::base(dir, config)?;
            block_store::cut(&blocks, base.as_deref(), &config.blocks, to.saturating_add(1))?;
        }
    }
    step("admin::blocks")?;
    derived::drop_all(dir, config)?;
    step("admin::derived")?;
    mark.end()
}

/// A place where tests let an operation end.
fn step(name: &'static str) -> Result<(), Error> {
    failpoint::reach(name).map_err(mark::failed(name, Path::new("ledger")))
}
