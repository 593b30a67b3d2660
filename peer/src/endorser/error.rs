//! Why a proposal gets no answer at all. Texts are Fabric's.

use tonic::Status;

use crate::causes::in_one_line;
use crate::system::Denied;

/// Why a proposal gets no answer at all, only an error of the call.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// As many proposals as allowed are worked on already.
    #[error("too many requests for /protos.Endorser, exceeding concurrency limit ({0})")]
    Busy(usize),
    /// The proposal cannot be read.
    #[error("{0}")]
    Malformed(#[from] proto::envelope::Error),
    /// The client's certificate has expired.
    #[error("proposal client identity expired")]
    Expired,
    /// The client's clock differs too much.
    #[error("request unauthorized due to incorrect timestamp {client}, peer time is {peer}")]
    Clock {
        /// Seconds since 1970, as the client wrote.
        client: i64,
        /// Seconds since 1970, here.
        peer: i64,
    },
    /// The proposal is not what its creator could have signed.
    #[error("error validating proposal: {0}")]
    Invalid(String),
    /// A transaction with the same id is on the ledger.
    #[error("duplicate transaction found [{tx_id}]. Creator [{creator}]")]
    Duplicate {
        /// The transaction's id.
        tx_id: String,
        /// The creator's bytes, in hex.
        creator: String,
    },
    /// The creator may not propose on this channel.
    #[error("{0}")]
    Denied(#[from] Denied),
    /// The ledger failed.
    #[error("ledger")]
    Ledger(#[from] ledger::Error),
    /// The endorsement could not be signed.
    #[error("sign endorsement")]
    Sign(#[from] msp::Error),
    /// The channel is not served now.
    #[error("{0}")]
    Unavailable(String),
    /// The proposal met a defect of this peer.
    #[error("proposal processing failed on this peer")]
    Panicked,
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        match error {
            Error::Unavailable(text) => Self::unavailable(text),
            error => Self::unknown(in_one_line(&error)),
        }
    }
}
