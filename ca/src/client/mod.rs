//! Talking to an authority: makes keys and requests here, sends the requests, writes folders.

mod calls;
mod credential;

use msp::{SignerError, certificate, directory, keys, request};
use node::grpc::ConnectError;
use tonic::Status;

use crate::token;

pub use self::calls::Client;
pub use self::credential::{Credential, TlsRole, Wish, definition};

/// Why a call gave no result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The authority cannot be reached.
    #[error("reach the certificate authority")]
    Connect(#[from] ConnectError),
    /// The authority refused.
    #[error("certificate authority: {}", .0.message())]
    Refused(Box<Status>),
    /// No key or signature could be made.
    #[error("make a key")]
    Key(#[from] keys::Error),
    /// The request for a certificate could not be made.
    #[error("make a certificate request")]
    Request(#[from] request::Error),
    /// The token could not be made.
    #[error("make a token")]
    Token(#[from] token::Error),
    /// The answer holds no proper certificate.
    #[error("certificate from the authority")]
    Certificate(#[from] certificate::Error),
    /// The certificate is for another key.
    #[error("the certificate is for another key")]
    OtherKey,
    /// Certificate and key make no signing identity.
    #[error("signing identity")]
    Signer(#[from] SignerError),
    /// A folder cannot be written.
    #[error("write folder")]
    Directory(#[from] directory::Error),
}

impl From<Status> for Error {
    fn from(status: Status) -> Self {
        Self::Refused(Box::new(status))
    }
}
