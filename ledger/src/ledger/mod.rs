//! One channel's ledger: opening, committing, asking.

mod commit;
mod earlier;
mod recovery;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use parking_lot::{Mutex, RwLock};
use proto::block;
use proto::common::{Block, BlockchainInfo};
use proto::rwset::{CollectionPvtReadWriteSet, NsPvtReadWriteSet, TxPvtReadWriteSet};
use tokio::sync::watch;

use crate::admin::Regain;
use crate::block_store::BlockStore;
use crate::history::History;
use crate::offline::Derived;
use crate::private_data::PrivateStore;
use crate::snapshot::Exports;
use crate::state::{StateDb, StateKey};
use crate::transaction::recorded_codes;
use crate::{
    CollectionConfigAt, Config, Error, Missing, Modification, OnProgress, Position, Simulator,
    Snapshot, Times, TransactionRecord, TransientStore, View, config_history,
};

pub use commit::Committed;

/// Blocks, state, history and private data of one channel.
#[derive(Debug)]
pub struct Ledger {
    channel_id: String,
    pub(crate) config: Config,
    /// What the ledger began from, if not from block 0.
    pub(crate) base: Option<Arc<Snapshot>>,
    pub(crate) blocks: BlockStore,
    pub(crate) state: Arc<dyn StateDb>,
    history: Option<History>,
    pub(crate) private: PrivateStore,
    pub(crate) exports: Arc<Exports>,
    transient: Arc<TransientStore>,
    /// Held while a block is committed.
    turn: Mutex<Turn>,
    /// Ids of the transactions in staged blocks, which the index does not know yet.
    staged_ids: RwLock<BTreeSet<String>>,
    /// The state without the staged blocks; nothing while the ledger is opened.
    durable: ArcSwapOption<View>,
    height: watch::Sender<u64>,
    times: Times,
    regain: Regain,
}

/// What one commit leaves for the next.
#[derive(Debug, Default)]
struct Turn {
    commit_hash: Option<Bytes>,
    /// Blocks that are not on disk yet, ascending.
    staged: Vec<commit::Staged>,
    /// Jobs that are done and still stand in the state.
    done: Vec<StateKey>,
    /// An earlier commit failed half-way.
    failed: bool,
}

impl Ledger {
    /// Opens or creates the ledger in `dir` and brings state, history and private data to the
    /// height of its blocks.
    pub fn open(dir: impl AsRef<Path>, channel_id: &str, config: Config) -> Result<Self, Error> {
        Self::open_with(dir, channel_id, config, &mut |_, _| {})
    }

    /// As [`open`](Self::open), telling how many of the blocks are in state and history.
    pub fn open_with(
        dir: impl AsRef<Path>,
        channel_id: &str,
        config: Config,
        progress: OnProgress<'_>,
    ) -> Result<Self, Error> {
        recovery::open(dir.as_ref(), channel_id, config, progress)
    }

    /// The channel.
    pub fn channel_id(&self) -> &str {
        &self.channel_id
    }

    /// How many blocks are committed.
    pub fn height(&self) -> u64 {
        *self.height.borrow()
    }

    /// Number of the first block held here: not 0 if the ledger began from a snapshot.
    pub fn first_block(&self) -> u64 {
        self.blocks.first_block()
    }

    /// The height the ledger had before it was cut back, as long as it is below. Until then its
    /// state is one that was left behind.
    pub fn to_regain(&self) -> Option<u64> {
        self.regain.height()
    }

    /// Follows the height. The value changes after a block is fully committed.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.height.subscribe()
    }

    /// Height and the newest two hashes.
    pub fn info(&self) -> Result<BlockchainInfo, Error> {
        Ok(self.blocks.info()?)
    }

    /// The block with this number, if it is committed.
    pub fn block(&self, number: u64) -> Result<Option<Block>, Error> {
        if number >= self.height() {
            return Ok(None);
        }
        Ok(self.blocks.block(number)?)
    }

    /// The block whose header has this hash.
    pub fn block_by_hash(&self, hash: &[u8]) -> Result<Option<Block>, Error> {
        Ok(self.blocks.block_by_hash(hash)?)
    }

    /// The block with the first transaction of this id.
    pub fn block_by_tx_id(&self, tx_id: &str) -> Result<Option<Block>, Error> {
        Ok(self.blocks.block_by_tx_id(tx_id)?)
    }

    /// The first transaction with this id, valid or not.
    pub fn transaction(&self, tx_id: &str) -> Result<Option<TransactionRecord>, Error> {
        let Some((number, index)) = self.blocks.position_of(tx_id)? else { return Ok(None) };
        let Some(block) = self.block(number)? else { return Ok(None) };
        let at = index as usize;
        let envelope = block::envelopes(&block).get(at).cloned();
        let code = recorded_codes(&block::transactions_filter(&block)).get(at).copied();
        let (Some(envelope), Some(code)) = (envelope, code) else {
            return Err(Error::DamagedIndex("transaction"));
        };
        Ok(Some(TransactionRecord { envelope, code, block: number, index }))
    }

    /// Whether a transaction with this id is in the chain or in a staged block, valid or not.
    pub fn tx_exists(&self, tx_id: &str) -> Result<bool, Error> {
        // Staged ids first: they leave when the index has them.
        Ok(self.staged_ids.read().contains(tx_id) || self.blocks.tx_exists(tx_id)?)
    }

    /// A consistent view of the newest state whose blocks are on disk.
    pub fn view(&self) -> Result<View, Error> {
        match &*self.durable.load() {
            Some(view) => Ok(view.as_ref().clone()),
            None => self.staged_view(),
        }
    }

    /// A view that includes the staged blocks, by which the next one is judged.
    pub fn staged_view(&self) -> Result<View, Error> {
        Ok(View::new(self.state.view()?))
    }

    /// Shows the state as it is now: all of its blocks are on disk.
    fn show(&self) -> Result<(), Error> {
        self.durable.store(Some(Arc::new(self.staged_view()?)));
        Ok(())
    }

    /// A view of the newest block, taken between two commits: all of its blocks can be read.
    pub(crate) fn settled_view(&self) -> Result<View, Error> {
        let mut turn = self.turn.lock();
        self.sync_staged(&mut turn)?;
        self.view()
    }

    /// Starts to record what a transaction reads and writes.
    pub fn simulator(&self, tx_id: &str) -> Result<Simulator, Error> {
        Ok(Simulator::new(self.view()?, tx_id, self.config.query_results_max))
    }

    /// Writes of a public key, newest first: at most `limit`, older than `before`.
    pub fn history(
        &self,
        namespace: &str,
        key: &str,
        before: Option<Position>,
        limit: usize,
    ) -> Result<Vec<Modification>, Error> {
        let history = self.history.as_ref().ok_or(Error::NoHistory)?;
        let committed = Position { block: self.height(), tx: 0 };
        let before = before.map_or(committed, |before| before.min(committed));
        history.list(&self.blocks, namespace, key, before, limit)
    }

    /// Private data of a block by position of the transaction, as far as this peer has it.
    pub fn private_data(&self, number: u64) -> Result<BTreeMap<u32, TxPvtReadWriteSet>, Error> {
        let mut found: BTreeMap<u32, TxPvtReadWriteSet> = BTreeMap::new();
        if number >= self.height() {
            return Ok(found);
        }
        for (at, rwset) in self.private.block(number)? {
            let sets = &mut found.entry(at.tx).or_default().ns_pvt_rwset;
            let collection = CollectionPvtReadWriteSet { collection_name: at.collection, rwset };
            match sets.last_mut().filter(|last| last.namespace == at.namespace) {
                Some(last) => last.collection_pvt_rwset.push(collection),
                None => sets.push(NsPvtReadWriteSet {
                    namespace: at.namespace,
                    collection_pvt_rwset: vec![collection],
                }),
            }
        }
        Ok(found)
    }

    /// Private data this peer should have and does not, of the newest `limit` blocks that lack
    /// some.
    pub fn missing_private_data(&self, limit: usize) -> Result<BTreeMap<u64, Vec<Missing>>, Error> {
        Ok(self.private.missing(self.height(), limit)?)
    }

    /// The collections of a chaincode, as committed by the newest block below `height`.
    pub fn collections_below(
        &self,
        chaincode: &str,
        height: u64,
    ) -> Result<Option<CollectionConfigAt>, Error> {
        Ok(config_history::below(&self.view()?, chaincode, height)?)
    }

    /// What is derived from the blocks, to be compared with another ledger of the channel.
    pub fn derived(&self) -> Derived {
        Derived::new(self.state.clone(), self.history.clone(), self.blocks.index().clone())
    }

    /// Where the time of commits goes.
    pub fn times(&self) -> &Times {
        &self.times
    }

    /// Private write sets of endorsed transactions.
    pub fn transient_store(&self) -> &Arc<TransientStore> {
        &self.transient
    }
}
