//! A folder with one file for each block.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use ledger::PrivateWriteSets;
use prost::Message;
use proto::common::Block;
use proto::rwset::TxPvtReadWriteSet;

use super::snapshot::Snapshot;
use super::state::State;
use super::{list, numbered, read, remedy};
use crate::causes::in_one_line;
use crate::verify::{Difference, Error, Fault, Item, Recorded, Source, Subject};

/// Opens the recording in `dir`.
pub(super) fn open(dir: &Path, scratch: &Path) -> Result<Subject, Error> {
    let genesis = genesis(dir)?;
    let mut files: VecDeque<_> =
        numbered(&dir.join("blocks"), "block_", ".pb")?.into_iter().collect();
    if let (Some((first, _)), Some((path, _))) = (files.front(), &genesis)
        && *first == 1
    {
        files.push_front((0, path.clone()));
    }
    let mut recorded: Vec<Box<dyn Recorded>> = Vec::new();
    let mut private = BTreeMap::new();
    let mut notes = Vec::new();
    for (organization, path) in states(dir)? {
        let folder = dir.join(format!("private_{organization}"));
        // Only one peer's private data can be replayed.
        let clear = private.is_empty() && folder.is_dir();
        if clear {
            private = private_files(&folder)?;
            notes.push(format!(
                "private data of the peer of {organization} was given to the replay"
            ));
        }
        recorded.push(Box::new(State::open(&path, clear)?));
    }
    if dir.join("snapshot").is_dir() {
        recorded.push(Box::new(Snapshot::open(&dir.join("snapshot"), &scratch.join("snapshot"))?));
    }
    if !numbered(dir, "blockfile_", "")?.is_empty() {
        notes
            .push("the block files beside `blocks` were not read; name them to verify them".into());
    }
    let (blocks, genesis) = (Some(files.len() as u64), genesis.map(|(_, block)| block));
    let source = Box::new(Files { files, private });
    let (dir, base) = (dir.to_owned(), None);
    Ok(Subject { dir, source, blocks, recorded, genesis, base, notes })
}

fn genesis(dir: &Path) -> Result<Option<(PathBuf, Block)>, Error> {
    let path = dir.join("genesis.block");
    if !path.is_file() {
        return Ok(None);
    }
    let block = proto::block::parse(read(&path)?.into());
    let unsupported = |error| Error::Unsupported(format!("genesis.block: {}", in_one_line(&error)));
    Ok(Some((path, block.map_err(unsupported)?)))
}

/// The recorded states, by organization.
fn states(dir: &Path) -> Result<Vec<(String, PathBuf)>, Error> {
    let organization = |path: &Path| {
        let name = path.file_name()?.to_str()?;
        Some(name.strip_prefix("state_")?.strip_suffix(".json")?.to_owned())
    };
    Ok(list(dir)?.into_iter().filter_map(|path| Some((organization(&path)?, path))).collect())
}

/// Files of private write sets, by block and position of the transaction.
fn private_files(dir: &Path) -> Result<BTreeMap<u64, BTreeMap<u32, PathBuf>>, Error> {
    let place = |path: &Path| {
        let name = path.file_name()?.to_str()?.strip_prefix("block_")?.strip_suffix(".pb")?;
        let (block, tx) = name.split_once("_tx_")?;
        Some((block.parse::<u64>().ok()?, tx.parse::<u32>().ok()?))
    };
    let mut found = BTreeMap::<u64, BTreeMap<u32, PathBuf>>::new();
    for path in list(dir)? {
        if let Some((block, tx)) = place(&path) {
            found.entry(block).or_default().insert(tx, path);
        }
    }
    Ok(found)
}

struct Files {
    files: VecDeque<(u64, PathBuf)>,
    private: BTreeMap<u64, BTreeMap<u32, PathBuf>>,
}

impl Files {
    fn private(&mut self, number: u64) -> Result<PrivateWriteSets, Fault> {
        let mut found = PrivateWriteSets::default();
        for (tx, file) in self.private.remove(&number).unwrap_or_default() {
            let bytes = Bytes::from(read(&file).map_err(Fault::Unreadable)?);
            let set = TxPvtReadWriteSet::decode(bytes).map_err(|error| {
                let reason = format!("no private write set: {error}");
                Fault::Damaged { file, offset: 0, reason }
            })?;
            found.write_sets.insert(tx, set);
        }
        Ok(found)
    }
}

impl Source for Files {
    fn next(&mut self) -> Result<Option<Item>, Fault> {
        let Some((number, file)) = self.files.pop_front() else { return Ok(None) };
        let bytes = read(&file).map_err(Fault::Unreadable)?.into();
        let private = self.private(number)?;
        let origin = file.display().to_string();
        Ok(Some(Item { bytes, number: Some(number), origin, private }))
    }

    fn notes(&self) -> Vec<String> {
        Vec::new()
    }

    fn remedy(&self, difference: &Difference) -> String {
        remedy(difference)
    }
}
