//! Two states, compared key by key.

use ledger::state::StateKey;
use ledger::{Ledger, Versioned, View};

use super::compare::{Merge, Pair};
use super::describe::{entry, hash_of, summary, tx_id, version};
use super::{Difference, Error, Place, What};

/// What the state holds of one key.
pub(super) type Entry = (StateKey, Versioned);

/// What came of comparing two states.
#[derive(Debug, Default)]
pub(super) struct Compared {
    /// Public keys that agree.
    pub(super) public: u64,
    /// Hashed private keys that agree.
    pub(super) hashed: u64,
    /// Clear private keys that agree.
    pub(super) clear: u64,
    /// Keys that do not.
    pub(super) differing: u64,
    /// The first of them.
    pub(super) first: Option<Difference>,
}

impl Compared {
    pub(super) fn text(&self) -> String {
        let clear = match self.clear {
            0 => String::new(),
            clear => format!(", {clear} private keys"),
        };
        format!("{} keys, {} hashed private keys{clear}", self.public, self.hashed)
    }
}

/// Whether an entry is the clear value of a private key.
pub(super) fn is_clear(entry: &Entry) -> bool {
    entry.0.namespace().contains("$$p")
}

/// The entries of a view, with or without clear private ones.
pub(super) fn entries(
    view: &View,
    clear: bool,
    failed: fn(ledger::Error) -> Error,
) -> impl Iterator<Item = Result<Entry, Error>> + use<> {
    let entries = view.entries().map(move |entry| entry.map_err(|error| failed(error.into())));
    entries.filter(move |entry| clear || !entry.as_ref().is_ok_and(is_clear))
}

/// Compares the state of `replayed` with what was found, both in the order of keys.
pub(super) fn compare(
    replayed: &Ledger,
    expected: impl Iterator<Item = Result<Entry, Error>>,
    found: impl Iterator<Item = Result<Entry, Error>>,
) -> Result<Compared, Error> {
    let mut compared = Compared::default();
    for pair in Merge::new(expected, found, |entry: &Entry| entry.0.clone()) {
        let difference = match pair? {
            Pair::Same((key, _)) => {
                match key.namespace() {
                    namespace if namespace.contains("$$h") => compared.hashed += 1,
                    namespace if namespace.contains("$$p") => compared.clear += 1,
                    _ => compared.public += 1,
                }
                continue;
            }
            Pair::Missing((key, entry)) => missing(&key, &entry),
            Pair::Extra((key, entry)) => extra(&key, &entry),
            Pair::Differs((key, expected), (_, found)) => changed(&key, &expected, &found),
        };
        compared.differing += 1;
        if compared.first.is_none() {
            compared.first = Some(with_id(difference, replayed));
        }
    }
    Ok(compared)
}

fn missing(key: &StateKey, entry: &Versioned) -> Difference {
    written_by(Difference::new(What::MissingKey, shown(key, entry), "no such key"), key, entry)
}

fn extra(key: &StateKey, entry: &Versioned) -> Difference {
    written_by(Difference::new(What::ExtraKey, "no such key", shown(key, entry)), key, entry)
}

fn changed(key: &StateKey, expected: &Versioned, found: &Versioned) -> Difference {
    let difference = if expected.value != found.value {
        Difference::new(What::Value, shown(key, expected), shown(key, found))
    } else if expected.version != found.version {
        Difference::new(What::Version, version(expected.version), version(found.version))
    } else {
        Difference::new(What::Metadata, metadata(expected), metadata(found))
    };
    written_by(difference, key, expected)
}

/// An entry as far as it may be shown: of clear private data the hash only.
fn shown(key: &StateKey, found: &Versioned) -> String {
    match key.namespace() {
        namespace if namespace.contains("$$p") => {
            format!("{} of {}", summary(&found.value), version(found.version))
        }
        namespace => entry(found, namespace.contains("$$h")),
    }
}

fn metadata(entry: &Versioned) -> String {
    match entry.metadata.is_empty() {
        true => "no metadata".to_owned(),
        false => {
            let names: Vec<_> = entry.metadata_entries().into_keys().collect();
            format!("{} in {}", names.join(", "), hash_of(&entry.metadata))
        }
    }
}

fn written_by(difference: Difference, key: &StateKey, entry: &Versioned) -> Difference {
    let place = Place::new(key.namespace(), &key.key());
    difference.block(entry.version.block).transaction(entry.version.tx, None).place(place)
}

/// Adds the id of the transaction that wrote the key, if its block is there.
fn with_id(mut difference: Difference, replayed: &Ledger) -> Difference {
    if let (Some(number), Some(transaction)) = (difference.block, &mut difference.transaction)
        && let Ok(Some(block)) = replayed.block(number)
    {
        transaction.id = tx_id(&block, usize::try_from(transaction.index).unwrap_or(usize::MAX));
    }
    difference
}
