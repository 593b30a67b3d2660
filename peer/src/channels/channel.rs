//! One joined channel.

use std::sync::Arc;

use arc_swap::ArcSwap;
use channel::Bundle;
use ledger::Ledger;
use proto::common::Block;
use proto::peer::TxValidationCode;
use tokio::sync::watch;

use super::commits::{CommitStatus, Commits, TooManyWaiters, Waiter};
use super::registry::Error;
use super::state::State;

/// One joined channel: its ledger, its configuration and the news of its commits.
#[derive(Debug)]
pub struct Channel {
    id: String,
    ledger: Arc<Ledger>,
    bundle: ArcSwap<Bundle>,
    commits: Commits,
    state: watch::Sender<State>,
    closing: watch::Sender<bool>,
    /// Counts what happens to the configurations of all channels.
    changes: watch::Sender<u64>,
}

impl Channel {
    /// Opens the channel on its ledger, with the configuration of its last config block.
    pub(super) fn open(
        ledger: Arc<Ledger>,
        waiters_max: usize,
        state: watch::Sender<State>,
        changes: watch::Sender<u64>,
    ) -> Result<Self, Error> {
        let id = ledger.channel_id().to_owned();
        let bundle = load_bundle(&ledger)?;
        Ok(Self {
            id,
            ledger,
            bundle: ArcSwap::from_pointee(bundle),
            commits: Commits::new(waiters_max),
            state,
            closing: watch::Sender::new(false),
            changes,
        })
    }

    /// The channel's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The channel's ledger.
    pub fn ledger(&self) -> &Arc<Ledger> {
        &self.ledger
    }

    /// The ledger alone.
    pub(super) fn into_ledger(self) -> Arc<Ledger> {
        self.ledger
    }

    /// The configuration agreed on as of the last committed block.
    pub fn bundle(&self) -> Arc<Bundle> {
        self.bundle.load_full()
    }

    /// Number of blocks committed; also the number of the next block.
    pub fn height(&self) -> u64 {
        self.ledger.height()
    }

    /// The block `number`, read away from the threads that serve requests.
    /// The future does not hold the channel.
    pub fn load_block(
        &self,
        number: u64,
    ) -> impl Future<Output = Result<Block, Error>> + Send + use<> {
        let (ledger, id) = (self.ledger.clone(), self.id.clone());
        let reading = tokio::task::spawn_blocking(move || ledger.block(number));
        async move {
            let block = reading.await.map_err(|_| Error::Unknown(id.clone()))??;
            block.ok_or(Error::NoBlock { channel: id, number })
        }
    }

    /// Sees each new height, after the block is durable.
    pub fn watch_height(&self) -> watch::Receiver<u64> {
        self.ledger.watch()
    }

    /// Registers a waiter for one transaction; see [`Commits::subscribe`].
    pub fn subscribe(&self, tx_id: &str) -> Result<Waiter, TooManyWaiters> {
        self.commits.subscribe(tx_id)
    }

    /// The verdict on `tx_id`: from the ledger if it is there, otherwise once it is committed.
    /// Never returns while the transaction does not arrive: the caller brings the deadline.
    pub async fn commit_status(&self, tx_id: &str) -> Result<CommitStatus, Error> {
        let mut waiter = self.subscribe(tx_id)?;
        if let Some(record) = self.ledger.transaction(tx_id)? {
            return Ok(CommitStatus { code: record.code, block: record.block });
        }
        tokio::select! {
            status = waiter.status() => status.ok_or_else(|| self.unavailable()),
            () = self.closed() => Err(self.unavailable()),
        }
    }

    /// What the channel is doing.
    pub fn state(&self) -> State {
        self.state.borrow().clone()
    }

    /// Follows what the channel is doing.
    pub fn watch_state(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    /// Returns when the channel is being closed: whoever holds it must let go of it.
    pub async fn closed(&self) {
        let mut closing = self.closing.subscribe();
        // The sender lives as long as the channel.
        let _gone = closing.wait_for(|closing| *closing).await;
    }

    /// Whether the channel is being closed.
    pub fn is_closing(&self) -> bool {
        *self.closing.borrow()
    }

    /// Sees the channel being closed, without holding it.
    pub fn watch_closing(&self) -> watch::Receiver<bool> {
        self.closing.subscribe()
    }

    /// Why a request that used the channel ends early.
    pub fn unavailable(&self) -> Error {
        closed(&self.id)
    }

    /// Asks everyone who holds the channel to let go of it.
    pub(super) fn close(&self) {
        self.closing.send_replace(true);
    }

    /// Replaces the configuration, after the block that carries it is durable.
    pub(crate) fn set_bundle(&self, bundle: Arc<Bundle>) {
        self.bundle.store(bundle);
        self.changes.send_modify(|count| *count += 1);
    }

    /// Tells the waiters of a committed block's transactions.
    pub(crate) fn notify<'a>(
        &self,
        block: u64,
        verdicts: impl IntoIterator<Item = (&'a str, TxValidationCode)>,
    ) {
        if self.commits.waiting() == 0 {
            return;
        }
        for (tx_id, code) in verdicts {
            self.commits.notify(tx_id, CommitStatus { code, block });
        }
    }

    /// Records that the committer cannot go on. A channel that is being closed is past that.
    pub(crate) fn fail(&self, reason: String) {
        self.state.send_if_modified(|state| {
            let was_running = *state == State::Running && !*self.closing.borrow();
            if was_running {
                *state = State::Failed { reason };
            }
            was_running
        });
    }

    /// The newest config block.
    pub fn config_block(&self) -> Result<Block, Error> {
        load_config_block(&self.ledger)
    }
}

/// Why a request about a channel ends early that is being closed.
pub(crate) fn closed(id: &str) -> Error {
    Error::Unavailable(format!("channel {id} is being closed on this peer; try again later"))
}

/// The configuration stands in the state, whether or not the block that brought it is here.
fn load_bundle(ledger: &Ledger) -> Result<Bundle, Error> {
    let view = ledger.view()?;
    if view.height() == 0 {
        return Err(Error::NoBlock { channel: ledger.channel_id().to_owned(), number: 0 });
    }
    super::snapshot::bundle_of(ledger.channel_id(), &view)
}

fn load_config_block(ledger: &Ledger) -> Result<Block, Error> {
    let missing = |number| Error::NoBlock { channel: ledger.channel_id().to_owned(), number };
    let last = ledger.height().checked_sub(1).ok_or_else(|| missing(0))?;
    let newest = ledger.block(last)?.ok_or_else(|| missing(last))?;
    let number = proto::block::last_config(&newest)
        .map_err(|source| Error::Block { channel: ledger.channel_id().to_owned(), source })?;
    ledger.block(number)?.ok_or_else(|| missing(number))
}
