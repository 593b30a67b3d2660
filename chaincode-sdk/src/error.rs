//! The one error type of transactions.

use std::fmt;

/// A transaction's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a transaction failed: a stable code for programs, a text for people.
///
/// The client receives `CODE: text` with the status. Derive `ContractError` for an enum of your
/// own errors; they convert into this with `?` or `.into()`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    code: &'static str,
    message: String,
    status: i32,
}

impl Error {
    /// A record that should be there is not.
    pub const NOT_FOUND: &'static str = "NOT_FOUND";
    /// A record that should not be there is.
    pub const ALREADY_EXISTS: &'static str = "ALREADY_EXISTS";
    /// A stored value is not what its type says.
    pub const CORRUPT: &'static str = "CORRUPT";
    /// An argument cannot be used.
    pub const INVALID_ARGUMENT: &'static str = "INVALID_ARGUMENT";
    /// The caller may not do this.
    pub const FORBIDDEN: &'static str = "FORBIDDEN";

    /// An error with status 500, as Fabric's contract API gives every error.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), status: 500 }
    }

    /// The same error with another status. Statuses from 400 to 499 are refused by the peer
    /// before endorsement, exactly like those from 500 on.
    #[must_use]
    pub fn with_status(mut self, status: i32) -> Self {
        self.status = status;
        self
    }

    /// A text without a code: what the host or the dispatcher says.
    pub(crate) fn plain(message: impl Into<String>) -> Self {
        Self::new("", message)
    }

    /// The code; empty when the host refused.
    pub fn code(&self) -> &str {
        self.code
    }

    /// The text without the code.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The status of the response.
    pub fn status(&self) -> i32 {
        self.status
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.code.is_empty() {
            write!(f, "{}: ", self.code)?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

/// Refusals of the host.
impl From<String> for Error {
    fn from(message: String) -> Self {
        Self::plain(message)
    }
}
