//! What keys were at an earlier height, and what changed between two heights.
//!
//! Answers come from the history of keys and the blocks, so they cost what is asked for and need
//! no second state. They are about public keys: clear private values are not kept by height.

use std::collections::BTreeSet;

use crate::{Error, Ledger, Modification, Position};

/// Which keys a listing of changes is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// A namespace; all if there is none.
    pub namespace: Option<String>,
    /// What keys begin with.
    pub prefix: String,
    /// Only keys behind this namespace and key: where an earlier listing ended.
    pub after: Option<(String, String)>,
}

impl Filter {
    fn wants(&self, namespace: &str, key: &str) -> bool {
        self.namespace.as_deref().is_none_or(|wanted| wanted == namespace)
            && key.starts_with(&self.prefix)
            && self.after.as_ref().is_none_or(|(last_namespace, last_key)| {
                (namespace, key) > (last_namespace.as_str(), last_key.as_str())
            })
    }
}

/// A key that was written between two heights.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Its namespace.
    pub namespace: String,
    /// The key.
    pub key: String,
    /// The last write below the lower height, if there was one and it is known.
    pub before: Option<Modification>,
    /// The last write below the upper height.
    pub after: Modification,
}

impl Ledger {
    /// What a public key was when the ledger had `height` blocks: its last write below, which says
    /// the value, who wrote it where, or that it was deleted. Nothing if it had never been written.
    /// Of writes from before the snapshot a ledger began from only the place is known, and that
    /// only as long as they were not overwritten.
    pub fn state_at(
        &self,
        namespace: &str,
        key: &str,
        height: u64,
    ) -> Result<Option<Modification>, Error> {
        self.reaches(height)?;
        let before = Some(Position { block: height, tx: 0 });
        let found = self.history(namespace, key, before, 1)?.pop();
        match found.is_none() && self.first_block() > 0 {
            true => self.in_base(namespace, key, height),
            false => Ok(found),
        }
    }

    /// A key that this ledger has not seen written below `height`.
    fn in_base(
        &self,
        namespace: &str,
        key: &str,
        height: u64,
    ) -> Result<Option<Modification>, Error> {
        let current = self.view()?.get(namespace, key)?;
        if !self.history(namespace, key, None, 1)?.is_empty() {
            return Err(Error::BeforeBase { asked: height, first: self.first_block() });
        }
        Ok(current.map(|entry| Modification {
            position: Position {
                block: entry.version.block,
                tx: u32::try_from(entry.version.tx).unwrap_or(u32::MAX),
            },
            tx_id: String::new(),
            value: entry.value,
            timestamp: None,
            is_delete: false,
        }))
    }

    /// The public keys written by blocks from height `from` up to height `to`, by namespace and
    /// key: at most `limit` are given to `take`, or until it refuses one. Returns the last one
    /// taken if there are more, for [`Filter::after`].
    pub fn changes(
        &self,
        from: u64,
        to: u64,
        filter: &Filter,
        limit: usize,
        mut take: impl FnMut(Change) -> bool,
    ) -> Result<Option<(String, String)>, Error> {
        self.reaches(from)?;
        self.reaches(to)?;
        let mut last = None;
        for (taken, (namespace, key)) in
            self.written(from, to, filter, limit.saturating_add(1))?.into_iter().enumerate()
        {
            if taken == limit {
                return Ok(last);
            }
            let before = match self.state_at(&namespace, &key, from) {
                // In the snapshot this ledger began from, and written since.
                Err(Error::BeforeBase { .. }) => None,
                before => before?,
            };
            let after = self.state_at(&namespace, &key, to)?;
            let after = after.ok_or(Error::DamagedIndex("history"))?;
            let name = (namespace.clone(), key.clone());
            if !take(Change { namespace, key, before, after }) {
                return Ok(last);
            }
            last = Some(name);
        }
        Ok(None)
    }

    /// The first `max` keys that are written, whatever the number of blocks.
    fn written(
        &self,
        from: u64,
        to: u64,
        filter: &Filter,
        max: usize,
    ) -> Result<BTreeSet<(String, String)>, Error> {
        let mut keys = BTreeSet::new();
        for number in from..to {
            for parsed in self.parsed(number)? {
                for set in parsed.endorsed().into_iter().flat_map(|set| &set.namespaces) {
                    let writes = set.public.writes.iter();
                    for write in writes.filter(|write| filter.wants(&set.namespace, &write.key)) {
                        keys.insert((set.namespace.clone(), write.key.clone()));
                        if keys.len() > max {
                            keys.pop_last();
                        }
                    }
                }
            }
        }
        Ok(keys)
    }

    fn reaches(&self, asked: u64) -> Result<(), Error> {
        let height = self.height();
        if asked > height {
            return Err(Error::AboveHeight { asked, height });
        }
        let first = self.first_block();
        if asked < first {
            return Err(Error::BeforeBase { asked, first });
        }
        Ok(())
    }
}
