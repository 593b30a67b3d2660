//! How private data stands in its log.

use std::collections::BTreeSet;

use bytes::Bytes;
use prost::Message;
use proto::kvrwset::KvrwSet;

/// Names one collection written by one transaction of the chain.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Id {
    pub(crate) block: u64,
    pub(crate) tx: u32,
    pub(crate) namespace: String,
    pub(crate) collection: String,
}

impl Id {
    /// Block, transaction, namespace, NUL, collection.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let block = self.block.to_be_bytes();
        let tx = self.tx.to_be_bytes();
        let parts: [&[u8]; 5] =
            [&block, &tx, self.namespace.as_bytes(), b"\0", self.collection.as_bytes()];
        parts.concat()
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (block, rest) = bytes.split_first_chunk::<8>()?;
        let (tx, rest) = rest.split_first_chunk::<4>()?;
        let (namespace, collection) = std::str::from_utf8(rest).ok()?.split_once('\0')?;
        Some(Self {
            block: u64::from_be_bytes(*block),
            tx: u32::from_be_bytes(*tx),
            namespace: namespace.to_owned(),
            collection: collection.to_owned(),
        })
    }
}

/// One record of the log; its number is that of the block.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Stored {
    #[prost(uint32, tag = "1")]
    pub(crate) tx: u32,
    #[prost(string, tag = "2")]
    pub(crate) namespace: String,
    #[prost(string, tag = "3")]
    pub(crate) collection: String,
    /// The encoded write set.
    #[prost(bytes = "bytes", tag = "4")]
    pub(crate) rwset: Bytes,
    /// Whether the data is missing here.
    #[prost(bool, tag = "5")]
    pub(crate) missing: bool,
}

impl Stored {
    pub(crate) fn of(id: &Id, rwset: Option<Bytes>) -> Self {
        Self {
            tx: id.tx,
            namespace: id.namespace.clone(),
            collection: id.collection.clone(),
            missing: rwset.is_none(),
            rwset: rwset.unwrap_or_default(),
        }
    }

    pub(crate) fn id(&self, block: u64) -> Id {
        let (namespace, collection) = (self.namespace.clone(), self.collection.clone());
        Id { block, tx: self.tx, namespace, collection }
    }
}

/// Hashes of the keys in a write set. Bytes that do not decode have none.
pub(crate) fn key_hashes(rwset: &Bytes) -> Vec<[u8; 32]> {
    let set = KvrwSet::decode(rwset.clone()).unwrap_or_default();
    set.writes.iter().map(|write| proto::sha256(write.key.as_bytes())).collect()
}

/// The write set without the keys whose hash is `gone`; the very same bytes if there are none.
pub(crate) fn without<E>(
    rwset: &Bytes,
    gone: impl Fn(&[u8]) -> Result<bool, E>,
) -> Result<Bytes, E> {
    let mut set = KvrwSet::decode(rwset.clone()).unwrap_or_default();
    let mut keys = BTreeSet::new();
    let written = set.writes.iter().map(|it| &it.key);
    for key in written.chain(set.metadata_writes.iter().map(|it| &it.key)) {
        if gone(&proto::sha256(key.as_bytes()))? {
            keys.insert(key.clone());
        }
    }
    if keys.is_empty() {
        return Ok(rwset.clone());
    }
    set.writes.retain(|write| !keys.contains(&write.key));
    set.metadata_writes.retain(|write| !keys.contains(&write.key));
    Ok(set.encode_to_vec().into())
}
