//! The state of a Fabric peer as JSON.

use std::collections::BTreeMap;
use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ledger::state::StateKey;
use ledger::{Ledger, Version, Versioned};
use serde::Deserialize;

use super::read;
use crate::verify::entries::{self, Entry, is_clear};
use crate::verify::{At, Error, Findings, Recorded};

/// A recorded state.
pub(super) struct State {
    /// Ascending by key.
    entries: Vec<Entry>,
    block: u64,
    /// Whether clear private data is compared.
    clear: bool,
    file: String,
}

#[derive(Deserialize)]
struct Json {
    namespaces: BTreeMap<String, Vec<JsonEntry>>,
    savepoint: (u64, u64),
}

#[derive(Deserialize)]
struct JsonEntry {
    key_b64: String,
    #[serde(default)]
    value_b64: String,
    version: (u64, u64),
    #[serde(default)]
    metadata_b64: String,
}

impl State {
    /// Reads the file `path`. Clear private data in it counts only if the replay has it, too.
    pub(super) fn open(path: &Path, clear: bool) -> Result<Self, Error> {
        let invalid = |reason: String| Error::Unsupported(format!("{}: {reason}", path.display()));
        let json: Json =
            serde_json::from_slice(&read(path)?).map_err(|error| invalid(error.to_string()))?;
        let mut found = Vec::new();
        for (namespace, entries) in json.namespaces {
            for entry in entries {
                let entry = entry.decode(&namespace).map_err(|error| invalid(error.to_string()))?;
                found.push(entry);
            }
        }
        found.retain(|entry| clear || !is_clear(entry));
        found.sort_by(|a, b| a.0.cmp(&b.0));
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self { entries: found, block: json.savepoint.0, clear, file: name })
    }
}

impl JsonEntry {
    fn decode(self, namespace: &str) -> Result<Entry, base64::DecodeError> {
        let bytes = |text: &str| BASE64_STANDARD.decode(text);
        let key = StateKey::composed(namespace, &bytes(&self.key_b64)?);
        let entry = Versioned {
            value: bytes(&self.value_b64)?.into(),
            metadata: bytes(&self.metadata_b64)?.into(),
            version: Version::new(self.version.0, self.version.1),
        };
        Ok((key, entry))
    }
}

impl Recorded for State {
    fn name(&self) -> &'static str {
        "state"
    }

    fn at(&self) -> At {
        At::Block(self.block)
    }

    fn compare(&mut self, replayed: &Ledger) -> Result<Findings, Error> {
        let view = replayed.view().map_err(Error::Scratch)?;
        let expected = entries::entries(&view, self.clear, Error::Scratch);
        let found = std::mem::take(&mut self.entries).into_iter().map(Ok);
        let compared = entries::compare(replayed, expected, found)?;
        let Some(first) = compared.first else {
            let text = format!("{}: {}, at block {}", self.file, compared.text(), self.block);
            return Ok(Findings::held(self.name(), text));
        };
        let text = format!("{}: {} keys differ", self.file, compared.differing);
        Ok(Findings::differs(self.name(), text, first.file(self.file.clone())))
    }
}
