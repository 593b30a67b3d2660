//! Ledger snapshots: the state of a channel in files that other peers can begin from.
//!
//! The files are Fabric's, byte for byte, so their hashes can be compared between peers of any
//! kind. Each data file begins with the version of its format; texts, bytes and messages stand
//! behind their length, numbers and lengths are varints.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use prost::Message;
use prost::encoding::encode_varint;
use proto::block;
use proto::privacyenabledstate::SnapshotRecord;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::state::StateKey;
use crate::{BlockStore, Error, Versioned, View, config_history, failpoint};

/// Version of the format of the data files.
const FORMAT: u8 = 1;

/// What a snapshot is of, in the order of the fields of `_snapshot_signable_metadata.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SnapshotMetadata {
    /// The channel.
    pub channel_name: String,
    /// The newest block in it.
    pub last_block_number: u64,
    /// Hex of that block's hash.
    pub last_block_hash: String,
    /// Hex of the hash of the block before.
    pub previous_block_hash: String,
    /// Hex of the hash of each data file, by name.
    pub snapshot_files_raw_hashes: BTreeMap<String, String>,
    /// The kind of state database, as Fabric names it.
    pub state_db_type: String,
}

#[derive(Debug, Serialize)]
struct AdditionalMetadata {
    snapshot_hash: String,
    last_block_commit_hash: String,
}

/// Writes a snapshot into the new folder `dir`, which appears once it is complete.
pub(crate) fn write(
    channel: &str,
    blocks: &BlockStore,
    view: &View,
    dir: &Path,
) -> Result<SnapshotMetadata, Error> {
    let failed = |action| move |source| Error::Io { action, path: dir.to_owned(), source };
    if dir.exists() {
        return Err(failed("create")(io::ErrorKind::AlreadyExists.into()));
    }
    let unfinished = dir.with_extension("unfinished");
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished).map_err(failed("remove the rest of"))?;
    }
    fs::create_dir_all(&unfinished).map_err(failed("create"))?;
    let mut hashes = BTreeMap::new();
    write_state(&unfinished, view, &mut hashes)?;
    write_tx_ids(&unfinished, blocks, &mut hashes)?;
    write_config_history(&unfinished, view, &mut hashes)?;
    let metadata = metadata(channel, blocks, hashes)?;
    write_metadata(&unfinished, blocks, &metadata)?;
    let folder = File::open(&unfinished).map_err(failed("open"))?;
    folder.sync_all().map_err(failed("sync"))?;
    failpoint::reach("ledger::snapshot::before_rename").map_err(failed("complete"))?;
    fs::rename(&unfinished, dir).map_err(failed("complete"))?;
    failpoint::reach("ledger::snapshot::after_rename").map_err(failed("complete"))?;
    Ok(metadata)
}

/// A data file that hashes what is written to it.
struct DataFile<'a> {
    path: PathBuf,
    name: String,
    file: BufWriter<File>,
    hash: Sha256,
    hashes: &'a mut BTreeMap<String, String>,
}

impl<'a> DataFile<'a> {
    fn create(
        dir: &Path,
        name: &str,
        hashes: &'a mut BTreeMap<String, String>,
    ) -> Result<Self, Error> {
        let path = dir.join(name);
        let created = failpoint::reach("ledger::snapshot::before_create");
        let file = created.and_then(|()| File::create(&path)).map_err(|source| Error::Io {
            action: "create",
            path: path.clone(),
            source,
        })?;
        let (name, file) = (name.to_owned(), BufWriter::new(file));
        let mut this = Self { path, name, file, hash: Sha256::new(), hashes };
        this.write(&[FORMAT])?;
        Ok(this)
    }

    fn failed(&self, action: &'static str) -> impl FnOnce(io::Error) -> Error + use<> {
        let path = self.path.clone();
        move |source| Error::Io { action, path, source }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.hash.update(bytes);
        self.file.write_all(bytes).map_err(self.failed("write"))
    }

    fn number(&mut self, number: u64) -> Result<(), Error> {
        let mut out = Vec::with_capacity(10);
        encode_varint(number, &mut out);
        self.write(&out)
    }

    fn bytes(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.number(bytes.len() as u64)?;
        self.write(bytes)
    }

    fn finish(mut self) -> Result<(), Error> {
        failpoint::reach("ledger::snapshot::before_sync").map_err(self.failed("sync"))?;
        self.file.flush().map_err(self.failed("write"))?;
        self.file.get_ref().sync_all().map_err(self.failed("sync"))?;
        self.hashes.insert(self.name, hex::encode(self.hash.finalize()));
        Ok(())
    }
}

/// The public state and the hashes of the private one, each with the number of records of each
/// namespace. What is empty has no files.
fn write_state(
    dir: &Path,
    view: &View,
    hashes: &mut BTreeMap<String, String>,
) -> Result<(), Error> {
    let is_hash = |key: &StateKey| key.namespace().contains("$$h");
    let is_public = |key: &StateKey| !key.namespace().contains("$$");
    write_entries(dir, "public_state", view, is_public, hashes)?;
    write_entries(dir, "private_state_hashes", view, is_hash, hashes)
}

fn write_entries(
    dir: &Path,
    name: &str,
    view: &View,
    include: impl Fn(&StateKey) -> bool,
    hashes: &mut BTreeMap<String, String>,
) -> Result<(), Error> {
    let mut file: Option<DataFile<'_>> = None;
    let mut counts: Vec<(String, u64)> = Vec::new();
    let mut data_hashes = BTreeMap::new();
    let mut unused = Some(&mut data_hashes);
    for entry in view.entries() {
        let (key, entry) = entry?;
        if !include(&key) {
            continue;
        }
        if let Some(hashes) = unused.take() {
            file = Some(DataFile::create(dir, &format!("{name}.data"), hashes)?);
        }
        if let Some(file) = &mut file {
            file.bytes(&record(&key, entry).encode_to_vec())?;
        }
        match counts.last_mut().filter(|(namespace, _)| namespace == key.namespace()) {
            Some((_, count)) => *count += 1,
            None => counts.push((key.namespace().to_owned(), 1)),
        }
    }
    let Some(file) = file else { return Ok(()) };
    file.finish()?;
    hashes.append(&mut data_hashes);
    let mut file = DataFile::create(dir, &format!("{name}.metadata"), hashes)?;
    file.number(counts.len() as u64)?;
    for (namespace, count) in counts {
        file.bytes(namespace.as_bytes())?;
        file.number(count)?;
    }
    file.finish()
}

fn record(key: &StateKey, entry: Versioned) -> SnapshotRecord {
    SnapshotRecord {
        key: key.key(),
        value: entry.value,
        metadata: entry.metadata,
        version: entry.version.to_ordered_bytes().into(),
    }
}

/// All transaction ids, short ones first.
fn write_tx_ids(
    dir: &Path,
    blocks: &BlockStore,
    hashes: &mut BTreeMap<String, String>,
) -> Result<(), Error> {
    let mut lengths = BTreeSet::new();
    let mut count = 0;
    for id in blocks.tx_ids() {
        lengths.insert(id?.len());
        count += 1;
    }
    let mut file = DataFile::create(dir, "txids.data", hashes)?;
    for length in lengths {
        for id in blocks.tx_ids() {
            let id = id?;
            if id.len() == length {
                file.bytes(id.as_bytes())?;
            }
        }
    }
    file.finish()?;
    let mut file = DataFile::create(dir, "txids.metadata", hashes)?;
    file.number(count)?;
    file.finish()
}

/// The collections of all chaincodes and when they were committed; no files if there are none.
fn write_config_history(
    dir: &Path,
    view: &View,
    hashes: &mut BTreeMap<String, String>,
) -> Result<(), Error> {
    let mut entries = BTreeMap::new();
    for entry in config_history::all(view) {
        let (chaincode, block, package) = entry?;
        let age = (u64::MAX - block).to_be_bytes();
        let key: [&[u8]; 4] = [b"slscc\0", chaincode.as_bytes(), b"~collection", &age];
        entries.insert(key.concat(), package);
    }
    if entries.is_empty() {
        return Ok(());
    }
    let mut file = DataFile::create(dir, "confighistory.data", hashes)?;
    for (key, package) in &entries {
        file.bytes(key)?;
        file.bytes(package)?;
    }
    file.finish()?;
    let mut file = DataFile::create(dir, "confighistory.metadata", hashes)?;
    file.number(entries.len() as u64)?;
    file.finish()
}

fn metadata(
    channel: &str,
    blocks: &BlockStore,
    hashes: BTreeMap<String, String>,
) -> Result<SnapshotMetadata, Error> {
    let info = blocks.info()?;
    Ok(SnapshotMetadata {
        channel_name: channel.to_owned(),
        last_block_number: info.height.saturating_sub(1),
        last_block_hash: hex::encode(&info.current_block_hash),
        previous_block_hash: hex::encode(&info.previous_block_hash),
        snapshot_files_raw_hashes: hashes,
        state_db_type: "SimpleKeyValueDB".to_owned(),
    })
}

fn write_metadata(
    dir: &Path,
    blocks: &BlockStore,
    metadata: &SnapshotMetadata,
) -> Result<(), Error> {
    let signable = json(dir, "_snapshot_signable_metadata.json", metadata)?;
    let commit_hash = blocks.last_block()?.as_ref().and_then(block::commit_hash);
    let additional = AdditionalMetadata {
        snapshot_hash: hex::encode(proto::sha256(&signable)),
        last_block_commit_hash: hex::encode(commit_hash.unwrap_or_default()),
    };
    json(dir, "_snapshot_additional_metadata.json", &additional)?;
    Ok(())
}

fn json(dir: &Path, name: &str, value: &impl Serialize) -> Result<Vec<u8>, Error> {
    let path = dir.join(name);
    let mut out = Vec::new();
    let indent = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    let mut serializer = serde_json::Serializer::with_formatter(&mut out, indent);
    let written = value.serialize(&mut serializer).map_err(io::Error::from).and_then(|()| {
        let mut file = File::create(&path)?;
        file.write_all(&out)?;
        file.sync_all()
    });
    written.map_err(|source| Error::Io { action: "write", path, source })?;
    Ok(out)
}
