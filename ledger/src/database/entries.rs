//! Walking through a tree.

use sled::IVec;

use super::{DatabaseError, Tree, tally};

/// Entries of a tree in the order of their keys. Ends behind the first error.
pub(crate) struct Entries {
    tree: Tree,
    iter: Option<sled::Iter>,
}

impl std::fmt::Debug for Entries {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Entries").field("tree", &self.tree).finish_non_exhaustive()
    }
}

type Entry = Result<(IVec, IVec), DatabaseError>;

impl Entries {
    pub(super) fn new(tree: Tree, iter: sled::Iter) -> Self {
        Self { tree, iter: Some(iter) }
    }

    /// The keys alone.
    pub(crate) fn keys(self) -> impl DoubleEndedIterator<Item = Result<IVec, DatabaseError>> {
        self.map(|entry| Ok(entry?.0))
    }

    fn step(
        &mut self,
        step: impl Fn(&mut sled::Iter) -> Option<sled::Result<(IVec, IVec)>>,
    ) -> Option<Entry> {
        loop {
            let iter = self.iter.as_mut()?;
            let entry = match self.tree.call("read", || step(iter).transpose()) {
                Ok(None) => None,
                Ok(Some((key, _))) if key == tally::KEY => continue,
                Ok(Some((key, sealed))) => {
                    Some(self.tree.unseal(&key, &sealed).map(|value| (key, value)))
                }
                Err(error) => Some(Err(error)),
            };
            if !matches!(entry, Some(Ok(_))) {
                self.iter = None;
            }
            return entry;
        }
    }
}

impl Iterator for Entries {
    type Item = Entry;

    fn next(&mut self) -> Option<Entry> {
        self.step(Iterator::next)
    }
}

impl DoubleEndedIterator for Entries {
    fn next_back(&mut self) -> Option<Entry> {
        self.step(DoubleEndedIterator::next_back)
    }
}
