//! The commit hash: a chain of hashes over validation codes and state changes, by which peers and
//! their operators see that they hold the same state.

use bytes::Bytes;
use prost::Message;
use prost::encoding::encode_varint;
use proto::txmgr;

use crate::mvcc::{Update, Updates};
use crate::state::StateKey;

/// The commit hash of block `number`. There is none for block 0, nor on a chain whose earlier
/// blocks have none.
pub(crate) fn next(
    number: u64,
    previous: Option<&Bytes>,
    codes: &[u8],
    updates: &Updates,
) -> Option<[u8; 32]> {
    let previous: &[u8] = match (number, previous) {
        (0, _) => return None,
        (1, None) => &[],
        (_, previous) => previous?,
    };
    let mut length = Vec::with_capacity(10);
    encode_varint(codes.len() as u64, &mut length);
    Some(proto::sha256_all([&length, codes, &update_bytes(updates), previous]))
}

/// Public writes and hashed private writes, grouped by namespace and collection. The names stand
/// on the first entry of their group only. The channel configuration is left out.
pub(crate) fn update_bytes(updates: &Updates) -> Vec<u8> {
    let mut group = (String::new(), String::new());
    let mut writes = Vec::new();
    for (key, update) in updates.iter() {
        let (namespace, collection) = split(key.namespace());
        if namespace.is_empty() {
            continue;
        }
        let mut write = write(key, update);
        if group.0 != namespace {
            group = (namespace.to_owned(), String::new());
            write.namespace = namespace.to_owned();
        }
        if group.1 != collection {
            collection.clone_into(&mut group.1);
            write.collection = collection.to_owned();
        }
        writes.push(write);
    }
    txmgr::Updates { kvwrites: writes }.encode_to_vec()
}

/// A composed namespace as chaincode and collection.
fn split(namespace: &str) -> (&str, &str) {
    namespace.split_once("$$h").unwrap_or((namespace, ""))
}

fn write(key: &StateKey, update: &Update) -> txmgr::KvWrite {
    txmgr::KvWrite {
        key: key.key(),
        is_delete: update.value.is_none(),
        value: update.value.clone().unwrap_or_default(),
        version_bytes: update.version.to_ordered_bytes().into(),
        ..Default::default()
    }
}
