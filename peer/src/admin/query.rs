//! Questions about keys: their writes, their value at a height, ranges, differences.

use ledger::{Filter, Ledger, Modification, Position};
use proto::gauze::peer as wire;
use tonic::Status;

use super::{Config, convert};
use crate::causes::in_one_line;

/// Writes that are read at a time.
const PAGE: usize = 16;

/// The bounds of one answer.
struct Room {
    entries: usize,
    bytes: usize,
}

impl Room {
    fn new(config: &Config, asked: u32) -> Self {
        let asked = if asked == 0 { config.entries_max } else { asked };
        Self { entries: asked.min(config.entries_max).max(1) as usize, bytes: config.bytes_max }
    }

    /// Whether one more entry of this size fits behind `taken` ones.
    fn takes(&mut self, taken: usize, bytes: usize) -> bool {
        let fits = taken == 0 || (taken < self.entries && bytes <= self.bytes);
        self.bytes = self.bytes.saturating_sub(bytes);
        fits
    }
}

pub(super) fn history(
    ledger: &Ledger,
    config: &Config,
    asked: &wire::HistoryRequest,
) -> Result<wire::Modifications, Status> {
    check(&asked.namespace)?;
    let mut room = Room::new(config, asked.limit);
    let mut found = wire::Modifications::default();
    let mut before = asked.before.map(|at| Position { block: at.block, tx: at.transaction });
    loop {
        let page = ledger.history(&asked.namespace, &asked.key, before, PAGE).map_err(failed)?;
        let is_last = page.len() < PAGE;
        for write in page {
            if !room.takes(found.modifications.len(), write.value.len()) {
                found.more = true;
                return Ok(found);
            }
            before = Some(write.position);
            found.modifications.push(convert::modification(write));
        }
        if is_last {
            return Ok(found);
        }
    }
}

pub(super) fn state(ledger: &Ledger, asked: &wire::StateRequest) -> Result<wire::KeyState, Status> {
    check(&asked.namespace)?;
    let height = if asked.height == 0 { ledger.height() } else { asked.height };
    let written = ledger.state_at(&asked.namespace, &asked.key, height).map_err(failed)?;
    Ok(wire::KeyState { height, written: written.map(convert::modification) })
}

pub(super) fn range(
    ledger: &Ledger,
    config: &Config,
    asked: &wire::RangeRequest,
) -> Result<wire::Entries, Status> {
    check(&asked.namespace)?;
    let mut room = Room::new(config, asked.limit);
    let view = ledger.view().map_err(failed)?;
    let mut found = wire::Entries { height: view.height(), ..wire::Entries::default() };
    for entry in view.range(&asked.namespace, &asked.start, &asked.end) {
        let (key, entry) = entry.map_err(|error| failed(error.into()))?;
        if !room.takes(found.entries.len(), entry.value.len()) {
            found.next = key;
            break;
        }
        let transaction = u32::try_from(entry.version.tx).unwrap_or(u32::MAX);
        let version = Some(wire::Position { block: entry.version.block, transaction });
        found.entries.push(wire::Entry { key, value: entry.value, version });
    }
    Ok(found)
}

pub(super) fn diff(
    ledger: &Ledger,
    config: &Config,
    asked: &wire::DiffRequest,
) -> Result<wire::Changes, Status> {
    check(&asked.namespace)?;
    if asked.from > asked.to {
        return Err(Status::invalid_argument("the first height is above the second"));
    }
    if asked.to - asked.from > config.diff_blocks_max {
        return Err(Status::invalid_argument(format!(
            "more than {} blocks lie between the heights; compare them in parts",
            config.diff_blocks_max
        )));
    }
    let mut room = Room::new(config, asked.limit);
    let filter = Filter {
        namespace: Some(asked.namespace.clone()).filter(|name| !name.is_empty()),
        prefix: asked.prefix.clone(),
        after: asked.after.clone().map(|last| (last.namespace, last.key)),
    };
    let mut found = wire::Changes::default();
    let mut taken = 0;
    let next = ledger
        .changes(asked.from, asked.to, &filter, room.entries, |change| {
            let bytes = |write: &Modification| write.value.len();
            let size = bytes(&change.after) + change.before.as_ref().map_or(0, bytes);
            let fits = room.takes(taken, size);
            if fits {
                taken += 1;
                found.changes.push(wire::Change {
                    namespace: change.namespace,
                    key: change.key,
                    before: change.before.map(convert::modification),
                    after: Some(convert::modification(change.after)),
                });
            }
            fits
        })
        .map_err(failed)?;
    found.next = next.map(|(namespace, key)| wire::KeyName { namespace, key });
    Ok(found)
}

/// Composed namespaces hold private data, which is not for every reader of the channel.
fn check(namespace: &str) -> Result<(), Status> {
    match namespace.contains("$$") || namespace.contains('\0') {
        true => Err(Status::invalid_argument("not the name of a chaincode")),
        false => Ok(()),
    }
}

fn failed(error: ledger::Error) -> Status {
    let error = crate::channels::Error::Ledger(error);
    let status = convert::refused(&error);
    if status.code() == tonic::Code::Internal {
        tracing::error!(error = in_one_line(&error), "question about keys");
    }
    status
}
