//! What a call comes to.

use bytes::Bytes;
use proto::peer::{Response, TxValidationCode};
use proto::rwset::TxPvtReadWriteSet;
use serde::de::DeserializeOwned;

/// Why a call has no result.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The contract answered with an error.
    #[error("{status}: {message}")]
    Contract {
        /// The response's status.
        status: i32,
        /// The response's message: `CODE: text` for the contract's own errors.
        message: String,
    },
    /// The contract did not answer: it panicked or met a limit.
    #[error(transparent)]
    Runtime(#[from] runtime::Error),
    /// The transaction was committed as invalid.
    #[error("transaction {tx_id} is invalid: {code:?}")]
    Invalid {
        /// Its id.
        tx_id: String,
        /// Why.
        code: TxValidationCode,
    },
}

impl CallError {
    /// The contract error's code; empty for others.
    pub fn code(&self) -> &str {
        match self {
            Self::Contract { message, .. } => {
                message.split_once(": ").map_or(message.as_str(), |(code, _)| code)
            }
            _ => "",
        }
    }

    /// The response's status; 0 if there was no response.
    pub fn status(&self) -> i32 {
        match self {
            Self::Contract { status, .. } => *status,
            _ => 0,
        }
    }
}

/// A function's result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply(pub Bytes);

impl Reply {
    /// The result as text.
    ///
    /// # Panics
    /// If it is not UTF-8.
    pub fn text(&self) -> String {
        String::from_utf8(self.0.to_vec()).expect("the result is text")
    }

    /// The result read from JSON.
    ///
    /// # Panics
    /// If it has another shape.
    pub fn json<T: DeserializeOwned>(&self) -> T {
        serde_json::from_slice(&self.0)
            .unwrap_or_else(|e| panic_at(&format!("result {:?}: {e}", self.0)))
    }
}

/// A transaction that was simulated and waits for its block.
#[derive(Clone, Debug)]
pub struct Endorsed {
    pub(crate) tx_id: String,
    pub(crate) chaincode: String,
    pub(crate) envelope: Bytes,
    pub(crate) private: Option<TxPvtReadWriteSet>,
    pub(crate) response: Response,
    pub(crate) event: Option<(String, Bytes)>,
}

impl Endorsed {
    /// The transaction's id.
    pub fn tx_id(&self) -> &str {
        &self.tx_id
    }

    /// What the function returned.
    pub fn reply(&self) -> Reply {
        Reply(self.response.payload.clone())
    }
}

/// A transaction in a block.
#[derive(Clone, Debug)]
pub struct Committed {
    /// Its id.
    pub tx_id: String,
    /// The block's number.
    pub block: u64,
    /// What the function returned.
    pub reply: Reply,
}

impl Committed {
    /// The result as text.
    ///
    /// # Panics
    /// If it is not UTF-8.
    pub fn text(&self) -> String {
        self.reply.text()
    }

    /// The result read from JSON.
    ///
    /// # Panics
    /// If it has another shape.
    pub fn json<T: DeserializeOwned>(&self) -> T {
        self.reply.json()
    }
}

/// An event of a valid transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The chaincode that set it.
    pub chaincode: String,
    /// Its name.
    pub name: String,
    /// Its payload.
    pub payload: Bytes,
    /// The transaction.
    pub tx_id: String,
    /// The block.
    pub block: u64,
}

impl Event {
    /// The payload read from JSON.
    ///
    /// # Panics
    /// If it has another shape.
    pub fn json<T: DeserializeOwned>(&self) -> T {
        Reply(self.payload.clone()).json()
    }
}

/// A test that goes wrong ends here.
#[track_caller]
#[expect(clippy::panic, reason = "this crate runs in tests")]
pub(crate) fn panic_at(text: &str) -> ! {
    panic!("{text}")
}
