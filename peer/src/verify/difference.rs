//! Where a ledger differs from what it should be, and how.

use std::fmt;

use bytes::Bytes;
use serde::Serialize;

use super::describe::{hex_or_text, text};

/// What differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum What {
    /// A file is damaged.
    File,
    /// A block is not there.
    MissingBlock,
    /// The number in a block's header.
    BlockNumber,
    /// The first block.
    Genesis,
    /// The hash of the block before.
    PreviousHash,
    /// The hash of a block's transactions.
    DataHash,
    /// The form of a block.
    Form,
    /// The signatures of orderers.
    OrdererSignatures,
    /// A configuration that may not follow the one before.
    Configuration,
    /// Which block holds the configuration in force.
    LastConfig,
    /// How many validation codes there are.
    CodeCount,
    /// The validation code of a transaction.
    ValidationCode,
    /// The commit hash of a block.
    CommitHash,
    /// A key of the state that is not there.
    MissingKey,
    /// A key of the state that should not be there.
    ExtraKey,
    /// The value of a key.
    Value,
    /// The version of a key.
    Version,
    /// The metadata of a key.
    Metadata,
    /// What is noted of collections and of private data that expires.
    Notes,
    /// A clear private write set.
    PrivateData,
    /// The history of a key.
    History,
    /// The index of transaction ids.
    TransactionIndex,
    /// The index of blocks.
    BlockIndex,
    /// A database that cannot be read.
    Database,
    /// A file of a snapshot.
    Snapshot,
}

impl What {
    /// What differs, in words.
    pub fn text(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::MissingBlock => "missing block",
            Self::BlockNumber => "block number",
            Self::Genesis => "genesis block",
            Self::PreviousHash => "previous hash",
            Self::DataHash => "data hash",
            Self::Form => "form of the block",
            Self::OrdererSignatures => "orderer signatures",
            Self::Configuration => "configuration",
            Self::LastConfig => "last config block",
            Self::CodeCount => "number of validation codes",
            Self::ValidationCode => "validation code",
            Self::CommitHash => "commit hash",
            Self::MissingKey => "missing key",
            Self::ExtraKey => "extra key",
            Self::Value => "value",
            Self::Version => "version",
            Self::Metadata => "metadata",
            Self::Notes => "notes on collections",
            Self::PrivateData => "private data",
            Self::History => "history",
            Self::TransactionIndex => "transaction index",
            Self::BlockIndex => "block index",
            Self::Database => "database",
            Self::Snapshot => "snapshot",
        }
    }
}

/// A transaction of a block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Transaction {
    /// Position in the block.
    pub index: u64,
    /// Its id, if it has one.
    pub id: Option<String>,
}

/// A key of the state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The namespace: a chaincode's name.
    pub namespace: String,
    /// The private collection.
    pub collection: Option<String>,
    /// The key as text, or its hash or bytes in hex.
    pub key: String,
}

impl Place {
    /// A key of a composed namespace such as `cc` or `cc$$hcollection`.
    pub(crate) fn new(composed: &str, key: &Bytes) -> Self {
        let (namespace, collection) = match composed.split_once("$$") {
            Some((namespace, rest)) => (namespace, rest.get(1..).map(str::to_owned)),
            None => (composed, None),
        };
        let hashed = composed.contains("$$h");
        let key = if hashed { hex::encode(key) } else { hex_or_text(key) };
        Self { namespace: namespace.to_owned(), collection, key }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.collection {
            Some(collection) => {
                write!(f, "namespace {}, collection {collection}", text(&self.namespace))?;
            }
            None => write!(f, "namespace {}", text(&self.namespace))?,
        }
        write!(f, ", key {}", self.key)
    }
}

/// The first difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// What differs.
    pub what: What,
    /// The block. Of a key, the one that last wrote it.
    pub block: Option<u64>,
    /// The transaction. Of a key, the one that last wrote it.
    pub transaction: Option<Transaction>,
    /// The key.
    #[serde(flatten)]
    pub place: Option<Place>,
    /// The file.
    pub file: Option<String>,
    /// What follows from the blocks.
    pub expected: String,
    /// What the ledger holds.
    pub found: String,
    /// What to do about it.
    pub remedy: String,
}

impl Difference {
    /// A difference of unknown place.
    pub fn new(what: What, expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self {
            what,
            block: None,
            transaction: None,
            place: None,
            file: None,
            expected: expected.into(),
            found: found.into(),
            remedy: String::new(),
        }
    }

    pub(crate) fn block(mut self, number: u64) -> Self {
        self.block = Some(number);
        self
    }

    pub(crate) fn transaction(mut self, index: u64, id: Option<String>) -> Self {
        self.transaction = Some(Transaction { index, id });
        self
    }

    pub(crate) fn place(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    pub(crate) fn file(mut self, file: impl Into<String>) -> Self {
        self.file = Some(file.into());
        self
    }

    /// Where it is: block, transaction, key, file, as far as known.
    pub fn location(&self) -> String {
        let mut parts = Vec::new();
        parts.extend(self.block.map(|number| format!("block {number}")));
        if let Some(Transaction { index, id }) = &self.transaction {
            let id = id.as_ref().map(|id| format!(" (id {id})")).unwrap_or_default();
            parts.push(format!("transaction {index}{id}"));
        }
        parts.extend(self.place.as_ref().map(Place::to_string));
        parts.extend(self.file.clone());
        parts.join(", ")
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, expected, found, .. } = self;
        write!(f, "{}, {}: expected {expected}, found {found}", self.location(), what.text())
    }
}
