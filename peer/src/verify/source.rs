//! What is verified: blocks, and what was recorded beside them.

use std::path::PathBuf;

use bytes::Bytes;
use ledger::{Ledger, PrivateWriteSets};

use super::{Check, Difference, Error, What};

/// One block as it was found.
#[derive(Debug, Clone, Default)]
pub struct Item {
    /// The encoded block.
    pub bytes: Bytes,
    /// Its number, as far as its place tells.
    pub number: Option<u64>,
    /// Where it was found.
    pub origin: String,
    /// The private data that is known to go with it.
    pub private: PrivateWriteSets,
}

/// Why there is no next block.
#[derive(Debug)]
pub enum Fault {
    /// What is there is damaged.
    Damaged {
        /// The file.
        file: PathBuf,
        /// Where the damage is.
        offset: u64,
        /// What is wrong.
        reason: String,
    },
    /// It cannot be read.
    Unreadable(Error),
}

impl Fault {
    /// What cannot be read is an error, what is damaged a difference.
    pub(crate) fn difference(self) -> Result<Difference, Error> {
        match self {
            Self::Damaged { file, offset, reason } => {
                let place = format!("{} at offset {offset}", file.display());
                Ok(Difference::new(What::File, "an intact record", reason).file(place))
            }
            Self::Unreadable(error) => Err(error),
        }
    }
}

/// Blocks in their order, without end if it is nowhere.
pub trait Source: Send {
    /// The next block; nothing at the end.
    fn next(&mut self) -> Result<Option<Item>, Fault>;

    /// After the end: what the reader of a report should know.
    fn notes(&self) -> Vec<String>;

    /// What to do about a difference.
    fn remedy(&self, difference: &Difference) -> String;
}

/// When something can be compared with the replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// After this block.
    Block(u64),
    /// After the last block.
    End,
}

/// What came of a comparison.
#[derive(Debug, Default)]
pub struct Findings {
    /// What was checked.
    pub checks: Vec<Check>,
    /// The first difference.
    pub difference: Option<Difference>,
    /// What the reader of a report should know.
    pub notes: Vec<String>,
}

impl Findings {
    /// Nothing but a check that held.
    pub(crate) fn held(name: &'static str, text: impl Into<String>) -> Self {
        Self { checks: vec![Check::held(name, text)], ..Self::default() }
    }

    /// Nothing but a check that was not made.
    pub(crate) fn skipped(name: &'static str, text: impl Into<String>) -> Self {
        Self { checks: vec![Check::skipped(name, text)], ..Self::default() }
    }

    /// Nothing but a difference.
    pub(crate) fn differs(
        name: &'static str,
        text: impl Into<String>,
        difference: Difference,
    ) -> Self {
        let checks = vec![Check::differs(name, text)];
        Self { checks, difference: Some(difference), notes: Vec::new() }
    }
}

/// Something that was recorded beside the blocks.
pub trait Recorded: Send {
    /// What it is, in a word or two.
    fn name(&self) -> &'static str;

    /// When it is to be compared.
    fn at(&self) -> At;

    /// Compares it with the replayed ledger, which is where [`at`](Self::at) says.
    fn compare(&mut self, replayed: &Ledger) -> Result<Findings, Error>;
}
