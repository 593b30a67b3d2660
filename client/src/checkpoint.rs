//! Where a follower of events has got to.

use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::Error;

/// A position in the stream of events: everything before `block`, and inside `block` everything
/// up to and including `tx_id` (nothing of the block when it is `None`), has been seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checkpoint {
    /// The first block not completely seen.
    pub block: u64,
    /// The last transaction seen in it.
    pub tx_id: Option<String>,
}

/// A checkpoint in a file, in the form Fabric's SDKs use.
#[derive(Clone, Debug)]
pub struct FileCheckpoint {
    path: PathBuf,
}

impl FileCheckpoint {
    /// The checkpoint kept at `path`.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// The checkpoint saved last; `None` when there is none yet.
    ///
    /// # Errors
    /// When the file is unreadable or not a checkpoint.
    pub fn load(&self) -> Result<Option<Checkpoint>, Error> {
        let text = match std::fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.failed("read", error)),
        };
        parse(&text)
            .map(Some)
            .ok_or_else(|| self.failed("read", io::Error::other("not a checkpoint")))
    }

    /// Saves, replacing the file in one step.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, checkpoint: &Checkpoint) -> Result<(), Error> {
        let mut value = json!({ "blockNumber": checkpoint.block.to_string() });
        if let Some(tx_id) = &checkpoint.tx_id {
            value["transactionId"] = Value::from(tx_id.as_str());
        }
        let mut temporary = self.path.clone().into_os_string();
        temporary.push(".new");
        let write = std::fs::write(&temporary, value.to_string());
        write
            .and_then(|()| std::fs::rename(&temporary, &self.path))
            .map_err(|error| self.failed("write", error))
    }

    fn failed(&self, verb: &str, source: io::Error) -> Error {
        Error::File { what: format!("{verb} checkpoint {}", self.path.display()), source }
    }
}

fn parse(text: &str) -> Option<Checkpoint> {
    let value: Value = serde_json::from_str(text).ok()?;
    let block = match value.get("blockNumber")? {
        Value::String(digits) => digits.parse().ok()?,
        Value::Number(number) => number.as_u64()?,
        _ => return None,
    };
    let tx_id = value.get("transactionId").and_then(Value::as_str).map(str::to_owned);
    Some(Checkpoint { block, tx_id })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn survives_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let file = FileCheckpoint::new(&directory.path().join("checkpoint.json"));
        assert_eq!(file.load().unwrap(), None);
        for checkpoint in [
            Checkpoint { block: 7, tx_id: Some("abc".into()) },
            Checkpoint { block: u64::MAX, tx_id: None },
        ] {
            file.save(&checkpoint).unwrap();
            assert_eq!(file.load().unwrap(), Some(checkpoint));
        }
        std::fs::write(directory.path().join("checkpoint.json"), "{").unwrap();
        assert!(file.load().is_err());
    }
}
