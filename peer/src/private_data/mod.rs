//! Clear private data on its way from endorsement to commit.
//!
//! What an endorsement of this peer produced waits in the transient store of the ledger. When its
//! transaction arrives in a block, [`gather`] picks the write sets that match the hashes agreed on.
//! What is not there is recorded as missing; whether it is there never matters for the verdict.

mod gather;
mod membership;
mod visible;

pub use gather::{Error, gather};
pub use membership::{Member, is_member};
pub(crate) use visible::{endorsed, of_collection, visible};
