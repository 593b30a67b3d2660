//! Consistent views over a database that has none.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Debug;
use std::sync::{Arc, Weak};

use arc_swap::ArcSwap;
use parking_lot::Mutex;

use super::{Error, StateBatch, StateDb, StateKey, StateView};
use crate::{Version, Versioned};

/// What a database must do to become a [`StateDb`]: no isolation is asked of it but that a batch
/// is all or nothing after a crash.
pub(crate) trait Table: Send + Sync + Debug + 'static {
    fn savepoint(&self) -> Result<Option<u64>, Error>;
    fn get(&self, key: &StateKey) -> Result<Option<Versioned>, Error>;
    fn version(&self, key: &StateKey) -> Result<Option<Version>, Error>;
    fn scan(
        &self,
        start: &StateKey,
        end: &StateKey,
        limit: usize,
    ) -> Result<Vec<(StateKey, Versioned)>, Error>;
    /// Changes entries and sets the savepoint, at once.
    fn write(&self, savepoint: Option<u64>, updates: &Changes) -> Result<(), Error>;
    /// Everything written so far is in the chain on disk.
    fn settle(&self) -> Result<(), Error> {
        Ok(())
    }
    fn clear(&self) -> Result<(), Error>;
    fn flush(&self) -> Result<(), Error>;
}

/// New entries by key; nothing means deleted.
pub(crate) type Changes = BTreeMap<StateKey, Option<Versioned>>;

/// The state after one block, as the beginning of what came later.
#[derive(Debug)]
struct Node {
    savepoint: Option<u64>,
    /// What the block of this node overwrote.
    overwritten: Changes,
    next: Mutex<Next>,
}

#[derive(Debug, Clone)]
enum Next {
    /// This is the newest block.
    Nothing,
    Block(Arc<Node>),
    /// Views from here are too old.
    Cut,
}

impl Node {
    fn new(savepoint: Option<u64>, overwritten: Changes) -> Arc<Self> {
        Arc::new(Self { savepoint, overwritten, next: Mutex::new(Next::Nothing) })
    }

    /// The later blocks, oldest first.
    fn later(&self) -> impl Iterator<Item = Result<Arc<Self>, Error>> {
        let mut next = self.next.lock().clone();
        std::iter::from_fn(move || match std::mem::replace(&mut next, Next::Nothing) {
            Next::Nothing => None,
            Next::Cut => Some(Err(Error::ViewExpired)),
            Next::Block(node) => {
                next = node.next.lock().clone();
                Some(Ok(node))
            }
        })
    }
}

/// A [`Table`] with consistent views.
#[derive(Debug)]
pub(crate) struct Snapshots<T> {
    table: Arc<T>,
    current: ArcSwap<Node>,
    /// Nodes that views may still stand on. Locked while a batch is applied.
    nodes: Mutex<VecDeque<Weak<Node>>>,
    lag_max: usize,
}

impl<T: Table> Snapshots<T> {
    pub(crate) fn new(table: T, lag_max: usize) -> Result<Self, Error> {
        let node = Node::new(table.savepoint()?, BTreeMap::new());
        let nodes = Mutex::new(VecDeque::from([Arc::downgrade(&node)]));
        Ok(Self { table: Arc::new(table), current: ArcSwap::new(node), nodes, lag_max })
    }

    fn change(
        &self,
        nodes: &mut VecDeque<Weak<Node>>,
        savepoint: Option<u64>,
        updates: &Changes,
    ) -> Result<(), Error> {
        let mut overwritten = BTreeMap::new();
        for key in updates.keys().filter(|key| !key.is_internal()) {
            overwritten.insert(key.clone(), self.table.get(key)?);
        }
        let node = Node::new(savepoint, overwritten);
        self.publish(nodes, &node);
        self.table.write(savepoint, updates)?;
        self.current.store(node);
        Ok(())
    }

    fn publish(&self, nodes: &mut VecDeque<Weak<Node>>, node: &Arc<Node>) {
        *self.current.load().next.lock() = Next::Block(node.clone());
        nodes.push_back(Arc::downgrade(node));
        while nodes.front().is_some_and(|oldest| oldest.strong_count() == 0) {
            nodes.pop_front();
        }
        // The newest two are in use by this very batch.
        while nodes.len() > self.lag_max.max(2) {
            if let Some(oldest) = nodes.pop_front().and_then(|oldest| oldest.upgrade()) {
                *oldest.next.lock() = Next::Cut;
            }
        }
    }
}

impl<T: Table> StateDb for Snapshots<T> {
    fn savepoint(&self) -> Result<Option<u64>, Error> {
        self.table.savepoint()
    }

    fn versions(&self, keys: &[StateKey]) -> Result<Vec<Option<Version>>, Error> {
        keys.iter().map(|key| self.table.version(key)).collect()
    }

    fn apply(&self, batch: &StateBatch) -> Result<(), Error> {
        let mut nodes = self.nodes.lock();
        let found = self.table.savepoint()?;
        if found >= Some(batch.block) {
            return Ok(());
        }
        if found != batch.previous {
            return Err(Error::Conflict { expected: batch.previous, found });
        }
        self.change(&mut nodes, Some(batch.block), &batch.updates)
    }

    fn amend(&self, updates: &Changes) -> Result<(), Error> {
        let mut nodes = self.nodes.lock();
        let savepoint = self.table.savepoint()?;
        self.change(&mut nodes, savepoint, updates)?;
        // Late data belongs to blocks on disk, and the content of a snapshot to none.
        self.table.settle()
    }

    fn settle(&self) -> Result<(), Error> {
        let _nodes = self.nodes.lock();
        self.table.settle()
    }

    fn view(&self) -> Result<Arc<dyn StateView>, Error> {
        Ok(Arc::new(View { table: self.table.clone(), node: self.current.load_full() }))
    }

    fn clear(&self) -> Result<(), Error> {
        let mut nodes = self.nodes.lock();
        for node in nodes.drain(..).filter_map(|node| node.upgrade()) {
            *node.next.lock() = Next::Cut;
        }
        self.table.clear()?;
        let node = Node::new(None, BTreeMap::new());
        nodes.push_back(Arc::downgrade(&node));
        self.current.store(node);
        Ok(())
    }

    fn flush(&self) -> Result<(), Error> {
        // Not while a batch is applied, or half of it would be taken for the whole.
        let _nodes = self.nodes.lock();
        self.table.flush()
    }
}

/// The state after the block of `node`.
#[derive(Debug)]
struct View<T> {
    table: Arc<T>,
    node: Arc<Node>,
}

impl<T: Table> StateView for View<T> {
    fn savepoint(&self) -> Option<u64> {
        self.node.savepoint
    }

    fn get(&self, key: &StateKey) -> Result<Option<Versioned>, Error> {
        // The order matters: whoever changed what is read here had published the old value before.
        let newest = self.table.get(key)?;
        for node in self.node.later() {
            if let Some(overwritten) = node?.overwritten.get(key) {
                return Ok(overwritten.clone());
            }
        }
        Ok(newest)
    }

    fn range(
        &self,
        start: &StateKey,
        end: &StateKey,
        limit: usize,
    ) -> Result<Vec<(StateKey, Versioned)>, Error> {
        let mut found = Vec::new();
        let mut from = start.clone();
        while found.len() < limit && from < *end {
            let chunk = self.table.scan(&from, end, limit - found.len())?;
            let exhausted = chunk.len() < limit - found.len();
            let until = match chunk.last() {
                Some((last, _)) if !exhausted => last.successor(),
                _ => end.clone(),
            };
            found.extend(self.as_it_was(chunk, &from, &until)?);
            from = until;
        }
        found.truncate(limit);
        Ok(found)
    }
}

impl<T: Table> View<T> {
    /// Undoes what later blocks did to the keys from `from` up to `until`, of which `chunk` is all
    /// that the database holds now.
    fn as_it_was(
        &self,
        chunk: Vec<(StateKey, Versioned)>,
        from: &StateKey,
        until: &StateKey,
    ) -> Result<Vec<(StateKey, Versioned)>, Error> {
        let mut overwritten = BTreeMap::new();
        for node in self.node.later() {
            for (key, value) in node?.overwritten.range(from.clone()..until.clone()) {
                overwritten.entry(key.clone()).or_insert_with(|| value.clone());
            }
        }
        if overwritten.is_empty() {
            return Ok(chunk);
        }
        let mut merged: BTreeMap<_, _> =
            chunk.into_iter().map(|(key, value)| (key, Some(value))).collect();
        merged.append(&mut overwritten);
        Ok(merged.into_iter().filter_map(|(key, value)| Some((key, value?))).collect())
    }
}
