//! A snapshot that a Fabric peer made.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bytes::{Buf, Bytes};
use ledger::state::StateKey;
use ledger::{Ledger, Version, Versioned};
use prost::Message;
use prost::encoding::decode_varint;
use proto::privacyenabledstate::SnapshotRecord;
use serde::Deserialize;

use super::read;
use crate::verify::compare::{Merge, Pair};
use crate::verify::describe::{entry, hex_or_text, summary};
use crate::verify::{At, Difference, Error, Findings, Place, Recorded, What};

/// The file whose hash is the hash of the snapshot.
const SIGNABLE: &str = "_snapshot_signable_metadata.json";
/// The file with that hash.
const ADDITIONAL: &str = "_snapshot_additional_metadata.json";

/// A recorded snapshot.
pub(super) struct Snapshot {
    dir: PathBuf,
    /// Where the snapshot to compare it with is written.
    own: PathBuf,
    signable: Signable,
}

#[derive(Deserialize)]
struct Signable {
    last_block_number: u64,
    snapshot_files_raw_hashes: BTreeMap<String, String>,
}

impl Snapshot {
    pub(super) fn open(dir: &Path, own: &Path) -> Result<Self, Error> {
        let path = dir.join(SIGNABLE);
        let signable = serde_json::from_slice(&read(&path)?)
            .map_err(|error| Error::Unsupported(format!("{}: {error}", path.display())))?;
        Ok(Self { dir: dir.to_owned(), own: own.to_owned(), signable })
    }
}

impl Recorded for Snapshot {
    fn name(&self) -> &'static str {
        "snapshot"
    }

    fn at(&self) -> At {
        At::Block(self.signable.last_block_number)
    }

    fn compare(&mut self, replayed: &Ledger) -> Result<Findings, Error> {
        let own = replayed.snapshot(&self.own).map_err(Error::Scratch)?;
        let block = self.signable.last_block_number;
        let differs = |difference: Difference, file: &str| {
            let difference = difference.file(file);
            let text = format!("{file} differs at block {block}");
            Ok(Findings::differs("snapshot", text, difference))
        };
        for (file, hash) in &own.snapshot_files_raw_hashes {
            let Some(bytes) = self.read(file)? else {
                let missing = Difference::new(What::Snapshot, "the file", "no such file");
                return differs(missing, file);
            };
            if hex::encode(proto::sha256(&bytes)) != *hash {
                let own = (read(&self.own.join(file))?.into(), counts_of(&self.own, file)?);
                let difference = first(file, &own, &(bytes, counts_of(&self.dir, file)?));
                return differs(difference, file);
            }
        }
        for file in self.signable.snapshot_files_raw_hashes.keys() {
            if !own.snapshot_files_raw_hashes.contains_key(file) {
                return differs(Difference::new(What::Snapshot, "no such file", "one"), file);
            }
        }
        for file in [SIGNABLE, ADDITIONAL] {
            let (expected, found) = (read(&self.own.join(file))?, self.read(file)?);
            if found.as_deref() != Some(&expected) {
                let found = found.map_or_else(|| "no such file".to_owned(), |it| summary(&it));
                return differs(Difference::new(What::Snapshot, summary(&expected), found), file);
            }
        }
        let hash = hex::encode(proto::sha256(&read(&self.own.join(SIGNABLE))?));
        let files = own.snapshot_files_raw_hashes.len();
        let text = format!("{files} files equal at block {block}, snapshot hash {hash}");
        Ok(Findings::held(self.name(), text))
    }
}

impl Snapshot {
    fn read(&self, file: &str) -> Result<Option<Bytes>, Error> {
        let path = self.dir.join(file);
        if path.is_file() { Ok(Some(read(&path)?.into())) } else { Ok(None) }
    }
}

/// How many records of each namespace are in a data file, in order.
fn counts_of(dir: &Path, file: &str) -> Result<Vec<(String, u64)>, Error> {
    let Some(name) = file.strip_suffix(".data") else { return Ok(Vec::new()) };
    let path = dir.join(format!("{name}.metadata"));
    if !path.is_file() {
        return Ok(Vec::new());
    }
    let mut bytes = Bytes::from(read(&path)?);
    Ok(counts(&mut bytes).unwrap_or_default())
}

fn counts(bytes: &mut Bytes) -> Option<Vec<(String, u64)>> {
    bytes.try_get_u8().ok()?;
    let count = decode_varint(bytes).ok()?;
    let namespace = |bytes: &mut Bytes| {
        let name = String::from_utf8(item(bytes)?.to_vec()).ok()?;
        Some((name, decode_varint(bytes).ok()?))
    };
    (0..count.min(bytes.remaining() as u64)).map(|_| namespace(bytes)).collect()
}

fn item(bytes: &mut Bytes) -> Option<Bytes> {
    let length = usize::try_from(decode_varint(bytes).ok()?).ok()?;
    (length <= bytes.remaining()).then(|| bytes.split_to(length))
}

/// The items of a data file behind its format byte.
fn items(mut bytes: Bytes) -> Vec<Bytes> {
    if bytes.try_get_u8().is_err() {
        return Vec::new();
    }
    std::iter::from_fn(|| item(&mut bytes)).collect()
}

/// A file's content and how many of its records are of which namespace.
type Content = (Bytes, Vec<(String, u64)>);

/// The first difference between two files of one name.
fn first(file: &str, expected: &Content, found: &Content) -> Difference {
    let is_state = file.ends_with("state.data") || file.ends_with("hashes.data");
    let whole = || Difference::new(What::Snapshot, summary(&expected.0), summary(&found.0));
    if is_state {
        return record_difference(records(expected), records(found)).unwrap_or_else(whole);
    }
    let (own, other) = (items(expected.0.clone()), items(found.0.clone()));
    let at = own.iter().zip(&other).position(|(own, other)| own != other);
    let at = at.unwrap_or_else(|| own.len().min(other.len()));
    let shown =
        |items: &[Bytes]| items.get(at).map_or_else(|| "the end".to_owned(), |it| hex_or_text(it));
    let (expected, found) = (shown(&own), shown(&other));
    if expected == found {
        return whole();
    }
    Difference::new(What::Snapshot, format!("item {at}: {expected}"), format!("item {at}: {found}"))
}

/// The records of a data file, each under its namespace.
fn records((bytes, counts): &Content) -> Vec<(StateKey, Versioned)> {
    let mut namespaces =
        counts.iter().flat_map(|(name, count)| (0..*count).map(move |_| name.as_str()));
    let mut found = Vec::new();
    for bytes in items(bytes.clone()) {
        let record = SnapshotRecord::decode(bytes).unwrap_or_default();
        let namespace = namespaces.next().unwrap_or_default();
        let version = version(&record.version).unwrap_or(Version::new(u64::MAX, u64::MAX));
        let entry = Versioned { value: record.value, metadata: record.metadata, version };
        found.push((StateKey::composed(namespace, &record.key), entry));
    }
    found
}

/// A version in the form in which byte order is numeric order.
fn version(bytes: &[u8]) -> Option<Version> {
    let number = |bytes: &mut &[u8]| {
        let (length, rest) = bytes.split_first()?;
        let (digits, rest) = rest.split_at_checked(usize::from(*length).min(8))?;
        *bytes = rest;
        Some(digits.iter().fold(0, |number, digit| (number << 8) | u64::from(*digit)))
    };
    let mut rest = bytes;
    Some(Version::new(number(&mut rest)?, number(&mut rest)?))
}

fn record_difference(
    expected: Vec<(StateKey, Versioned)>,
    found: Vec<(StateKey, Versioned)>,
) -> Option<Difference> {
    type Record = (StateKey, Versioned);
    let list = |records: Vec<Record>| records.into_iter().map(Ok::<Record, ()>);
    let mut pairs = Merge::new(list(expected), list(found), |it: &Record| it.0.clone());
    let (key, by, expected, found) = pairs.find_map(|pair| {
        let shown = |key: &StateKey, it: &Versioned| {
            let metadata = match it.metadata.is_empty() {
                true => String::new(),
                false => format!(" with metadata {}", hex::encode(&it.metadata)),
            };
            format!("{}{metadata}", entry(it, key.namespace().contains("$$h")))
        };
        match pair.ok()? {
            Pair::Same(_) => None,
            Pair::Missing((key, it)) => {
                let expected = shown(&key, &it);
                Some((key, it.version, expected, "no record".to_owned()))
            }
            Pair::Extra((key, it)) => {
                let found = shown(&key, &it);
                Some((key, it.version, "no record".to_owned(), found))
            }
            Pair::Differs((key, own), (_, other)) => {
                let (expected, found) = (shown(&key, &own), shown(&key, &other));
                Some((key, own.version, expected, found))
            }
        }
    })?;
    let place = Place::new(key.namespace(), &key.key());
    let difference = Difference::new(What::Snapshot, expected, found).place(place);
    Some(difference.block(by.block).transaction(by.tx, None))
}
