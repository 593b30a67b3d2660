//! What verification found.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::Difference;

/// How a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// Everything is as it should be.
    Held,
    /// Something is not.
    Differs,
    /// It was not made.
    Skipped,
}

/// One thing that was checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Its name.
    pub name: &'static str,
    /// How it went.
    pub outcome: Outcome,
    /// How much was checked, or why nothing.
    pub text: String,
}

impl Check {
    pub(crate) fn held(name: &'static str, text: impl Into<String>) -> Self {
        Self { name, outcome: Outcome::Held, text: text.into() }
    }

    pub(crate) fn skipped(name: &'static str, text: impl Into<String>) -> Self {
        Self { name, outcome: Outcome::Skipped, text: text.into() }
    }

    pub(crate) fn differs(name: &'static str, text: impl Into<String>) -> Self {
        Self { name, outcome: Outcome::Differs, text: text.into() }
    }
}

/// The result for one ledger.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The channel; empty if not even the first block could be read.
    pub channel: String,
    /// Number of the first block: not 0 if the ledger begins behind a snapshot.
    pub first: u64,
    /// Blocks that were found to be what they should be, from the first one on.
    pub blocks: u64,
    /// Transactions in them.
    pub transactions: u64,
    /// Their validation codes and how often each occurs.
    pub codes: BTreeMap<String, u64>,
    /// Blocks that changed the configuration, the first one included.
    pub configurations: u64,
    /// Signatures of orderers, over all blocks.
    pub orderer_signatures: u64,
    /// Hash of the first block. If it is block 0, it is the one thing that is believed.
    pub genesis_hash: String,
    /// Hash of the last block that was verified.
    pub last_hash: String,
    /// Commit hash of the last block that was verified.
    pub commit_hash: Option<String>,
    /// What was checked, in the order in which it was.
    pub checks: Vec<Check>,
    /// The first difference; nothing else was looked at behind it.
    pub difference: Option<Difference>,
    /// What the reader should know.
    pub notes: Vec<String>,
    /// How long it took.
    #[serde(serialize_with = "seconds")]
    pub seconds: Duration,
}

impl Report {
    /// Whether no difference was found.
    pub fn is_clean(&self) -> bool {
        self.difference.is_none()
    }
}

fn seconds<S: serde::Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(time.as_secs_f64())
}
