//! The requests of one channel, which survive a restart.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Error;

/// What is on disk.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Held {
    /// Blocks whose snapshot was requested and is not there.
    pending: BTreeSet<u64>,
    /// Blocks whose snapshot was made by schedule and not removed yet.
    scheduled: BTreeSet<u64>,
}

/// The requests of one channel and its scheduled snapshots. Every change is on disk when it
/// returns.
#[derive(Debug)]
pub(super) struct Requests {
    path: PathBuf,
    held: Held,
}

impl Requests {
    /// Opens the requests of `channel` in the folder of all snapshots.
    pub(super) fn open(root: &Path, channel: &str) -> Result<Self, Error> {
        let path = root.join("requests").join(format!("{channel}.json"));
        let held = match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(io::Error::from),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Held::default()),
            Err(error) => Err(error),
        };
        match held {
            Ok(held) => Ok(Self { path, held }),
            Err(source) => Err(Error::Io { path, source }),
        }
    }

    /// Requested blocks, ascending.
    pub(super) fn pending(&self) -> &BTreeSet<u64> {
        &self.held.pending
    }

    pub(super) fn add(&mut self, block: u64) -> Result<(), Error> {
        self.change(|held| {
            held.pending.insert(block);
        })
    }

    pub(super) fn remove(&mut self, block: u64) -> Result<(), Error> {
        self.change(|held| {
            held.pending.remove(&block);
        })
    }

    /// Takes note of a scheduled snapshot. Returns those beyond the newest `kept_max`, which are to
    /// be removed.
    pub(super) fn note_scheduled(
        &mut self,
        block: u64,
        kept_max: usize,
    ) -> Result<Vec<u64>, Error> {
        let mut gone = Vec::new();
        self.change(|held| {
            held.scheduled.insert(block);
            while held.scheduled.len() > kept_max {
                gone.extend(held.scheduled.pop_first());
            }
        })?;
        Ok(gone)
    }

    fn change(&mut self, change: impl FnOnce(&mut Held)) -> Result<(), Error> {
        let mut held = self.held.clone();
        change(&mut held);
        if held != self.held {
            let saved = save(&self.path, &held);
            saved.map_err(|source| Error::Io { path: self.path.clone(), source })?;
            self.held = held;
        }
        Ok(())
    }
}

fn save(path: &Path, held: &Held) -> io::Result<()> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder)?;
    let unfinished = path.with_extension("unfinished");
    let mut file = File::create(&unfinished)?;
    file.write_all(&serde_json::to_vec(held)?)?;
    file.sync_all()?;
    fs::rename(&unfinished, path)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_survive() {
        let dir = tempfile::tempdir().unwrap();
        let mut requests = Requests::open(dir.path(), "care").unwrap();
        for block in [7, 5, 9] {
            requests.add(block).unwrap();
        }
        requests.remove(5).unwrap();
        assert_eq!(requests.note_scheduled(10, 2).unwrap(), [0_u64; 0]);
        assert_eq!(requests.note_scheduled(20, 2).unwrap(), [0_u64; 0]);
        let mut requests = Requests::open(dir.path(), "care").unwrap();
        assert_eq!(requests.pending().iter().copied().collect::<Vec<_>>(), [7, 9]);
        assert_eq!(requests.note_scheduled(30, 2).unwrap(), [10]);
        assert!(Requests::open(dir.path(), "pharma").unwrap().pending().is_empty());
        fs::write(dir.path().join("requests/care.json"), "{").unwrap();
        let error = Requests::open(dir.path(), "care").unwrap_err().to_string();
        assert!(error.contains("care.json"), "{error}");
    }
}
