//! Writing a snapshot from a view.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use bytes::Bytes;
use prost::Message;
use proto::privacyenabledstate::SnapshotRecord;
use serde::Serialize;

use super::files::Writer;
use super::format::{
    ADDITIONAL, AdditionalMetadata, COLLECTION_KEY, CONFIG_HISTORY, PRIVATE_HASHES, PUBLIC_STATE,
    SIGNABLE, STATE_DB, SnapshotMetadata, TX_IDS, data, metadata,
};
use crate::state::StateKey;
use crate::{BlockStore, Error, Versioned, View, config_history, failpoint};

/// The last block of a snapshot.
#[derive(Debug, Clone)]
pub(super) struct Last {
    pub(super) channel: String,
    pub(super) number: u64,
    pub(super) hash: [u8; 32],
    pub(super) previous_hash: Bytes,
    pub(super) commit_hash: Option<Bytes>,
}

type Hashes = BTreeMap<String, String>;

/// Writes a snapshot into the new folder `dir`, which appears once it is complete. The view is of
/// the last block; the blocks may have gone on.
pub(super) fn write(
    last: &Last,
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
    let written = write_files(last, blocks, view, &unfinished).and_then(|metadata| {
        failpoint::reach("ledger::snapshot::before_rename").map_err(failed("complete"))?;
        fs::rename(&unfinished, dir).map_err(failed("complete"))?;
        failpoint::reach("ledger::snapshot::after_rename").map_err(failed("complete"))?;
        let parent =
            File::open(dir.parent().unwrap_or(dir)).map_err(failed("open the folder of"))?;
        parent.sync_all().map_err(failed("sync the folder of"))?;
        Ok(metadata)
    });
    if written.is_err()
        && let Err(error) = fs::remove_dir_all(&unfinished)
    {
        tracing::warn!(dir = %unfinished.display(), %error, "remove an unfinished snapshot");
    }
    written
}

fn write_files(
    last: &Last,
    blocks: &BlockStore,
    view: &View,
    dir: &Path,
) -> Result<SnapshotMetadata, Error> {
    let mut hashes = Hashes::new();
    let is_hash = |key: &StateKey| key.namespace().contains("$$h");
    let is_public = |key: &StateKey| !key.namespace().contains("$$");
    write_entries(dir, PUBLIC_STATE, view, is_public, &mut hashes)?;
    write_entries(dir, PRIVATE_HASHES, view, is_hash, &mut hashes)?;
    write_tx_ids(dir, blocks, last.number, &mut hashes)?;
    write_config_history(dir, view, last.number, &mut hashes)?;
    let metadata = write_metadata(dir, last, hashes)?;
    let folder = File::open(dir).and_then(|folder| folder.sync_all());
    folder.map_err(|source| Error::Io { action: "sync", path: dir.to_owned(), source })?;
    Ok(metadata)
}

/// Entries of the state with the number of those of each namespace; no files if there are none.
fn write_entries(
    dir: &Path,
    kind: &str,
    view: &View,
    include: impl Fn(&StateKey) -> bool,
    hashes: &mut Hashes,
) -> Result<(), Error> {
    let mut file: Option<Writer<'_>> = None;
    let mut counts: Vec<(String, u64)> = Vec::new();
    let mut data_hashes = Hashes::new();
    let mut unused = Some(&mut data_hashes);
    for entry in view.entries() {
        let (key, entry) = entry?;
        if !include(&key) {
            continue;
        }
        if let Some(hashes) = unused.take() {
            file = Some(Writer::create(dir, &data(kind), hashes)?);
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
    let mut file = Writer::create(dir, &metadata(kind), hashes)?;
    file.number(counts.len() as u64)?;
    for (namespace, count) in counts {
        file.bytes(namespace.as_bytes())?;
        file.number(count)?;
    }
    Ok(file.finish()?)
}

fn record(key: &StateKey, entry: Versioned) -> SnapshotRecord {
    SnapshotRecord {
        key: key.key(),
        value: entry.value,
        metadata: entry.metadata,
        version: entry.version.to_ordered_bytes().into(),
    }
}

/// The ids of all transactions up to block `last`, short ones first.
fn write_tx_ids(
    dir: &Path,
    blocks: &BlockStore,
    last: u64,
    hashes: &mut Hashes,
) -> Result<(), Error> {
    let mut lengths = BTreeSet::new();
    let mut count = 0;
    for id in blocks.tx_ids_through(last) {
        lengths.insert(id?.len());
        count += 1;
    }
    let mut file = Writer::create(dir, &data(TX_IDS), hashes)?;
    for length in lengths {
        for id in blocks.tx_ids_through(last) {
            let id = id?;
            if id.len() == length {
                file.bytes(id.as_bytes())?;
            }
        }
    }
    file.finish()?;
    write_count(dir, TX_IDS, count, hashes)
}

/// The collections of all chaincodes and when they were committed, up to block `last`; no files if
/// there are none. Views do not undo later entries, which are therefore left out here.
fn write_config_history(
    dir: &Path,
    view: &View,
    last: u64,
    hashes: &mut Hashes,
) -> Result<(), Error> {
    let mut entries = BTreeMap::new();
    for entry in config_history::all(view) {
        let (chaincode, block, package) = entry?;
        if block <= last {
            let age = (u64::MAX - block).to_be_bytes();
            let (before, behind) = COLLECTION_KEY;
            entries.insert([before, chaincode.as_bytes(), behind, &age].concat(), package);
        }
    }
    if entries.is_empty() {
        return Ok(());
    }
    let mut file = Writer::create(dir, &data(CONFIG_HISTORY), hashes)?;
    for (key, package) in &entries {
        file.bytes(key)?;
        file.bytes(package)?;
    }
    file.finish()?;
    write_count(dir, CONFIG_HISTORY, entries.len() as u64, hashes)
}

fn write_count(dir: &Path, kind: &str, count: u64, hashes: &mut Hashes) -> Result<(), Error> {
    let mut file = Writer::create(dir, &metadata(kind), hashes)?;
    file.number(count)?;
    Ok(file.finish()?)
}

fn write_metadata(dir: &Path, last: &Last, hashes: Hashes) -> Result<SnapshotMetadata, Error> {
    let metadata = SnapshotMetadata {
        channel_name: last.channel.clone(),
        last_block_number: last.number,
        last_block_hash: hex::encode(last.hash),
        previous_block_hash: hex::encode(&last.previous_hash),
        snapshot_files_raw_hashes: hashes,
        state_db_type: STATE_DB.to_owned(),
    };
    let signable = write_json(dir, SIGNABLE, &metadata)?;
    let additional = AdditionalMetadata {
        snapshot_hash: hex::encode(proto::sha256(&signable)),
        last_block_commit_hash: last.commit_hash.as_ref().map(hex::encode).unwrap_or_default(),
    };
    write_json(dir, ADDITIONAL, &additional)?;
    Ok(metadata)
}

fn write_json(dir: &Path, name: &str, value: &impl Serialize) -> Result<Vec<u8>, Error> {
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
