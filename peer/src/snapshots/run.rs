//! Requests become snapshots: one task for every channel.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::{Arc, Weak};

use ledger::Ledger;
use node::tasks::Tasks;
use tokio::sync::watch;

use super::registry::Held;
use super::requests::Requests;
use super::{Error, Snapshots};
use crate::causes::in_one_line;
use crate::channels::{Channel, Channels};

/// Scheduled snapshots that are reserved at a time: while one is made, the next may come.
const SCHEDULED_AHEAD: usize = 2;

/// One look at a channel.
struct Turn {
    /// Blocks reserved by schedule.
    scheduled: BTreeSet<u64>,
    height: u64,
    held: Arc<Held>,
}

/// The ledger of a channel that is still there.
fn ledger(channel: &Weak<Channel>) -> Option<Arc<Ledger>> {
    channel.upgrade().map(|channel| channel.ledger().clone())
}

impl Snapshots {
    /// Serves every channel, those joined now and those joined later. A channel is held only while
    /// one of its snapshots is made.
    pub async fn run(self: Arc<Self>, channels: Arc<Channels>, tasks: Tasks) {
        let mut serving: BTreeMap<String, Weak<Channel>> = BTreeMap::new();
        let mut changes = channels.watch();
        let cancelled = tasks.cancelled();
        tokio::pin!(cancelled);
        loop {
            changes.borrow_and_update();
            for channel in channels.list() {
                let (id, weak) = (channel.id().to_owned(), Arc::downgrade(&channel));
                if serving.get(&id).is_none_or(|known| !Weak::ptr_eq(known, &weak)) {
                    let name = format!("snapshots {id}");
                    serving.insert(id, weak.clone());
                    let heights = channel.watch_height();
                    tasks.spawn(name, self.clone().serve(weak, heights, tasks.clone()));
                }
            }
            tokio::select! {
                () = &mut cancelled => return,
                changed = changes.changed() => if changed.is_err() { return },
            }
        }
    }

    /// Makes the snapshots of one channel as their blocks are committed.
    async fn serve(
        self: Arc<Self>,
        channel: Weak<Channel>,
        mut heights: watch::Receiver<u64>,
        tasks: Tasks,
    ) {
        let Some(held) = self.clone().prepared(&channel, &tasks).await else { return };
        let mut scheduled = BTreeSet::new();
        loop {
            let height = *heights.borrow_and_update();
            if self.has_work(&held, &scheduled, height) {
                let turn = Turn { scheduled, height, held: held.clone() };
                let Some(ledger) = ledger(&channel) else { return };
                let (this, name) = (self.clone(), format!("snapshot {}", ledger.channel_id()));
                let worked = tasks.spawn_blocking(name, move || this.work(&ledger, turn)).await;
                // A panic is logged. Another try would end the same way.
                let Ok((turn, has_made)) = worked else { return };
                scheduled = turn.scheduled;
                if has_made {
                    continue;
                }
            }
            tokio::select! {
                () = tasks.cancelled() => return,
                () = held.changed.notified() => {}
                changed = heights.changed() => if changed.is_err() { return },
            }
        }
    }

    /// What is held for a channel that begins to be served.
    async fn prepared(
        self: Arc<Self>,
        channel: &Weak<Channel>,
        tasks: &Tasks,
    ) -> Option<Arc<Held>> {
        let ledger = ledger(channel)?;
        let id = ledger.channel_id().to_owned();
        let prepare = move || self.prepare(&ledger);
        let prepared = tasks.spawn_blocking(format!("prepare snapshots {id}"), prepare).await;
        // A panic is logged.
        let prepared = prepared.ok()?;
        let failed = |error: &Error| {
            let error = in_one_line(error);
            tracing::error!(channel = id, error, "snapshots of the channel are not made");
        };
        prepared.inspect_err(failed).ok()
    }

    fn has_work(&self, held: &Held, scheduled: &BTreeSet<u64>, height: u64) -> bool {
        self.is_short(scheduled) || due(&held.requests.lock(), scheduled, height).is_some()
    }

    /// Whether blocks are to be scheduled.
    fn is_short(&self, scheduled: &BTreeSet<u64>) -> bool {
        self.config.every_blocks > 0 && scheduled.len() < SCHEDULED_AHEAD
    }

    /// Reserves what is scheduled, and makes the snapshot that is due, if one is.
    fn work(&self, ledger: &Arc<Ledger>, mut turn: Turn) -> (Turn, bool) {
        if self.is_short(&turn.scheduled) {
            self.schedule(ledger, &mut turn.scheduled, turn.height);
        }
        let Some(block) = begin(&turn.held, &turn.scheduled, turn.height) else {
            return (turn, false);
        };
        let by_schedule = turn.scheduled.remove(&block);
        self.make(&turn.held, ledger, block, by_schedule);
        (turn, true)
    }

    /// Removes what was interrupted, and reserves what is requested.
    fn prepare(&self, ledger: &Ledger) -> Result<Arc<Held>, Error> {
        let channel = ledger.channel_id();
        let held = self.held(channel)?;
        remove_unfinished(&self.completed(channel))
            .map_err(|source| Error::Io { path: self.completed(channel), source })?;
        for block in held.requests.lock().pending() {
            ledger.reserve(*block)?;
        }
        Ok(held)
    }

    /// The next blocks to be made snapshots of by schedule. Those that pass while others are made
    /// are left out.
    fn schedule(&self, ledger: &Ledger, scheduled: &mut BTreeSet<u64>, height: u64) {
        let every = self.config.every_blocks.max(1);
        let first = scheduled.last().map_or(1, |last| last.saturating_add(1)).max(height);
        let next = (first.div_ceil(every)..).map_while(|count| count.checked_mul(every));
        for block in next.take(SCHEDULED_AHEAD - scheduled.len()) {
            match ledger.reserve(block) {
                Ok(reserved) => drop(reserved && scheduled.insert(block)),
                Err(error) => {
                    let error = in_one_line(&error);
                    tracing::error!(channel = ledger.channel_id(), error, "schedule a snapshot");
                }
            }
        }
    }

    /// Makes one snapshot. A request ends with it, also if it fails: then the log says why.
    fn make(&self, held: &Held, ledger: &Arc<Ledger>, block: u64, by_schedule: bool) {
        let channel = ledger.channel_id();
        let begun = std::time::Instant::now();
        let made = self.write(ledger, block);
        let millis = begun.elapsed().as_millis();
        match &made {
            Ok(()) => tracing::info!(channel, block, millis, "snapshot made"),
            Err(error) => {
                tracing::error!(channel, block, error = in_one_line(error), "make a snapshot");
            }
        }
        let mut requests = held.requests.lock();
        let was_requested = requests.pending().contains(&block);
        let noted = requests.remove(block).and_then(|()| match by_schedule && !was_requested {
            true if made.is_ok() => {
                let gone = requests.note_scheduled(block, self.config.scheduled_kept_max.max(1))?;
                gone.into_iter().for_each(|block| self.remove(channel, block));
                Ok(())
            }
            _ => Ok(()),
        });
        *held.making.lock() = None;
        if let Err(error) = noted {
            tracing::error!(channel, block, error = in_one_line(&error), "note a snapshot");
        }
    }

    fn write(&self, ledger: &Arc<Ledger>, block: u64) -> Result<(), Error> {
        let place = self.place(ledger.channel_id(), block);
        if place.exists() {
            // It was complete before the peer stopped.
            ledger.release(block);
            return Ok(());
        }
        match ledger.reserved(block)? {
            Some(export) => export.write(place)?,
            // It was passed while the peer did not run.
            None => ledger.snapshot_of(block, place)?,
        };
        Ok(())
    }

    /// Removes a scheduled snapshot that is no longer kept.
    fn remove(&self, channel: &str, block: u64) {
        let place = self.place(channel, block);
        match fs::remove_dir_all(&place) {
            Ok(()) => tracing::info!(channel, block, "old snapshot removed"),
            Err(error) => tracing::warn!(channel, block, %error, "remove an old snapshot"),
        }
    }
}

/// The oldest block that has been committed and whose snapshot is wanted.
fn due(requests: &Requests, scheduled: &BTreeSet<u64>, height: u64) -> Option<u64> {
    let wanted = requests.pending().first().into_iter().chain(scheduled.first()).min();
    wanted.copied().filter(|block| *block < height)
}

/// The block that is due, whose request can no longer be cancelled from now on.
fn begin(held: &Held, scheduled: &BTreeSet<u64>, height: u64) -> Option<u64> {
    let requests = held.requests.lock();
    let due = due(&requests, scheduled, height);
    *held.making.lock() = due;
    due
}

/// Removes snapshots that were being written when the peer stopped.
fn remove_unfinished(completed: &Path) -> std::io::Result<()> {
    let entries = match fs::read_dir(completed) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|it| it == "unfinished" || it == "replay") {
            fs::remove_dir_all(path)?;
        }
    }
    Ok(())
}
