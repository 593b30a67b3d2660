//! Operations on a channel while the peer runs.
//!
//! An operation closes the channel, works on the closed ledger, and opens a new [`Channel`] on it.
//! Whoever held the old one has a consistent ledger until he lets go of it, and is told to; only
//! then does the work begin, so nobody ever reads from a ledger that is being changed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ledger::Ledgers;

use super::registry::{Channels, Error};
use super::slot::{Leaving, Slot};
use super::state::{Operation, State, Work};
use crate::causes::in_one_line;

/// How often it is looked whether the last user of a channel is gone.
const LOOK: Duration = Duration::from_millis(5);

/// A channel that an administrator works on; no other operation can begin meanwhile.
#[derive(Debug)]
pub struct Maintenance {
    channels: Arc<Channels>,
    slot: Arc<Slot>,
    operation: Operation,
    /// The state before.
    before: State,
    settled: bool,
}

impl Channels {
    /// Begins an operation on a channel; [`Maintenance::run`] carries it out.
    pub fn begin(self: &Arc<Self>, id: &str, operation: Operation) -> Result<Maintenance, Error> {
        let slot = self.slot(id).ok_or_else(|| Error::Unknown(id.to_owned()))?;
        if !slot.begin() {
            return Err(Error::Busy(id.to_owned()));
        }
        if !self.slot(id).is_some_and(|current| Arc::ptr_eq(&current, &slot)) {
            return Err(Error::Unknown(id.to_owned()));
        }
        let (channels, before) = (self.clone(), slot.state.borrow().clone());
        let begun = Maintenance { channels, slot, operation, before, settled: false };
        begun.admissible()?;
        Ok(begun)
    }
}

impl Maintenance {
    /// Carries the operation out. Waits at most `drain_max` for those who use the channel now.
    pub fn run(mut self, drain_max: Duration) -> Result<(), Error> {
        self.tell(0, 0);
        if let Err(error) = self.close(drain_max) {
            self.settled = true;
            return Err(error);
        }
        let worked = self.work();
        let opened = match (self.operation, &worked) {
            (Operation::Unjoin, Ok(())) => Ok(()),
            (Operation::Pause, Ok(())) => {
                self.slot.state.send_replace(State::Paused);
                Ok(())
            }
            _ => self.open_again(),
        };
        self.settled = true;
        worked.and(opened)
    }

    /// Whether the operation makes sense in the present state.
    fn admissible(&self) -> Result<(), Error> {
        let refused = |reason: &'static str| {
            Err(Error::Refused { channel: self.slot.id.clone(), operation: self.operation, reason })
        };
        let height = self.slot.height();
        match (self.operation, &self.before) {
            (Operation::Pause, State::Paused) => refused("it is paused already"),
            (Operation::Resume, State::Running) => refused("it is running"),
            (Operation::Rollback { to }, _) if height > 0 && to >= height => {
                refused("the channel has no such block here")
            }
            _ => Ok(()),
        }
    }

    fn ledgers(&self) -> &Ledgers {
        self.channels.ledgers()
    }

    fn tell(&self, done: u64, total: u64) {
        let work = Work { operation: self.operation, done, total };
        self.slot.state.send_replace(State::Rebuilding(work));
    }

    /// Ends the service of the channel and waits until nobody holds it or its ledger.
    fn close(&self, drain_max: Duration) -> Result<(), Error> {
        let Some(leaving) = self.slot.take() else { return Ok(()) };
        self.channels.changed();
        self.ledgers().close(&self.slot.id);
        let until = Instant::now() + drain_max;
        let ledger = match leaving {
            Leaving::Ledger(ledger) => ledger,
            Leaving::Channel(channel) => match sole(channel, until) {
                Ok(channel) => channel.into_ledger(),
                Err(channel) => return self.give_up(Leaving::Channel(channel)),
            },
        };
        match sole(ledger, until) {
            Ok(ledger) => {
                drop(ledger);
                Ok(())
            }
            Err(ledger) => self.give_up(Leaving::Ledger(ledger)),
        }
    }

    /// Somebody does not let go of the channel. Nothing was changed, but it cannot go on, since
    /// whoever holds it may still work on its ledger.
    fn give_up(&self, leaving: Leaving) -> Result<(), Error> {
        self.slot.keep(leaving);
        let error = Error::InUse { channel: self.slot.id.clone(), operation: self.operation };
        self.slot.state.send_replace(State::Failed { reason: error.to_string() });
        Err(error)
    }

    fn work(&self) -> Result<(), Error> {
        let (ledgers, id) = (self.ledgers(), self.slot.id.as_str());
        match self.operation {
            Operation::Pause => ledgers.pause(id, self.slot.height())?,
            Operation::Resume => ledgers.resume(id)?,
            Operation::Rebuild => ledgers.rebuild(id)?,
            Operation::Rollback { to } => ledgers.rollback(id, to)?,
            Operation::Reset => ledgers.reset(id)?,
            Operation::Unjoin => {
                ledgers.remove(id, &mut |done, total| self.tell(done, total))?;
                self.channels.forget(id);
            }
        }
        Ok(())
    }

    /// Opens the ledger and serves the channel again, unless it is paused.
    fn open_again(&self) -> Result<(), Error> {
        let served =
            self.channels.start(&self.slot, true, &mut |done, total| self.tell(done, total));
        if let Err(error) = &served {
            self.slot.state.send_replace(State::Failed { reason: in_one_line(error) });
        }
        self.channels.changed();
        served
    }
}

impl Drop for Maintenance {
    /// Also after a panic: the channel does not stay in between.
    fn drop(&mut self) {
        let is_between = matches!(&*self.slot.state.borrow(), State::Rebuilding(_));
        if !self.settled && is_between {
            let reason = format!("{} ended early; restart the peer", self.operation);
            self.slot.state.send_replace(State::Failed { reason });
        }
        self.slot.end();
    }
}

/// The value once nobody else holds it, and nobody can get hold of it again.
fn sole<T>(mut shared: Arc<T>, until: Instant) -> Result<T, Arc<T>> {
    loop {
        match Arc::try_unwrap(shared) {
            Ok(value) => return Ok(value),
            Err(held) if Instant::now() >= until => return Err(held),
            Err(held) => shared = held,
        }
        std::thread::sleep(LOOK);
    }
}
