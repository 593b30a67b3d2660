//! The table of joined channels, and how a channel is joined.

use std::collections::BTreeMap;
use std::sync::Arc;

use channel::Bundle;
use ledger::Ledgers;
use parking_lot::RwLock;
use proto::common::Block;
use tokio::sync::watch;

use super::channel::Channel;
use super::commits::TooManyWaiters;

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
    /// No further waiter is accepted.
    #[error("wait for commit")]
    TooManyWaiters(#[from] TooManyWaiters),
}

/// All channels of this peer.
#[derive(Debug)]
pub struct Channels {
    ledgers: Ledgers,
    channels: RwLock<BTreeMap<String, Arc<Channel>>>,
    changes: watch::Sender<u64>,
    channels_max: usize,
    waiters_max: usize,
}

impl Channels {
    /// Opens every channel found in `ledgers`.
    pub fn open(ledgers: Ledgers, channels_max: usize, waiters_max: usize) -> Result<Self, Error> {
        let mut channels = BTreeMap::new();
        let changes = watch::Sender::new(0);
        for id in ledgers.list() {
            let ledger = ledgers.get(&id).ok_or_else(|| Error::Unknown(id.clone()))?;
            channels.insert(id, Arc::new(Channel::open(ledger, waiters_max, changes.clone())?));
        }
        Ok(Self { ledgers, channels: RwLock::new(channels), changes, channels_max, waiters_max })
    }

    /// The channel `id`, if it is joined.
    pub fn get(&self, id: &str) -> Option<Arc<Channel>> {
        self.channels.read().get(id).cloned()
    }

    /// All joined channels, by id.
    pub fn list(&self) -> Vec<Arc<Channel>> {
        self.channels.read().values().cloned().collect()
    }

    /// Changes whenever a channel is joined or gets a new configuration.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Joins the channel of the genesis block `block`.
    pub fn join(&self, block: &Block) -> Result<Arc<Channel>, Error> {
        let id = check_genesis(block)?;
        let mut channels = self.channels.write();
        if channels.contains_key(&id) {
            return Err(Error::Exists(id));
        }
        if channels.len() >= self.channels_max {
            return Err(Error::TooManyChannels(self.channels_max));
        }
        let ledger = self.ledgers.create(&id, block)?;
        let channel = Channel::open(ledger, self.waiters_max, self.changes.clone())?;
        let channel = Arc::new(channel);
        channels.insert(id, channel.clone());
        drop(channels);
        self.changes.send_modify(|count| *count += 1);
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
