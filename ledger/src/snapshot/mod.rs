//! Ledger snapshots: the state of a channel in files that other peers can begin from.
//!
//! The files are Fabric's, byte for byte (`format`, `files`), so their hashes can be compared
//! between peers of any kind. A snapshot is written from a view of the state while commits go on
//! (`write`, `export`), also of a block that has been passed (`replay`). Reading one trusts nothing
//! but the hashes (`read`): every length, count, order and version is checked. A ledger that begins
//! from a snapshot (`join`) keeps it as its base: whenever state or indexes are rebuilt, they are
//! filled from there again (`import`).

mod error;
mod export;
mod files;
mod format;
mod import;
mod join;
mod metadata;
mod read;
mod replay;
mod verify;
mod write;

pub use error::Error;
pub use export::Export;
pub use format::{SnapshotConfig, SnapshotMetadata};
pub use join::Joining;
pub use read::Snapshot;
pub use verify::Contents;

pub(crate) use export::Exports;
pub(crate) use import::{import_state, record_missing};
pub(crate) use join::{BASE, base, remove_unfinished};
