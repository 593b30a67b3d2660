//! The place of one channel in the table: it stays while the channel is closed and opened again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use channel::Bundle;
use ledger::Ledger;
use parking_lot::{Mutex, RwLock};
use tokio::sync::watch;

use super::channel::Channel;
use super::registry::Status;
use super::state::State;

/// What is to be closed.
#[derive(Debug)]
pub(super) enum Leaving {
    /// A channel with its ledger.
    Channel(Arc<Channel>),
    /// The ledger alone: nobody has the channel any more.
    Ledger(Arc<Ledger>),
}

/// One channel of this peer, open or not.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) id: String,
    pub(super) state: watch::Sender<State>,
    channel: RwLock<Option<Arc<Channel>>>,
    /// What somebody still used when an operation gave up waiting for him.
    leaving: Mutex<Option<Leaving>>,
    /// The configuration when the channel was closed.
    bundle: Mutex<Option<Arc<Bundle>>>,
    /// The height when the channel was closed.
    height: AtomicU64,
    /// Whether an operation is under way.
    busy: AtomicBool,
}

impl Slot {
    /// A channel that is not open.
    pub(super) fn new(id: &str, state: State) -> Arc<Self> {
        Arc::new(Self {
            id: id.to_owned(),
            state: watch::Sender::new(state),
            channel: RwLock::default(),
            leaving: Mutex::default(),
            bundle: Mutex::default(),
            height: AtomicU64::new(0),
            busy: AtomicBool::new(false),
        })
    }

    /// The channel, if it is open.
    pub(super) fn channel(&self) -> Option<Arc<Channel>> {
        self.channel.read().clone()
    }

    /// Serves the channel from now on.
    pub(super) fn open(&self, channel: Arc<Channel>) {
        *self.channel.write() = Some(channel);
        self.state.send_replace(State::Running);
    }

    /// Serves the channel no longer. What is returned has to be closed yet.
    pub(super) fn take(&self) -> Option<Leaving> {
        let channel = self.channel.write().take();
        if let Some(channel) = channel {
            channel.close();
            *self.bundle.lock() = Some(channel.bundle());
            self.note_height(channel.height());
            return Some(Leaving::Channel(channel));
        }
        self.leaving.lock().take()
    }

    /// Keeps what could not be closed, for the next who tries.
    pub(super) fn keep(&self, leaving: Leaving) {
        *self.leaving.lock() = Some(leaving);
    }

    /// The configuration; the last one if the channel is closed.
    pub(super) fn bundle(&self) -> Option<Arc<Bundle>> {
        match self.channel() {
            Some(channel) => Some(channel.bundle()),
            None => self.bundle.lock().clone(),
        }
    }

    /// The height, as far as it is known.
    pub(super) fn height(&self) -> u64 {
        let last = self.height.load(Ordering::Acquire);
        self.channel().map_or(last, |channel| channel.height())
    }

    /// What is known of the channel.
    pub(super) fn status(&self) -> Status {
        let to_regain = self.channel().and_then(|channel| channel.ledger().to_regain());
        let state = self.state.borrow().clone();
        Status { id: self.id.clone(), state, height: self.height(), to_regain }
    }

    /// The channel is paused, and has this height.
    pub(super) fn rest(&self, height: u64) {
        self.note_height(height);
        self.state.send_replace(State::Paused);
    }

    fn note_height(&self, height: u64) {
        self.height.store(height, Ordering::Release);
    }

    /// Whether there was no operation under way; now there is one.
    pub(super) fn begin(&self) -> bool {
        !self.busy.swap(true, Ordering::AcqRel)
    }

    /// The operation has ended.
    pub(super) fn end(&self) {
        self.busy.store(false, Ordering::Release);
    }
}
