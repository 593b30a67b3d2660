//! Reading a snapshot that somebody else may have written.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use prost::Message;
use proto::common::CollectionConfigPackage;
use proto::privacyenabledstate::SnapshotRecord;

use super::Error;
use super::files::Reader;
use super::format::{
    ADDITIONAL, AdditionalMetadata, COLLECTION_KEY, CONFIG_HISTORY, PRIVATE_HASHES, PUBLIC_STATE,
    SIGNABLE, SnapshotConfig, SnapshotMetadata, TX_IDS, data, metadata,
};
use super::metadata::{check, hash, json};
use crate::state::StateKey;
use crate::{Version, Versioned};

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
