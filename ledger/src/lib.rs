//! What a node holds of a channel: blocks, state, history and private data.
//!
//! The chain of blocks ([`block_store`]) is the truth. State, history and indexes are derived from
//! it and can be rebuilt at any time; clear private data, which is not in blocks, has its own
//! durable log. [`Simulator`] records what a chaincode reads and writes on a consistent [`View`];
//! [`Ledger::commit`] decides which of a block's transactions still hold ([`mvcc`]) and applies
//! them.
//!
//! The ledger knows no network, no identity and no policy: who may read or write is decided by its
//! callers. It is synchronous; callers with an async runtime move its calls off their executors.

#![forbid(unsafe_code)]

mod segments;

mod admin;
pub mod block_store;
mod channel_id;
mod commit_hash;
mod config;
mod config_history;
mod database;
mod error;
pub mod failpoint;
mod history;
mod ledger;
mod manager;
pub mod mvcc;
pub mod offline;
mod past;
pub mod private_data;
pub mod rwset;
pub mod simulator;
pub mod snapshot;
pub mod state;
mod times;
mod transaction;
mod transient;
mod version;
mod view;

pub use admin::OnProgress;
pub use block_store::BlockStore;
pub use config::Config;
pub use config_history::CollectionConfigAt;
pub use database::DatabaseError;
pub use error::{Error, remedy};
pub use history::{Modification, Position};
pub use ledger::{Committed, Ledger};
pub use manager::Ledgers;
pub use past::{Change, Filter};
pub use private_data::{Missing, PrivateWriteSets};
pub use segments::{Error as SegmentsError, Torn};
pub use simulator::{Simulation, Simulator};
pub use snapshot::{Snapshot, SnapshotMetadata};
pub use times::{Clock, Times};
pub use transaction::{Content, Decoded, TransactionRecord};
pub use transient::{TransientEntry, TransientStore};
pub use version::{VALIDATION_PARAMETER, Version, Versioned};
pub use view::View;
