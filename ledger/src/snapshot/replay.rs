//! A snapshot of a block that has been passed: its state is made again from the blocks, beside the
//! ledger's own. For requests that a crash kept from being served in time.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use super::{Snapshot, SnapshotMetadata, import_state};
use crate::database::{self, Database};
use crate::state::{self, StateBatch, StateDb};
use crate::{Error, Ledger, View, block_store, config_history, mvcc, private_data};

/// Memory for pages of the state made again, in bytes.
const CACHE_BYTES: u64 = 32 << 20;
/// Its views live as long as one block is applied.
const VIEW_LAG_BLOCKS_MAX: usize = 4;

impl Ledger {
    /// Writes a snapshot of block `number` into the new folder `dir`. One of the newest block is
    /// written at once; for an older one all blocks up to it are applied again.
    pub fn snapshot_of(
        &self,
        number: u64,
        dir: impl AsRef<Path>,
    ) -> Result<SnapshotMetadata, Error> {
        let dir = dir.as_ref();
        let height = self.height();
        if number >= height {
            return Err(Error::NotCommitted { number, height });
        }
        let (view, running) = self.begin_export()?;
        if view.height() == number + 1 {
            return self.write_snapshot(&view, dir);
        }
        drop((view, running));
        if let Some(base) = self.base().filter(|base| number < base.last_block()) {
            let last = base.last_block();
            return Err(block_store::Error::NotAvailable { number, last }.into());
        }
        let place = dir.with_extension("replay");
        let failed = |action| {
            let path = place.clone();
            move |source| Error::Io { action, path, source }
        };
        if place.exists() {
            fs::remove_dir_all(&place).map_err(failed("remove the rest of"))?;
        }
        let written = self
            .state_after(number, &place)
            .and_then(|state| self.write_snapshot(&View::new(state.view()?), dir));
        fs::remove_dir_all(&place).map_err(failed("remove"))?;
        written
    }

    /// The state after block `number`, without clear private data, in a database of its own.
    fn state_after(&self, number: u64, place: &Path) -> Result<Arc<dyn StateDb>, Error> {
        let failed = |source| Error::Database { name: "replayed state", source };
        let db = Database::open(place, CACHE_BYTES, database::LEDGER).map_err(failed)?;
        let config =
            state::Config { view_lag_blocks_max: VIEW_LAG_BLOCKS_MAX, ..self.config.state.clone() };
        let state = state::on_sled(&db, &config)?;
        let first = match self.base.as_deref() {
            Some(base) => {
                import_state(base, &*state, &self.private)?;
                base.next_block()
            }
            None => 0,
        };
        for number in first..=number {
            self.apply_again(number, &*state)?;
        }
        Ok(state)
    }

    fn apply_again(&self, number: u64, state: &dyn StateDb) -> Result<(), Error> {
        let parsed = self.parsed(number)?;
        let view = View::new(state.view()?);
        let updates = mvcc::replay(state, view.state(), number, &parsed)?;
        let mut batch = StateBatch {
            block: number,
            previous: number.checked_sub(1),
            updates: updates.iter().map(|(key, it)| (key.clone(), it.entry())).collect(),
        };
        let (store, nothing) = (&self.private, BTreeMap::new());
        private_data::record_ends(&view, &parsed, &updates, &nothing, store, &mut batch)?;
        config_history::record(&updates, &mut batch);
        state.apply(&batch)?;
        Ok(state.settle()?)
    }

    /// The snapshot this ledger began from, if it did not begin with block 0.
    pub fn base(&self) -> Option<&Snapshot> {
        self.base.as_deref()
    }
}
