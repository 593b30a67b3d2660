//! All channels of this node, and how they come and go.
//!
//! A channel is a folder that holds the block it was joined with. The folder appears under its name
//! in one step, when the block is in it, and disappears in one step, when removal begins; whatever
//! a crash left of either is cleaned up at start.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ::channel::{Bundle, validate_channel_id};
use arc_swap::{ArcSwap, ArcSwapOption};
use ledger::block_store::{self, BlockStore};
use node::tasks::Tasks;
use parking_lot::{Mutex, RwLock};
use prost::Message;
use proto::block;
use proto::common::Block;
use tokio::sync::watch;

use super::block_writer::{self, State};
use super::channel::{Channel, Info, Relation, Status};
use super::lifecycle::{self, Shared};

const JOIN_BLOCK: &str = "join.block";
/// Folders in the making and in removal; no channel has such a name.
const JOINING: &str = "_joining";
const REMOVING: &str = "_removing";
/// How long a removed channel has to finish what it is doing.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// Why the channels of this node could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The operating system failed us.
    #[error("channel folder {}", path.display())]
    Io {
        /// The folder.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// The block a channel was joined with cannot be read.
    #[error("join block of channel {channel}")]
    JoinBlock {
        /// The channel.
        channel: String,
        /// What is wrong.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The chain of a channel cannot be opened.
    #[error("chain of channel {channel}")]
    Chain {
        /// The channel.
        channel: String,
        /// What is wrong.
        #[source]
        source: Box<block_writer::Error>,
    },
}

/// Why a channel was not joined.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// The block is not one to join a channel by.
    #[error("invalid join block: {0}")]
    Block(String),
    /// The channel is here already.
    #[error("cannot join: channel already exists")]
    Exists,
    /// The channel is being removed.
    #[error("cannot join: channel pending removal")]
    Removing,
    /// There are as many channels as the configuration allows.
    #[error("cannot join: this orderer serves {0} channels and may not serve more")]
    TooMany(usize),
    /// Our disk.
    #[error("join channel")]
    Open(#[from] OpenError),
}

/// Why a channel was not removed.
#[derive(Debug, thiserror::Error)]
pub enum RemoveError {
    /// There is no such channel.
    #[error("cannot remove: channel does not exist")]
    Unknown,
    /// It is being removed already.
    #[error("cannot remove: channel pending removal")]
    Removing,
    /// Our disk.
    #[error("remove channel")]
    Io(#[from] io::Error),
}

/// All channels of this node.
#[derive(Debug)]
pub struct Registry {
    root: PathBuf,
    shared: Arc<Shared>,
    channels: RwLock<BTreeMap<String, Arc<Channel>>>,
    /// Names of channels on their way in or out.
    changing: Mutex<BTreeMap<String, Change>>,
    channels_max: usize,
    tasks: Tasks,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Joining,
    Removing,
}

impl Registry {
    /// Opens all channels under `root` and starts them.
    pub(crate) fn open(
        root: &Path,
        shared: Arc<Shared>,
        channels_max: usize,
        tasks: &Tasks,
    ) -> Result<Self, OpenError> {
        let registry = Self {
            root: root.to_owned(),
            shared,
            channels: RwLock::default(),
            changing: Mutex::default(),
            channels_max,
            tasks: tasks.clone(),
        };
        let names = clean_up(root).map_err(io_at(root))?;
        for name in names {
            registry.start(&name)?;
        }
        Ok(registry)
    }

    /// The channel of a name.
    pub fn get(&self, id: &str) -> Option<Arc<Channel>> {
        self.channels.read().get(id).cloned()
    }

    /// All channels, by name.
    pub fn list(&self) -> Vec<Arc<Channel>> {
        self.channels.read().values().cloned().collect()
    }

    /// Joins a channel by its genesis block, or by a later config block. Blocks on the disk.
    pub fn join(&self, block: &Block) -> Result<Info, JoinError> {
        let invalid = |error: &dyn std::fmt::Display| JoinError::Block(error.to_string());
        let bundle = Bundle::from_join_block(block).map_err(|error| invalid(&error))?;
        let id = bundle.channel_id().to_owned();
        State::of_config_block(block, bundle).map_err(|error| {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            JoinError::Block(format!("{error}: {}", cause.unwrap_or_default()))
        })?;
        let _guard = self.begin(&id, Change::Joining).map_err(|change| match change {
            Change::Joining => JoinError::Exists,
            Change::Removing => JoinError::Removing,
        })?;
        let count = self.channels.read().len();
        if self.channels.read().contains_key(&id) {
            return Err(JoinError::Exists);
        }
        if count >= self.channels_max {
            return Err(JoinError::TooMany(count));
        }
        self.create_folder(&id, block).map_err(io_at(&self.root.join(&id)))?;
        tracing::info!(channel = %id, block = block::number(block), "joining");
        Ok(self.start(&id)?.info())
    }

    /// Stops a channel and removes all it has on disk.
    pub async fn remove(&self, id: &str) -> Result<(), RemoveError> {
        let _guard = self.begin(id, Change::Removing).map_err(|_| RemoveError::Removing)?;
        let channel = self.channels.write().remove(id).ok_or(RemoveError::Unknown)?;
        tracing::info!(channel = %id, "removing");
        channel.enter(channel.info().consensus_relation, Status::Inactive);
        channel.tasks.shutdown(STOP_TIMEOUT).await;
        self.shared.cluster.forget(id);
        self.shared.metrics.forget(id);
        drop(channel);
        let (from, to) = (self.root.join(id), self.root.join(format!("{REMOVING}-{id}")));
        let remove = move || {
            fs::rename(from, &to)?;
            fs::remove_dir_all(to)
        };
        let name = format!("remove {id}");
        let removed = self.tasks.spawn_blocking(name, remove).await;
        removed.unwrap_or_else(|error| Err(io::Error::other(error)))?;
        Ok(())
    }

    fn begin(&self, id: &str, change: Change) -> Result<Guard<'_>, Change> {
        let mut changing = self.changing.lock();
        if let Some(other) = changing.get(id) {
            return Err(*other);
        }
        changing.insert(id.to_owned(), change);
        Ok(Guard { registry: self, id: id.to_owned() })
    }

    fn create_folder(&self, id: &str, block: &Block) -> io::Result<()> {
        let draft = self.root.join(format!("{JOINING}-{id}"));
        if draft.exists() {
            fs::remove_dir_all(&draft)?;
        }
        fs::create_dir_all(&draft)?;
        let path = draft.join(JOIN_BLOCK);
        fs::write(&path, block.encode_to_vec())?;
        fs::File::open(&path)?.sync_all()?;
        fs::rename(&draft, self.root.join(id))?;
        fs::File::open(&self.root)?.sync_all()
    }

    /// Opens the channel in its folder and starts it.
    fn start(&self, id: &str) -> Result<Arc<Channel>, OpenError> {
        let directory = self.root.join(id);
        let (join_block, state) = read_join_block(id, &directory)?;
        let chain = |source| OpenError::Chain { channel: id.to_owned(), source: Box::new(source) };
        let config = block_store::Config {
            index_transactions: false,
            index_cache_bytes: 4 << 20,
            ..block_store::Config::default()
        };
        let store = BlockStore::open(directory.join("blocks"), config)
            .map_err(|error| chain(error.into()))?;
        let state = State::load(&store).map_err(chain)?.unwrap_or(state);
        let relation = self.shared.relation(&state);
        let onboarding = relation == Relation::Follower || block::number(&join_block) > 0;
        let status = if onboarding && store.height() <= block::number(&join_block) {
            Status::Onboarding
        } else {
            Status::Active
        };
        let height = i64::try_from(store.height()).unwrap_or(i64::MAX);
        self.shared.metrics.channel(id).height.set(height);
        let channel = Arc::new(Channel {
            id: id.to_owned(),
            directory,
            store: Arc::new(store),
            state: Arc::new(ArcSwap::from_pointee(state)),
            join_block,
            phase: RwLock::new((relation, status, None)),
            inlet: ArcSwapOption::empty(),
            consensus: watch::Sender::default(),
            ordering: watch::Sender::new(false),
            cluster: self.shared.cluster.clone(),
            tasks: self.tasks.child(),
        });
        self.channels.write().insert(id.to_owned(), channel.clone());
        let work = lifecycle::run(channel.clone(), self.shared.clone());
        channel.tasks.spawn(format!("channel {id}"), work);
        Ok(channel)
    }
}

impl deliver::server::Source for Registry {
    type Channel = Channel;

    fn channel(&self, id: &str) -> Option<Arc<Channel>> {
        self.get(id)
    }
}

/// Keeps a name to itself while a channel comes or goes.
struct Guard<'a> {
    registry: &'a Registry,
    id: String,
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        self.registry.changing.lock().remove(&self.id);
    }
}

fn read_join_block(id: &str, directory: &Path) -> Result<(Block, State), OpenError> {
    let path = directory.join(JOIN_BLOCK);
    let bytes = fs::read(&path).map_err(io_at(&path))?;
    let fail = |source| OpenError::JoinBlock { channel: id.to_owned(), source };
    let block = block::parse(bytes.into()).map_err(|error| fail(error.into()))?;
    let bundle = Bundle::from_join_block(&block).map_err(|error| fail(error.into()))?;
    let state = State::of_config_block(&block, bundle).map_err(|error| fail(error.into()))?;
    Ok((block, state))
}

/// Removes what interrupted joins and removals left; returns the names of the channels.
fn clean_up(root: &Path) -> io::Result<Vec<String>> {
    fs::create_dir_all(root)?;
    let mut names = Vec::new();
    for entry in fs::read_dir(root)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with(JOINING) || name.starts_with(REMOVING) {
            fs::remove_dir_all(entry.path())?;
        } else if validate_channel_id(&name).is_ok() && entry.file_type()?.is_dir() {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

fn io_at(path: &Path) -> impl FnOnce(io::Error) -> OpenError {
    let path = path.to_owned();
    move |source| OpenError::Io { path, source }
}
