//! Whether the reads of a block's transactions still hold, and what the valid ones change.
//!
//! The last stage of validation, after signatures and policies: transactions are taken in their
//! order, each against the committed state and the changes of the valid ones before it. All
//! committed versions and values the block needs are read at once beforehand, except for ranges.
//! The outcome is a pure function of the block and the state before it.

mod operations;
mod prepare;
mod ranges;
mod updates;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use proto::transaction::TxValidationCode;

use crate::state::{StateDb, StateKey, StateView};
use crate::transaction::Parsed;
use crate::{Version, Versioned, state};

use prepare::{Check, Prepared};
pub(crate) use updates::{Update, Updates};

/// Marks the second and later transaction with one id in a block as duplicates. Only transactions
/// still valid count, so a copy that failed earlier checks does not spoil a good one.
pub fn mark_duplicates(envelopes: &[Bytes], codes: &mut [TxValidationCode]) {
    let mut seen = BTreeSet::new();
    for (envelope, code) in envelopes.iter().zip(codes) {
        if *code != TxValidationCode::Valid {
            continue;
        }
        let header = proto::envelope::Envelope::parse(envelope.clone());
        let tx_id = header.map(|envelope| envelope.channel_header.tx_id).unwrap_or_default();
        if !tx_id.is_empty() && !seen.insert(tx_id) {
            *code = TxValidationCode::DuplicateTxid;
        }
    }
}

/// Decides about the transactions that are valid so far, and returns what the block changes.
pub(crate) fn validate(
    db: &dyn StateDb,
    view: &Arc<dyn StateView>,
    block: u64,
    transactions: &[Parsed],
    codes: &mut [TxValidationCode],
) -> Result<Updates, state::Error> {
    let prepared: Vec<Option<Prepared>> =
        transactions.iter().map(|tx| prepare::prepare(&tx.action)).collect();
    let committed = Committed::load(db, view.as_ref(), &prepared)?;
    let mut updates = Updates::default();
    for (index, (prepared, code)) in (0..).zip(prepared.into_iter().zip(codes)) {
        let Some(prepared) = prepared else { continue };
        if let Some(conflict) = conflict(&prepared.checks, view, &committed, &updates)? {
            *code = conflict;
        } else {
            let version = Version::new(block, index);
            operations::apply(prepared.operations, version, &committed, &mut updates);
        }
    }
    Ok(updates)
}

/// What a block changes whose final codes are known: the writes of its valid transactions.
pub(crate) fn replay(
    db: &dyn StateDb,
    view: &Arc<dyn StateView>,
    block: u64,
    transactions: &[Parsed],
) -> Result<Updates, state::Error> {
    let mut prepared: Vec<Option<Prepared>> =
        transactions.iter().map(|tx| prepare::prepare(&tx.action)).collect();
    for prepared in prepared.iter_mut().flatten() {
        prepared.checks.clear();
    }
    let committed = Committed::load(db, view.as_ref(), &prepared)?;
    let mut updates = Updates::default();
    for (index, prepared) in (0..).zip(prepared) {
        let Some(prepared) = prepared else { continue };
        let version = Version::new(block, index);
        operations::apply(prepared.operations, version, &committed, &mut updates);
    }
    Ok(updates)
}

/// The first reason why the reads of a transaction do not hold.
fn conflict(
    checks: &[Check],
    view: &Arc<dyn StateView>,
    committed: &Committed,
    updates: &Updates,
) -> Result<Option<TxValidationCode>, state::Error> {
    for check in checks {
        match check {
            Check::Read(key, read) => {
                if updates.contains(key) || committed.version(key) != *read {
                    return Ok(Some(TxValidationCode::MvccReadConflict));
                }
            }
            Check::Range(namespace, query) => {
                if !ranges::holds(namespace, query, view, updates)? {
                    return Ok(Some(TxValidationCode::PhantomReadConflict));
                }
            }
        }
    }
    Ok(None)
}

/// What the state held before the block of the keys that the block reads or writes.
#[derive(Debug, Default)]
pub(crate) struct Committed {
    versions: BTreeMap<StateKey, Option<Version>>,
    entries: BTreeMap<StateKey, Option<Versioned>>,
}

impl Committed {
    fn load(
        db: &dyn StateDb,
        view: &dyn StateView,
        prepared: &[Option<Prepared>],
    ) -> Result<Self, state::Error> {
        let mut written = BTreeSet::new();
        let mut read = BTreeSet::new();
        for prepared in prepared.iter().flatten() {
            written.extend(prepared.operations.iter().map(|(key, _)| key.clone()));
        }
        for check in prepared.iter().flatten().flat_map(|prepared| &prepared.checks) {
            if let Check::Read(key, _) = check
                && !written.contains(key)
            {
                read.insert(key.clone());
            }
        }
        let read: Vec<_> = read.into_iter().collect();
        let written: Vec<_> = written.into_iter().collect();
        let versions = db.versions(&read)?;
        let entries = view.get_many(&written)?;
        Ok(Self {
            versions: read.into_iter().zip(versions).collect(),
            entries: written.into_iter().zip(entries).collect(),
        })
    }

    fn version(&self, key: &StateKey) -> Option<Version> {
        match self.entries.get(key) {
            Some(entry) => entry.as_ref().map(|entry| entry.version),
            None => self.versions.get(key).copied().flatten(),
        }
    }

    fn entry(&self, key: &StateKey) -> Option<&Versioned> {
        self.entries.get(key)?.as_ref()
    }
}
