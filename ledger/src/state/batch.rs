//! What a block changes.

use std::collections::BTreeMap;

use super::StateKey;
use crate::Versioned;

/// All changes one block makes to the state.
#[derive(Debug, Clone, Default)]
pub struct StateBatch {
    /// The block, which becomes the savepoint.
    pub block: u64,
    /// The savepoint before.
    pub previous: Option<u64>,
    /// New values; nothing means deleted.
    pub updates: BTreeMap<StateKey, Option<Versioned>>,
}
