//! Joining a channel by a snapshot of its ledger instead of its first block.

use std::cell::OnceCell;
use std::path::Path;
use std::sync::Arc;

use channel::Bundle;
use ledger::snapshot::{Joining, Snapshot};
use ledger::{Error as LedgerError, View};
use prost::Message;
use proto::common::ConfigEnvelope;

use super::channel::Channel;
use super::registry::{Channels, Error};
use crate::causes::in_one_line;
use crate::private_data::Member;

impl Channels {
    /// Checks the metadata of the snapshot in `dir` and whether its channel can be joined. Returns
    /// the channel.
    pub fn check_snapshot(&self, dir: &Path) -> Result<String, Error> {
        let snapshot = Snapshot::open(dir, &self.ledgers().config().snapshots);
        let snapshot = snapshot.map_err(LedgerError::from)?;
        let id = snapshot.metadata().channel_name.clone();
        self.check_free(&id)?;
        Ok(id)
    }

    /// Joins the channel of the snapshot in `dir`, which takes as long as its state takes to be
    /// imported. What `member` should have of private data is noted as missing.
    pub fn join_by_snapshot(&self, dir: &Path, member: &Member) -> Result<Arc<Channel>, Error> {
        let id = self.check_snapshot(dir)?;
        let bundle = OnceCell::new();
        let accept = |view: &View| {
            let found = bundle_of(&id, view).map_err(|error| in_one_line(&error))?;
            crate::validator::check_capabilities(&found)?;
            // It is asked once.
            let _ = bundle.set(found);
            Ok(())
        };
        let is_member = |view: &View, namespace: &str, collection: &str| {
            let Some(bundle) = bundle.get() else { return Ok(false) };
            let held = member.holds(bundle, view, namespace, collection);
            held.map_err(|error| in_one_line(&error))
        };
        let with = Joining { accept: &accept, is_member: &is_member };
        let ledger =
            self.ledgers().create_from_snapshot(dir, &with).map_err(|error| match error {
                LedgerError::Refused(reason) => Error::Snapshot(reason),
                LedgerError::Exists(id) => Error::Exists(id),
                error => error.into(),
            })?;
        self.add(ledger)
    }
}

/// The configuration in the state of a channel.
pub(super) fn bundle_of(id: &str, view: &View) -> Result<Bundle, Error> {
    let config = view.channel_config()?.ok_or_else(|| Error::NoConfig(id.to_owned()))?;
    let envelope = ConfigEnvelope::decode(config).map_err(|error| {
        let reason = format!("the configuration in its state does not decode: {error}");
        Error::Snapshot(reason)
    })?;
    Bundle::from_envelope(id, &envelope)
        .map_err(|source| Error::Config { channel: id.to_owned(), source: Box::new(source) })
}
