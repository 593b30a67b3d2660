//! Ledgers of Fabric's peers: recordings of single blocks, and block files.
//!
//! A recording is a folder with `blocks/block_NNNNNN.pb` (serialized blocks as a peer delivers
//! them), and as far as they are there `genesis.block`, `state_ORG.json`, `private_ORG` and
//! `snapshot`. Block files are what a peer keeps itself: `blockfile_NNNNNN` in
//! `ledgersData/chains/chains/CHANNEL`. What a block says about itself is the expectation; private
//! data that the folder does not hold counts as missing, as on a peer that never got it.

mod blockfile;
mod recording;
mod snapshot;
mod state;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{Difference, Error, Subject};

/// A ledger of a Fabric peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its folder.
    pub dir: PathBuf,
    layout: Layout,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Layout {
    /// One file for each block.
    Recording,
    /// Files with many blocks each, in order.
    BlockFiles(Vec<PathBuf>),
}

/// Where channels are below the folders people name.
const BELOW: [&str; 4] = ["", "chains", "chains/chains", "ledgersData/chains/chains"];

/// The ledgers in `path`: a recording, a folder of block files, one block file, or a folder with
/// several of these, such as a peer's `ledgersData`.
pub fn find(path: &Path) -> Result<Vec<Found>, Error> {
    if path.is_file() && file_number(path, "blockfile_", "").is_some() {
        let dir = path.parent().unwrap_or(path).to_owned();
        return Ok(vec![Found { dir, layout: Layout::BlockFiles(vec![path.to_owned()]) }]);
    }
    if let Some(found) = layout(path)? {
        return Ok(vec![found]);
    }
    for below in BELOW {
        let folder = if below.is_empty() { path.to_owned() } else { path.join(below) };
        if !folder.is_dir() {
            continue;
        }
        let mut found = Vec::new();
        for entry in list(&folder)? {
            if entry.is_dir() {
                found.extend(layout(&entry)?);
            }
        }
        if !found.is_empty() {
            return Ok(found);
        }
    }
    let expected = "expected `blocks/block_000000.pb`, or `blockfile_000000`";
    Err(Error::NoLedger { dir: path.to_owned(), expected })
}

/// Opens a ledger for verification. A snapshot to compare with is written below `scratch`.
pub fn open(found: &Found, scratch: &Path) -> Result<Subject, Error> {
    match &found.layout {
        Layout::Recording => recording::open(&found.dir, scratch),
        Layout::BlockFiles(files) => blockfile::open(&found.dir, files),
    }
}

fn layout(dir: &Path) -> Result<Option<Found>, Error> {
    let blocks = dir.join("blocks");
    if blocks.is_dir() && !numbered(&blocks, "block_", ".pb")?.is_empty() {
        return Ok(Some(Found { dir: dir.to_owned(), layout: Layout::Recording }));
    }
    let files: Vec<_> = numbered(dir, "blockfile_", "")?.into_values().collect();
    let layout = Layout::BlockFiles(files);
    let empty = layout == Layout::BlockFiles(Vec::new());
    Ok((!empty).then(|| Found { dir: dir.to_owned(), layout }))
}

/// What is in a folder, in the order of names.
fn list(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(Error::io("list", dir))? {
        found.push(entry.map_err(Error::io("list", dir))?.path());
    }
    found.sort();
    Ok(found)
}

/// The files of a folder whose names hold a number, by number.
fn numbered(dir: &Path, prefix: &str, suffix: &str) -> Result<BTreeMap<u64, PathBuf>, Error> {
    let files = list(dir)?.into_iter();
    Ok(files.filter_map(|file| Some((file_number(&file, prefix, suffix)?, file))).collect())
}

fn file_number(path: &Path, prefix: &str, suffix: &str) -> Option<u64> {
    path.file_name()?.to_str()?.strip_prefix(prefix)?.strip_suffix(suffix)?.parse().ok()
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(Error::io("read", path))
}

/// What to do about a difference in something Fabric made.
fn remedy(difference: &Difference) -> String {
    use super::What;
    match difference.what {
        What::CodeCount
        | What::ValidationCode
        | What::CommitHash
        | What::MissingKey
        | What::ExtraKey
        | What::Value
        | What::Version
        | What::Metadata
        | What::Snapshot => "if the files are as the peer wrote them, Gauze and this peer would \
                             disagree: keep the folder and report it; otherwise copy it again"
            .to_owned(),
        _ => "the files are not what the peer wrote: stop the peer and copy them again".to_owned(),
    }
}
