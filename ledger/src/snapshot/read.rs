//! Reading a snapshot that somebody else may have written.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use prost::Message;
use proto::common::CollectionConfigPackage;
use proto::privacyenabledstate::SnapshotRecord;
use serde::de::DeserializeOwned;

use super::Error;
use super::files::Reader;
use super::format::{
    ADDITIONAL, AdditionalMetadata, COLLECTION_KEY, CONFIG_HISTORY, PRIVATE_HASHES, PUBLIC_STATE,
    SIGNABLE, STATE_DBS, SnapshotConfig, SnapshotMetadata, TX_IDS, data, metadata,
};
use crate::state::StateKey;
use crate::{Version, Versioned, channel_id};

/// Bytes a metadata file may have. It names ten files at most.
const METADATA_BYTES_MAX: u64 = 1 << 16;

/// A folder with a snapshot, whose metadata has been checked. The data files are checked while
/// they are read.
#[derive(Debug, Clone)]
pub struct Snapshot {
    dir: PathBuf,
    metadata: SnapshotMetadata,
    hash: String,
    last_hash: [u8; 32],
    previous_hash: Bytes,
    commit_hash: Option<Bytes>,
    record_bytes_max: u64,
}

/// What is in a snapshot, counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contents {
    /// Public keys by namespace.
    pub public_keys: BTreeMap<String, u64>,
    /// Hashed private keys by namespace and collection.
    pub private_keys: BTreeMap<(String, String), u64>,
    /// Ids of transactions.
    pub transactions: u64,
    /// Definitions of collections.
    pub collection_configs: u64,
}

/// The two files with entries of the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Public,
    Hashes,
}

impl Part {
    fn kind(self) -> &'static str {
        match self {
            Self::Public => PUBLIC_STATE,
            Self::Hashes => PRIVATE_HASHES,
        }
    }

    /// Whether a namespace may stand in this file.
    fn is_namespace(self, name: &str) -> bool {
        let collection = name.split_once("$$h");
        !name.contains('\0')
            && match self {
                Self::Public => !name.contains("$$"),
                Self::Hashes => collection.is_some_and(|(namespace, collection)| {
                    [namespace, collection].iter().all(|it| !it.is_empty() && !it.contains("$$"))
                }),
            }
    }
}

impl Snapshot {
    /// Opens the snapshot in `dir` and checks its metadata.
    pub fn open(dir: impl AsRef<Path>, config: &SnapshotConfig) -> Result<Self, Error> {
        let dir = dir.as_ref().to_owned();
        let path = dir.join(SIGNABLE);
        let (signable, metadata) = json::<SnapshotMetadata>(&path)?;
        check(&path, &metadata)?;
        let last_hash = hash(&path, "last_block_hash", &metadata.last_block_hash)?;
        let previous_hash = match (metadata.last_block_number, &*metadata.previous_block_hash) {
            (0, "") => Bytes::new(),
            (_, text) => Bytes::from_owner(hash(&path, "previous_block_hash", text)?),
        };
        let path = dir.join(ADDITIONAL);
        let (_, additional) = json::<AdditionalMetadata>(&path)?;
        let found = hex::encode(proto::sha256(&signable));
        if additional.snapshot_hash != found {
            let (path, expected) = (dir.join(SIGNABLE), additional.snapshot_hash);
            return Err(Error::Hash { path, expected, found });
        }
        let commit_hash = match &*additional.last_block_commit_hash {
            "" => None,
            text => Some(Bytes::from_owner(hash(&path, "last_block_commit_hash", text)?)),
        };
        let (hash, record_bytes_max) = (found, config.record_bytes_max);
        Ok(Self { dir, metadata, hash, last_hash, previous_hash, commit_hash, record_bytes_max })
    }

    /// Where it is.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What it is of.
    pub fn metadata(&self) -> &SnapshotMetadata {
        &self.metadata
    }

    /// Hex of the hash over the metadata and with it over all files: what operators compare.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The commit hash of the last block, unless it has none.
    pub fn commit_hash(&self) -> Option<&Bytes> {
        self.commit_hash.as_ref()
    }

    /// The newest block in it.
    pub fn last_block(&self) -> u64 {
        self.metadata.last_block_number
    }

    /// The first block that is not in it.
    pub(crate) fn next_block(&self) -> u64 {
        // Opening has checked that there is a next number.
        self.metadata.last_block_number.saturating_add(1)
    }

    /// Hash of the last block's header.
    pub(crate) fn last_hash(&self) -> [u8; 32] {
        self.last_hash
    }

    /// Hash of the header of the block before the last one.
    pub(crate) fn previous_hash(&self) -> &Bytes {
        &self.previous_hash
    }

    /// Reads and checks all of it. `progress` is told the kind of the records being read, and how
    /// many records there have been in all.
    pub fn verify(&self, progress: &mut dyn FnMut(&'static str, u64)) -> Result<Contents, Error> {
        let mut contents = Contents::default();
        let mut count = 0;
        let mut tell = |kind| {
            count += 1;
            progress(kind, count);
        };
        self.entries::<Error>(Part::Public, &mut |key, _| {
            *contents.public_keys.entry(key.namespace().to_owned()).or_default() += 1;
            tell(PUBLIC_STATE);
            Ok(())
        })?;
        self.entries::<Error>(Part::Hashes, &mut |key, _| {
            if let Some((namespace, collection)) = key.namespace().split_once("$$h") {
                let key = (namespace.to_owned(), collection.to_owned());
                *contents.private_keys.entry(key).or_default() += 1;
            }
            tell(PRIVATE_HASHES);
            Ok(())
        })?;
        self.tx_ids::<Error>(&mut |_| {
            contents.transactions += 1;
            tell(TX_IDS);
            Ok(())
        })?;
        self.collections::<Error>(&mut |_, _, _| {
            contents.collection_configs += 1;
            Ok(())
        })?;
        Ok(contents)
    }

    /// Gives out the entries of one part of the state, in the order of their keys.
    pub(crate) fn entries<E: From<Error>>(
        &self,
        part: Part,
        each: &mut dyn FnMut(StateKey, Versioned) -> Result<(), E>,
    ) -> Result<(), E> {
        let Some(counts) = self.counts(part)? else { return Ok(()) };
        let mut file = self.reader(&data(part.kind()))?;
        let mut last: Option<StateKey> = None;
        for (namespace, count) in counts {
            for _ in 0..count {
                let begin = file.offset();
                let record = file.bytes()?;
                let (key, entry) = self
                    .entry(part, &namespace, record)
                    .map_err(|reason| file.wrong(begin, reason))?;
                if last.as_ref().is_some_and(|last| *last >= key) {
                    return Err(file.wrong(begin, "the keys are not ascending").into());
                }
                each(key.clone(), entry)?;
                last = Some(key);
            }
        }
        Ok(file.finish()?)
    }

    fn entry(
        &self,
        part: Part,
        namespace: &str,
        record: Bytes,
    ) -> Result<(StateKey, Versioned), &'static str> {
        let record = SnapshotRecord::decode(record).map_err(|_| "a record does not decode")?;
        let version = Version::from_ordered_bytes(&record.version);
        let version = version.ok_or("the version of a key is not one")?;
        if version.block > self.last_block() {
            return Err("the version of a key is newer than the snapshot");
        }
        if part == Part::Public && std::str::from_utf8(&record.key).is_err() {
            return Err("a public key is not text");
        }
        let (value, metadata) = (record.value, record.metadata);
        let key = StateKey::composed(namespace, &record.key);
        Ok((key, Versioned { value, metadata, version }))
    }

    /// Namespaces and how many entries each has; nothing if the snapshot has no such part.
    fn counts(&self, part: Part) -> Result<Option<Vec<(String, u64)>>, Error> {
        let name = metadata(part.kind());
        if !self.metadata.snapshot_files_raw_hashes.contains_key(&name) {
            return Ok(None);
        }
        let mut file = self.reader(&name)?;
        let mut counts: Vec<(String, u64)> = Vec::new();
        for _ in 0..file.number()? {
            let begin = file.offset();
            let (namespace, count) = (file.text()?, file.number()?);
            if !part.is_namespace(&namespace) {
                return Err(file.wrong(begin, "a namespace cannot stand here"));
            }
            if counts.last().is_some_and(|(last, _)| *last >= namespace) {
                return Err(file.wrong(begin, "the namespaces are not ascending"));
            }
            counts.push((namespace, count));
        }
        file.finish()?;
        Ok(Some(counts))
    }

    /// Gives out the ids of all transactions, short ones first.
    pub(crate) fn tx_ids<E: From<Error>>(
        &self,
        each: &mut dyn FnMut(String) -> Result<(), E>,
    ) -> Result<(), E> {
        let count = self.count(TX_IDS)?;
        let mut file = self.reader(&data(TX_IDS))?;
        let mut last: Option<String> = None;
        for _ in 0..count {
            let begin = file.offset();
            let id = file.text()?;
            if last.as_ref().is_some_and(|last| (last.len(), last) >= (id.len(), &id)) {
                return Err(file.wrong(begin, "the transaction ids are not ascending").into());
            }
            last = Some(id.clone());
            each(id)?;
        }
        Ok(file.finish()?)
    }

    /// Gives out the collections of chaincodes: chaincode, block, encoded package.
    pub(crate) fn collections<E: From<Error>>(
        &self,
        each: &mut dyn FnMut(String, u64, Bytes) -> Result<(), E>,
    ) -> Result<(), E> {
        if !self.metadata.snapshot_files_raw_hashes.contains_key(&data(CONFIG_HISTORY)) {
            return Ok(());
        }
        let count = self.count(CONFIG_HISTORY)?;
        let mut file = self.reader(&data(CONFIG_HISTORY))?;
        let mut last = Bytes::new();
        for _ in 0..count {
            let begin = file.offset();
            let (key, package) = (file.bytes()?, file.bytes()?);
            if last >= key {
                return Err(file.wrong(begin, "the chaincodes are not ascending").into());
            }
            let Some((chaincode, block)) = parse_collection_key(&key) else {
                return Err(file.wrong(begin, "a key names no chaincode and block").into());
            };
            if block > self.last_block() {
                return Err(file.wrong(begin, "collections are newer than the snapshot").into());
            }
            if CollectionConfigPackage::decode(package.clone()).is_err() {
                return Err(file.wrong(begin, "collections do not decode").into());
            }
            each(chaincode, block, package)?;
            last = key;
        }
        Ok(file.finish()?)
    }

    /// The single number in a metadata file.
    fn count(&self, kind: &str) -> Result<u64, Error> {
        let mut file = self.reader(&metadata(kind))?;
        let count = file.number()?;
        file.finish()?;
        Ok(count)
    }

    fn reader(&self, name: &str) -> Result<Reader, Error> {
        let hashes = &self.metadata.snapshot_files_raw_hashes;
        let expected = hashes.get(name).ok_or_else(|| {
            Error::metadata(&self.dir.join(SIGNABLE), format!("it names no {name}"))
        })?;
        Reader::open(&self.dir, name, expected, self.record_bytes_max)
    }
}

/// The chaincode and the block in a key of the collection history.
fn parse_collection_key(key: &[u8]) -> Option<(String, u64)> {
    let (name, age) = key.split_last_chunk::<8>()?;
    let name = name.strip_prefix(COLLECTION_KEY.0)?.strip_suffix(COLLECTION_KEY.1)?;
    let name = std::str::from_utf8(name).ok().filter(|name| !name.contains('\0'))?;
    Some((name.to_owned(), u64::MAX - u64::from_be_bytes(*age)))
}

fn json<T: DeserializeOwned>(path: &Path) -> Result<(Vec<u8>, T), Error> {
    let length = fs::metadata(path).map_err(Error::io("open", path))?.len();
    if length > METADATA_BYTES_MAX {
        return Err(Error::metadata(path, format!("{length} bytes are too many")));
    }
    let bytes = fs::read(path).map_err(Error::io("read", path))?;
    let value = serde_json::from_slice(&bytes);
    let value = value.map_err(|error| Error::metadata(path, error.to_string()))?;
    Ok((bytes, value))
}

/// Checks what does not depend on the files.
fn check(path: &Path, found: &SnapshotMetadata) -> Result<(), Error> {
    let wrong = |reason: String| Err(Error::metadata(path, reason));
    if !channel_id::is_valid(&found.channel_name) {
        return wrong(format!("{:?} is not a channel id", found.channel_name));
    }
    if found.last_block_number == u64::MAX {
        return wrong("no block can follow the last one".to_owned());
    }
    if !STATE_DBS.contains(&&*found.state_db_type) {
        return wrong(format!("{:?} is not a known state database", found.state_db_type));
    }
    let known = [PUBLIC_STATE, PRIVATE_HASHES, TX_IDS, CONFIG_HISTORY];
    let names = known.map(|kind| [data(kind), metadata(kind)]);
    let hashes = &found.snapshot_files_raw_hashes;
    if let Some(name) = hashes.keys().find(|name| !names.as_flattened().contains(name)) {
        return wrong(format!("{name:?} is no file of a snapshot"));
    }
    for (kind, [data, metadata]) in known.into_iter().zip(&names) {
        let (data, metadata) = (hashes.contains_key(data), hashes.contains_key(metadata));
        let required = [PUBLIC_STATE, TX_IDS].contains(&kind);
        if data != metadata || (required && !data) {
            return wrong(format!("it does not name both files of {kind}"));
        }
    }
    Ok(())
}

fn hash(path: &Path, field: &str, text: &str) -> Result<[u8; 32], Error> {
    let mut hash = [0; 32];
    match hex::decode_to_slice(text, &mut hash) {
        Ok(()) => Ok(hash),
        Err(_) => Err(Error::metadata(path, format!("{field} {text:?} is no hash"))),
    }
}
