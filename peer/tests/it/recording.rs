//! Ledgers recorded from a running Fabric network.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use prost::Message;
use proto::common::Block;
use proto::rwset::TxPvtReadWriteSet;

/// One recorded ledger.
pub struct Recording {
    dir: PathBuf,
    /// The blocks as the recorded peer had them, all slots filled.
    pub blocks: Vec<Block>,
}

/// One entry of the state.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    pub key: Vec<u8>,
    pub value: Vec<u8>,
    pub version: (u64, u64),
    pub metadata: Vec<u8>,
}

impl Recording {
    /// The recording called `name`.
    pub fn open(name: &str) -> Self {
        let vectors = concat!(env!("CARGO_MANIFEST_DIR"), "/../ledger/tests/vectors");
        let dir = PathBuf::from(vectors).join(name);
        let blocks: Vec<_> = (0..).map_while(|number| read_block(&dir, number)).collect();
        assert!(blocks.len() > 1, "there is a recording in {}", dir.display());
        Self { dir, blocks }
    }

    /// Whether the private data of the organization's peer was recorded.
    pub fn has_private(&self, org: &str) -> bool {
        self.dir.join(format!("private_{org}")).exists()
    }

    /// What a peer of `org` kept as private data of a transaction.
    pub fn private(&self, org: &str, block: u64, tx: usize) -> Option<TxPvtReadWriteSet> {
        let name = format!("private_{org}/block_{block:06}_tx_{tx:04}.pb");
        let bytes = fs::read(self.dir.join(name)).ok()?;
        Some(TxPvtReadWriteSet::decode(Bytes::from(bytes)).expect("private data decodes"))
    }

    /// The state of a peer of `org` after the last block, by namespace.
    pub fn state(&self, org: &str) -> Vec<(String, Vec<Entry>)> {
        let text = fs::read(self.dir.join(format!("state_{org}.json"))).expect("state is there");
        let state: serde_json::Value = serde_json::from_slice(&text).expect("state is JSON");
        let namespaces = state["namespaces"].as_object().expect("namespaces");
        namespaces
            .iter()
            .map(|(name, entries)| {
                let entries = entries.as_array().expect("entries");
                let mut entries: Vec<_> = entries.iter().map(entry).collect();
                entries.sort();
                (name.clone(), entries)
            })
            .collect()
    }
}

fn read_block(dir: &Path, number: u64) -> Option<Block> {
    let bytes = fs::read(dir.join(format!("blocks/block_{number:06}.pb"))).ok()?;
    Some(proto::block::parse(bytes.into()).expect("block parses"))
}

fn entry(json: &serde_json::Value) -> Entry {
    let bytes = |name: &str| {
        let text = json[name].as_str().unwrap_or_default();
        BASE64_STANDARD.decode(text).expect("base64")
    };
    let number = |index: usize| json["version"][index].as_u64().expect("version");
    Entry {
        key: bytes("key_b64"),
        value: bytes("value_b64"),
        version: (number(0), number(1)),
        metadata: bytes("metadata_b64"),
    }
}
