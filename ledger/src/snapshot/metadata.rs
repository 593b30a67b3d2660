//! The metadata files of a snapshot that somebody else may have written.

use std::fs;
use std::path::Path;

use serde::de::DeserializeOwned;

use super::Error;
use super::format::{
    CONFIG_HISTORY, PRIVATE_HASHES, PUBLIC_STATE, STATE_DBS, SnapshotMetadata, TX_IDS, data,
    metadata,
};
use crate::channel_id;

/// Bytes a metadata file may have. It names ten files at most.
const METADATA_BYTES_MAX: u64 = 1 << 16;

/// Reads a metadata file.
pub(super) fn json<T: DeserializeOwned>(path: &Path) -> Result<(Vec<u8>, T), Error> {
    let length = fs::metadata(path).map_err(Error::io("open", path))?.len();
    if length > METADATA_BYTES_MAX {
        return Err(Error::metadata(path, format!("{length} bytes are too many")));
    }
    let bytes = fs::read(path).map_err(Error::io("read", path))?;
    let value = serde_json::from_slice(&bytes);
    let value = value.map_err(|error| Error::metadata(path, error.to_string()))?;
    Ok((bytes, value))
}

/// Checks what does not depend on the data files.
pub(super) fn check(path: &Path, found: &SnapshotMetadata) -> Result<(), Error> {
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

/// Parses a hash in hex.
pub(super) fn hash(path: &Path, field: &str, text: &str) -> Result<[u8; 32], Error> {
    let mut hash = [0; 32];
    match hex::decode_to_slice(text, &mut hash) {
        Ok(()) => Ok(hash),
        Err(_) => Err(Error::metadata(path, format!("{field} {text:?} is no hash"))),
    }
}
