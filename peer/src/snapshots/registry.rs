//! Requests for snapshots as administrators make them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::requests::Requests;
use super::{Config, Error};
use crate::channels::Channel;

/// How often the newest block is tried, if blocks are committed all the while.
const NEWEST_TRIES: u32 = 100;

/// The snapshots of all channels.
#[derive(Debug)]
pub struct Snapshots {
    root: PathBuf,
    pub(super) config: Config,
    held: Mutex<BTreeMap<String, Arc<Held>>>,
}

/// What is held for one channel.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) requests: Mutex<Requests>,
    /// The block whose snapshot is being made.
    pub(super) making: Mutex<Option<u64>>,
    pub(super) changed: Notify,
}

impl Snapshots {
    /// The snapshots in the folder of the configuration, or in `default`.
    pub fn new(config: Config, default: PathBuf) -> Self {
        let root = match config.directory.as_os_str().is_empty() {
            true => default,
            false => config.directory.clone(),
        };
        Self { root, config, held: Mutex::default() }
    }

    /// Where the snapshot of a block goes.
    pub fn place(&self, channel: &str, block: u64) -> PathBuf {
        self.completed(channel).join(block.to_string())
    }

    pub(super) fn completed(&self, channel: &str) -> PathBuf {
        self.root.join("completed").join(channel)
    }

    pub(super) fn held(&self, channel: &str) -> Result<Arc<Held>, Error> {
        let mut all = self.held.lock();
        if let Some(held) = all.get(channel) {
            return Ok(held.clone());
        }
        let requests = Mutex::new(Requests::open(&self.root, channel)?);
        let held = Arc::new(Held { requests, making: Mutex::default(), changed: Notify::new() });
        all.insert(channel.to_owned(), held.clone());
        Ok(held)
    }

    /// Requests a snapshot of block `number`, of the newest one if it is 0. Returns the block.
    pub fn submit(&self, channel: &Channel, number: u64) -> Result<u64, Error> {
        let (held, ledger) = (self.held(channel.id())?, channel.ledger());
        let mut requests = held.requests.lock();
        let mut tries = NEWEST_TRIES;
        let block = loop {
            let last = ledger.height().saturating_sub(1);
            let wanted = if number == 0 { last } else { number };
            self.check(channel.id(), &requests, wanted, last)?;
            if ledger.reserve(wanted)? {
                break wanted;
            }
            // It has been passed meanwhile.
            tries -= 1;
            if number != 0 || tries == 0 {
                return Err(Error::Passed { wanted, last: ledger.height().saturating_sub(1) });
            }
        };
        requests.add(block).inspect_err(|_| ledger.release(block))?;
        tracing::info!(channel = channel.id(), block, "snapshot requested");
        held.changed.notify_one();
        Ok(block)
    }

    fn check(
        &self,
        channel: &str,
        requests: &Requests,
        wanted: u64,
        last: u64,
    ) -> Result<(), Error> {
        let pending = requests.pending();
        if wanted < last {
            return Err(Error::Passed { wanted, last });
        }
        if pending.contains(&wanted) {
            return Err(Error::Duplicate(wanted));
        }
        if self.place(channel, wanted).exists() {
            return Err(Error::Exists(wanted));
        }
        if pending.len() >= self.config.pending_max {
            return Err(Error::TooMany(pending.len()));
        }
        Ok(())
    }

    /// Withdraws a request.
    pub fn cancel(&self, channel: &Channel, block: u64) -> Result<(), Error> {
        let held = self.held(channel.id())?;
        let mut requests = held.requests.lock();
        if !requests.pending().contains(&block) {
            return Err(Error::NoRequest(block));
        }
        if *held.making.lock() == Some(block) {
            return Err(Error::InProgress);
        }
        requests.remove(block)?;
        channel.ledger().release(block);
        tracing::info!(channel = channel.id(), block, "snapshot request cancelled");
        Ok(())
    }

    /// The blocks whose snapshots are requested and not there, ascending.
    pub fn pending(&self, channel: &Channel) -> Result<Vec<u64>, Error> {
        let held = self.held(channel.id())?;
        let requests = held.requests.lock();
        Ok(requests.pending().iter().copied().collect())
    }
}
