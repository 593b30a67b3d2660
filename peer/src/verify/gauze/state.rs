//! The state of a peer of Gauze.

use std::sync::Arc;

use ledger::offline::Derived;
use ledger::state::StateKey;
use ledger::{Ledger, Versioned, View};

use crate::verify::compare::{Merge, Pair};
use crate::verify::describe::{hex_or_text, summary, version};
use crate::verify::entries::{self, Entry, is_clear};
use crate::verify::{At, Difference, Error, Findings, Place, Recorded, What};

/// The state as it was found, and the block it is of.
pub(super) struct State {
    pub(super) derived: Arc<Derived>,
    pub(super) block: u64,
}

impl Recorded for State {
    fn name(&self) -> &'static str {
        "state"
    }

    fn at(&self) -> At {
        At::Block(self.block)
    }

    fn compare(&mut self, replayed: &Ledger) -> Result<Findings, Error> {
        let found = self.derived.view().map_err(Error::Ledger)?;
        let expected = replayed.view().map_err(Error::Scratch)?;
        let compared = entries::compare(
            replayed,
            entries::entries(&expected, false, Error::Scratch),
            entries::entries(&found, false, Error::Ledger),
        )?;
        if let Some(first) = compared.first {
            let text = format!("{} keys differ at block {}", compared.differing, self.block);
            return Ok(Findings::differs(self.name(), text, first));
        }
        if let Some(difference) = self.notes(replayed)? {
            return Ok(Findings::differs(
                self.name(),
                "what is noted beside it differs",
                difference,
            ));
        }
        let (clear, outdated) = match clear(&expected, &found)? {
            Ok(counted) => counted,
            Err(difference) => {
                return Ok(Findings::differs(self.name(), "private keys differ", difference));
            }
        };
        let mut text = format!("{}, {clear} clear ones at block {}", compared.text(), self.block);
        if outdated > 0 {
            text.push_str(&format!("; {outdated} older than their hashes"));
        }
        Ok(Findings::held(self.name(), text))
    }
}

impl State {
    /// Collections by block, and what expires when.
    fn notes(&self, replayed: &Ledger) -> Result<Option<Difference>, Error> {
        let list = |derived: &Derived, failed: fn(ledger::Error) -> Error| {
            let notes = derived.notes().map_err(failed)?;
            Ok(notes.map(move |note| note.map_err(|error| failed(error.into()))))
        };
        let expected = list(&replayed.derived(), Error::Scratch)?;
        let found = list(&self.derived, Error::Ledger)?;
        for pair in Merge::new(expected, found, |note: &Entry| note.0.clone()) {
            let (expected, found) = match pair? {
                Pair::Same(_) => continue,
                Pair::Missing(note) => (describe(&note), "no such note".to_owned()),
                Pair::Extra(note) => ("no such note".to_owned(), describe(&note)),
                Pair::Differs(expected, found) => (describe(&expected), describe(&found)),
            };
            return Ok(Some(Difference::new(What::Notes, expected, found)));
        }
        Ok(None)
    }
}

fn describe((key, note): &Entry) -> String {
    let name = hex_or_text(key.as_bytes());
    format!("note {name} of {} with {}", version(note.version), summary(&note.value))
}

/// Every clear private value must be the one whose hash the channel agreed on, or an older one
/// whose successor this peer never got. Counts the first and the second kind.
fn clear(expected: &View, found: &View) -> Result<Result<(u64, u64), Difference>, Error> {
    let (mut current, mut outdated) = (0, 0);
    for entry in entries::entries(found, true, Error::Ledger) {
        let entry = entry?;
        if !is_clear(&entry) {
            continue;
        }
        let (key, held) = entry;
        let Some((namespace, collection)) = key.namespace().split_once("$$p") else { continue };
        let hash = expected.hash(namespace, collection, &proto::sha256(&key.key()));
        let hash = hash.map_err(|error| Error::Scratch(error.into()))?;
        match hash {
            Some(hash) if hash.version == held.version => {
                if hash.value != proto::sha256(&held.value)[..] {
                    let expected = format!("a value with SHA-256 {}", hex::encode(&hash.value));
                    let found = summary(&held.value);
                    return Ok(Err(at(&key, &held, What::Value, expected, found)));
                }
                current += 1;
            }
            Some(hash) if hash.version < held.version => {
                let (expected, found) = (version(hash.version), version(held.version));
                return Ok(Err(at(&key, &held, What::Version, expected, found)));
            }
            _ => outdated += 1,
        }
    }
    Ok(Ok((current, outdated)))
}

fn at(key: &StateKey, held: &Versioned, what: What, expected: String, found: String) -> Difference {
    Difference::new(what, expected, found)
        .block(held.version.block)
        .transaction(held.version.tx, None)
        .place(Place::new(key.namespace(), &key.key()))
}
