//! The history of keys: which transactions wrote them.
//!
//! The index holds positions only; values are read back from the blocks.

use bytes::Bytes;
use prost::encoding::{decode_varint, encode_varint};
use proto::block;
use proto::common::Block;
use proto::envelope::Envelope;

use crate::block_store::BlockStore;
use crate::database::{self, Batch, Database, Tree};
use crate::rwset::{self, TxRwSet};
use crate::state::StateKey;
use crate::transaction::Parsed;
use crate::{DatabaseError, Error};

/// A transaction in the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Number of the block.
    pub block: u64,
    /// Position in the block.
    pub tx: u32,
}

/// One write in the history of a key.
#[derive(Debug, Clone, PartialEq)]
pub struct Modification {
    /// Where it was written; continue a listing after it.
    pub position: Position,
    /// Id of the transaction.
    pub tx_id: String,
    /// The value written; empty if deleted.
    pub value: Bytes,
    /// The time the transaction's creator gave it.
    pub timestamp: Option<prost_types::Timestamp>,
    /// Whether the key was deleted.
    pub is_delete: bool,
}

/// Key of the savepoint. The key of an entry begins with the length of the state key.
const SAVEPOINT: &[u8] = b"";

#[derive(Debug, Clone)]
pub(crate) struct History {
    tree: Tree,
}

impl History {
    pub(crate) fn open(db: &Database) -> Result<Self, DatabaseError> {
        Ok(Self { tree: db.tree(&database::HISTORY)? })
    }

    /// The newest block in the index.
    pub(crate) fn savepoint(&self) -> Result<Option<u64>, DatabaseError> {
        let found = self.tree.get(SAVEPOINT)?;
        let number =
            found.and_then(|bytes| Some(u64::from_be_bytes(bytes.as_ref().try_into().ok()?)));
        Ok(number)
    }

    /// Adds the public writes of a block's valid transactions.
    pub(crate) fn apply(&self, number: u64, transactions: &[Parsed]) -> Result<(), DatabaseError> {
        let mut batch = Batch::default();
        for (tx, parsed) in (0u32..).zip(transactions) {
            for set in parsed.endorsed().into_iter().flat_map(|set| &set.namespaces) {
                for write in &set.public.writes {
                    let mut key = prefix(&set.namespace, &write.key);
                    push(&mut key, Position { block: number, tx });
                    batch.insert_new(key, []);
                }
            }
        }
        batch.insert(SAVEPOINT, number.to_be_bytes());
        self.tree.apply_batch(batch)
    }

    pub(crate) fn clear(&self) -> Result<(), DatabaseError> {
        self.tree.clear()
    }

    /// All entries in the order of the index: the bytes of that order, the key, the position.
    pub(crate) fn entries(
        &self,
    ) -> impl Iterator<Item = Result<(Vec<u8>, StateKey, Position), Error>> + use<> {
        let damaged = || Error::DamagedIndex("history");
        let keys = self.tree.iter().keys();
        keys.filter(|key| !matches!(key, Ok(key) if key.is_empty())).map(move |key| {
            let key = key.map_err(|_| damaged())?;
            let (state_key, at) = split(&key).ok_or_else(damaged)?;
            Ok((key.to_vec(), state_key, at))
        })
    }

    /// Positions of the writes of a key, newest first, older than `before`.
    fn positions(
        &self,
        namespace: &str,
        key: &str,
        before: Position,
    ) -> impl Iterator<Item = Result<Position, Error>> + use<> {
        let start = prefix(namespace, key);
        let length = start.len();
        let mut end = start.clone();
        push(&mut end, before);
        self.tree.range(start..end).keys().rev().map(move |found| {
            let found = found.map_err(|source| Error::Database { name: "history", source })?;
            found.get(length..).and_then(position).ok_or(Error::DamagedIndex("history"))
        })
    }

    /// Writes of a key, newest first: at most `limit`, older than `before`.
    pub(crate) fn list(
        &self,
        blocks: &BlockStore,
        namespace: &str,
        key: &str,
        before: Position,
        limit: usize,
    ) -> Result<Vec<Modification>, Error> {
        let mut found = Vec::new();
        let mut block: Option<Block> = None;
        for position in self.positions(namespace, key, before).take(limit) {
            let position = position?;
            if block.as_ref().is_none_or(|it| block::number(it) != position.block) {
                block = blocks.block(position.block)?;
            }
            let envelopes = block.as_ref().map(block::envelopes).unwrap_or_default();
            let envelope = envelopes.get(position.tx as usize);
            let modification =
                envelope.and_then(|envelope| modification(envelope, namespace, key, position));
            found.push(modification.ok_or(Error::DamagedIndex("history"))?);
        }
        Ok(found)
    }
}

fn prefix(namespace: &str, key: &str) -> Vec<u8> {
    let key = StateKey::public(namespace, key);
    let mut out = Vec::with_capacity(key.as_bytes().len() + 16);
    encode_varint(key.as_bytes().len() as u64, &mut out);
    out.extend_from_slice(key.as_bytes());
    out
}

fn push(key: &mut Vec<u8>, position: Position) {
    key.extend_from_slice(&position.block.to_be_bytes());
    key.extend_from_slice(&position.tx.to_be_bytes());
}

/// The state key and the position in a key of the index.
fn split(key: &[u8]) -> Option<(StateKey, Position)> {
    let mut rest = key;
    let length = usize::try_from(decode_varint(&mut rest).ok()?).ok()?;
    let (state_key, at) = rest.split_at_checked(length)?;
    Some((StateKey::from_bytes(state_key), position(at)?))
}

fn position(bytes: &[u8]) -> Option<Position> {
    let (block, tx) = bytes.split_first_chunk::<8>()?;
    let tx = u32::from_be_bytes(tx.try_into().ok()?);
    Some(Position { block: u64::from_be_bytes(*block), tx })
}

fn modification(
    envelope: &Bytes,
    namespace: &str,
    key: &str,
    position: Position,
) -> Option<Modification> {
    let envelope = Envelope::parse(envelope.clone()).ok()?;
    let action = proto::transaction::Action::parse(envelope.data).ok()?;
    let set = TxRwSet::decode(action.chaincode_action().ok()?.results).ok()?;
    let mut writes = set.namespaces.iter().filter(|set| set.namespace == namespace);
    let write = writes.find_map(|set| set.public.writes.iter().find(|write| write.key == key))?;
    Some(Modification {
        position,
        tx_id: envelope.channel_header.tx_id,
        value: write.value.clone(),
        timestamp: envelope.channel_header.timestamp,
        is_delete: rwset::is_delete(write),
    })
}
