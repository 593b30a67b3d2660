//! Whether a range query would still find the same keys with the same versions.

use std::iter::Peekable;
use std::sync::Arc;

use proto::kvrwset::range_query_info::ReadsInfo;
use proto::kvrwset::{KvRead, QueryReadsMerkleSummary, RangeQueryInfo};

use super::Updates;
use crate::rwset::merkle::Summary;
use crate::state::{Scan, StateKey, StateView};
use crate::{Version, state};

/// Runs the query again over the committed state and the changes of the block so far.
pub(super) fn holds(
    namespace: &str,
    query: &RangeQueryInfo,
    view: &Arc<dyn StateView>,
    updates: &Updates,
) -> Result<bool, state::Error> {
    let start = StateKey::public(namespace, &query.start_key);
    let end = match query.end_key.as_str() {
        "" => StateKey::end_of(namespace),
        end => StateKey::public(namespace, end),
    };
    let found =
        Overlaid::new(view, updates, start, end).chain(last(namespace, query, view, updates));
    match &query.reads_info {
        None => is_listed(found, &[]),
        Some(ReadsInfo::RawReads(reads)) => is_listed(found, &reads.kv_reads),
        Some(ReadsInfo::ReadsMerkleHashes(summary)) => is_summary(found, summary),
    }
}

type Found = Result<(StateKey, Version), state::Error>;

/// A query that was not read to its end was read up to its end key, which is looked for after all
/// others wherever it stands: a forged set may name one before the start.
fn last(
    namespace: &str,
    query: &RangeQueryInfo,
    view: &Arc<dyn StateView>,
    updates: &Updates,
) -> Option<Found> {
    if query.itr_exhausted {
        return None;
    }
    let key = StateKey::public(namespace, &query.end_key);
    let version = match updates.get(&key) {
        Some(update) => Ok(update.value.is_some().then_some(update.version)),
        None => view.get(&key).map(|entry| entry.map(|entry| entry.version)),
    };
    Some(version.transpose()?.map(|version| (key, version)))
}

fn is_listed(
    mut found: impl Iterator<Item = Found>,
    expected: &[KvRead],
) -> Result<bool, state::Error> {
    for read in expected {
        let Some((key, version)) = found.next().transpose()? else { return Ok(false) };
        if key.key() != read.key.as_bytes() || read.version.map(Version::from) != Some(version) {
            return Ok(false);
        }
    }
    Ok(found.next().transpose()?.is_none())
}

fn is_summary(
    found: impl Iterator<Item = Found>,
    expected: &QueryReadsMerkleSummary,
) -> Result<bool, state::Error> {
    let Some(mut summary) = Summary::new(expected.max_degree) else { return Ok(false) };
    for entry in found {
        let (key, version) = entry?;
        let Ok(key) = String::from_utf8(key.key().to_vec()) else { return Ok(false) };
        summary.add(KvRead { key, version: Some(version.into()) });
    }
    Ok(match summary.finish() {
        Some(ReadsInfo::ReadsMerkleHashes(found)) => found == *expected,
        _ => false,
    })
}

/// Keys the block changed so far, with their new version if they exist.
type Changed<'a> = Box<dyn Iterator<Item = (&'a StateKey, Option<Version>)> + 'a>;

/// Committed keys overlaid with the changes of the block so far.
struct Overlaid<'a> {
    committed: Peekable<Scan>,
    updates: Peekable<Changed<'a>>,
}

impl<'a> Overlaid<'a> {
    fn new(
        view: &Arc<dyn StateView>,
        updates: &'a Updates,
        start: StateKey,
        end: StateKey,
    ) -> Self {
        let changed = updates.range(&start, &end).into_iter().flatten();
        let changed =
            changed.map(|(key, update)| (key, update.value.is_some().then_some(update.version)));
        let updates: Changed<'a> = Box::new(changed);
        let committed = Scan::new(view.clone(), start, end);
        Self { committed: committed.peekable(), updates: updates.peekable() }
    }

    fn next_committed(&mut self) -> Option<Found> {
        Some(self.committed.next()?.map(|(key, entry)| (key, entry.version)))
    }
}

impl Iterator for Overlaid<'_> {
    type Item = Found;

    fn next(&mut self) -> Option<Found> {
        loop {
            let update = self.updates.peek().map(|(key, _)| *key);
            let committed = match self.committed.peek() {
                Some(Err(_)) => return self.next_committed(),
                Some(Ok((key, _))) => Some(key),
                None => None,
            };
            match (update, committed) {
                (None, _) => return self.next_committed(),
                (Some(update), Some(key)) if key < update => return self.next_committed(),
                (Some(update), Some(key)) if key == update => drop(self.committed.next()),
                _ => {}
            }
            if let Some((key, Some(version))) = self.updates.next() {
                return Some(Ok((key.clone(), version)));
            }
        }
    }
}
