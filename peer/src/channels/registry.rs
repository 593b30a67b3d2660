//! The table of joined channels, and how a channel is joined.

use std::collections::BTreeMap;
use std::sync::Arc;

use channel::Bundle;
use ledger::{Ledger, Ledgers, OnProgress};
use parking_lot::RwLock;
use proto::common::Block;
use tokio::sync::watch;

use super::channel::Channel;
use super::commits::TooManyWaiters;
use super::slot::Slot;
use super::state::{Operation, State};
use crate::causes::in_one_line;

/// Why a channel cannot be opened, joined or asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The peer has not joined the channel.
    #[error("channel {0} is not joined")]
    Unknown(String),
    /// The channel was joined before.
    #[error(
        "cannot create ledger from genesis block: ledger [{0}] already exists with state [ACTIVE]"
    )]
    Exists(String),
    /// The block is not one a channel can be joined with.
    #[error("invalid join block: {0}")]
    JoinBlock(String),
    /// As many channels are joined as the configuration allows.
    #[error("{0} channels are joined already")]
    TooManyChannels(usize),
    /// The configuration of the channel cannot be used.
    #[error("configuration of channel {channel}")]
    Config {
        /// The channel.
        channel: String,
        /// What is wrong with it.
        source: Box<channel::Error>,
    },
    /// The state holds no configuration of the channel.
    #[error("the state of channel {0} holds no configuration")]
    NoConfig(String),
    /// The state of a channel cannot be read.
    #[error("state")]
    State(#[from] ledger::state::Error),
    /// The snapshot is of a channel that cannot be joined.
    #[error("invalid snapshot: {0}")]
    Snapshot(String),
    /// A block of the channel's own ledger is malformed.
    #[error("block of channel {channel}")]
    Block {
        /// The channel.
        channel: String,
        /// What is wrong with it.
        source: proto::block::Error,
    },
    /// A block the ledger must hold is not there.
    #[error("channel {channel} has no block {number}")]
    NoBlock {
        /// The channel.
        channel: String,
        /// The block's number.
        number: u64,
    },
    /// Reading or writing the ledger failed.
    #[error("ledger")]
    Ledger(#[from] ledger::Error),
    /// The channel is joined and not served now.
    #[error("{0}")]
    Unavailable(String),
    /// Another operation on the channel is under way.
    #[error(
        "another operation on channel {0} is under way; `gauze peer status` says how far it is"
    )]
    Busy(String),
    /// The operation makes no sense now.
    #[error("cannot {operation} channel {channel}: {reason}")]
    Refused {
        /// The channel.
        channel: String,
        /// What was asked for.
        operation: Operation,
        /// Why not.
        reason: &'static str,
    },
    /// Requests that use the channel did not end in time.
    #[error(
        "cannot {operation} channel {channel}: requests that use it did not end in time, nothing \
         was changed"
    )]
    InUse {
        /// The channel.
        channel: String,
        /// What was asked for.
        operation: Operation,
    },
    /// No further waiter is accepted.
    #[error("wait for commit")]
    TooManyWaiters(#[from] TooManyWaiters),
}

/// All channels of this peer.
#[derive(Debug)]
pub struct Channels {
    ledgers: Ledgers,
    slots: RwLock<BTreeMap<String, Arc<Slot>>>,
    changes: watch::Sender<u64>,
    channels_max: usize,
    waiters_max: usize,
}

/// What is known of a channel, open or not.
#[derive(Debug, Clone)]
pub struct Status {
    /// The channel's id.
    pub id: String,
    /// What it is doing.
    pub state: State,
    /// Its height, or the last known one; 0 if none is known.
    pub height: u64,
    /// The height it had before it was cut back, as long as it is below.
    pub to_regain: Option<u64>,
}

impl Channels {
    /// Opens every channel found in `ledgers` that is not paused. One that cannot be opened has
    /// failed and leaves the others at work.
    pub fn open(ledgers: Ledgers, channels_max: usize, waiters_max: usize) -> Result<Self, Error> {
        let found = ledgers.found()?;
        let changes = watch::Sender::new(0);
        let slots = RwLock::default();
        let channels = Self { ledgers, slots, changes, channels_max, waiters_max };
        for id in found {
            let slot = Slot::new(&id, State::Running);
            match channels.start(&slot, false, &mut |_, _| {}) {
                // Creating it was interrupted; it can be joined.
                Err(Error::NoBlock { number: 0, .. }) => continue,
                Err(error) => {
                    let reason = in_one_line(&error);
                    tracing::error!(channel = id, reason, "channel cannot be opened");
                    slot.state.send_replace(State::Failed { reason });
                }
                Ok(()) => {}
            }
            channels.slots.write().insert(id, slot);
        }
        Ok(channels)
    }

    /// Opens the ledger of a channel and serves it, unless the channel is paused: then the ledger
    /// is opened to `derive` what its blocks say, and closed again.
    pub(super) fn start(
        &self,
        slot: &Slot,
        derive: bool,
        progress: OnProgress<'_>,
    ) -> Result<(), Error> {
        let id = slot.id.as_str();
        let paused = self.ledgers.paused(id)?;
        if let Some(height) = paused.filter(|_| !derive) {
            slot.rest(height);
            return Ok(());
        }
        let ledger = match self.ledgers.get(id) {
            Some(ledger) => Some(ledger),
            None => self.ledgers.load(id, progress)?,
        };
        let ledger = ledger.ok_or_else(|| Error::NoBlock { channel: id.to_owned(), number: 0 })?;
        if paused.is_some() {
            let height = ledger.height();
            drop(ledger);
            self.ledgers.close(id);
            self.ledgers.pause(id, height)?;
            slot.rest(height);
            return Ok(());
        }
        let opened = self.channel_on(slot, ledger).map(|channel| slot.open(channel));
        opened.inspect_err(|_| self.ledgers.close(id))
    }

    fn channel_on(&self, slot: &Slot, ledger: Arc<Ledger>) -> Result<Arc<Channel>, Error> {
        let (state, changes) = (slot.state.clone(), self.changes.clone());
        Ok(Arc::new(Channel::open(ledger, self.waiters_max, state, changes)?))
    }

    /// The channel `id`, if it is joined and served now.
    pub fn get(&self, id: &str) -> Option<Arc<Channel>> {
        self.slot(id)?.channel()
    }

    /// The channel `id`; the error says why it cannot be used and what to do about it.
    pub fn find(&self, id: &str) -> Result<Arc<Channel>, Error> {
        let slot = self.slot(id).ok_or_else(|| Error::Unknown(id.to_owned()))?;
        slot.channel().ok_or_else(|| Error::Unavailable(slot.state.borrow().explain(id)))
    }

    /// All channels that are served now, by id.
    pub fn list(&self) -> Vec<Arc<Channel>> {
        self.slots.read().values().filter_map(|slot| slot.channel()).collect()
    }

    /// The configurations of all joined channels, of those that are closed the last one.
    pub fn bundles(&self) -> Vec<Arc<Bundle>> {
        self.slots.read().values().filter_map(|slot| slot.bundle()).collect()
    }

    /// What all joined channels are doing, by id.
    pub fn statuses(&self) -> Vec<Status> {
        self.slots.read().values().map(|slot| slot.status()).collect()
    }

    /// What a channel is doing.
    pub fn status(&self, id: &str) -> Option<Status> {
        self.slot(id).map(|slot| slot.status())
    }

    /// Follows what a channel is doing, also while it is closed.
    pub fn watch_state(&self, id: &str) -> Option<watch::Receiver<State>> {
        self.slot(id).map(|slot| slot.state.subscribe())
    }

    /// Changes whenever a channel is joined, opened, closed, or gets a new configuration.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Joins the channel of the genesis block `block`.
    pub fn join(&self, block: &Block) -> Result<Arc<Channel>, Error> {
        let id = check_genesis(block)?;
        let mut slots = self.slots.write();
        if slots.contains_key(&id) {
            return Err(Error::Exists(id));
        }
        if slots.len() >= self.channels_max {
            return Err(Error::TooManyChannels(self.channels_max));
        }
        let slot = Slot::new(&id, State::Running);
        let channel = self.channel_on(&slot, self.ledgers.create(&id, block)?)?;
        slot.open(channel.clone());
        slots.insert(id, slot);
        drop(slots);
        self.changed();
        Ok(channel)
    }

    pub(super) fn ledgers(&self) -> &Ledgers {
        &self.ledgers
    }

    pub(super) fn slot(&self, id: &str) -> Option<Arc<Slot>> {
        self.slots.read().get(id).cloned()
    }

    /// The channel is joined no longer.
    pub(super) fn forget(&self, id: &str) {
        self.slots.write().remove(id);
        self.changed();
    }

    /// Tells that the table or a channel in it has changed.
    pub(super) fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }
}

impl Channels {
    /// Whether a channel can be joined now.
    pub(super) fn check_free(&self, id: &str) -> Result<(), Error> {
        let slots = self.slots.read();
        if slots.contains_key(id) {
            return Err(Error::Exists(id.to_owned()));
        }
        if slots.len() >= self.channels_max {
            return Err(Error::TooManyChannels(self.channels_max));
        }
        Ok(())
    }

    /// Serves the channel of a ledger that has just been created.
    pub(super) fn add(&self, ledger: Arc<Ledger>) -> Result<Arc<Channel>, Error> {
        let id = ledger.channel_id().to_owned();
        let slot = Slot::new(&id, State::Running);
        let channel = self.channel_on(&slot, ledger)?;
        slot.open(channel.clone());
        self.slots.write().insert(id, slot);
        self.changed();
        Ok(channel)
    }
}

/// Checks everything about a genesis block before anything is written; gives the channel's id.
fn check_genesis(block: &Block) -> Result<String, Error> {
    let invalid = |reason: String| Error::JoinBlock(reason);
    if proto::block::number(block) != 0 {
        return Err(invalid("a ledger starts at block 0".into()));
    }
    let bundle = Bundle::from_join_block(block).map_err(|error| invalid(error.to_string()))?;
    crate::validator::check_capabilities(&bundle).map_err(invalid)?;
    Ok(bundle.channel_id().to_owned())
}
