//! gRPC over our own TLS: listeners and channels with Fabric's sizes and keepalive settings.
//!
//! Services set the message limits themselves, since tonic keeps them per service:
//! `.max_decoding_message_size(MAX_MESSAGE_BYTES).max_encoding_message_size(MAX_MESSAGE_BYTES)`
//! on servers and on clients.

mod client;
mod guard;
mod server;

use bytes::Bytes;

pub use client::{ConnectError, Dial, connect, connect_lazy};
pub use guard::Deadline;
pub use server::Server;

/// The largest message in either direction, as in Fabric.
pub const MAX_MESSAGE_BYTES: usize = 100 * 1024 * 1024;

/// The client certificate of a connection, as a request extension.
#[derive(Clone, Debug)]
pub struct ClientCertificate(pub Option<Bytes>);

impl ClientCertificate {
    /// The DER of the certificate the caller presented, if any.
    #[must_use]
    pub fn of<T>(request: &tonic::Request<T>) -> Option<Bytes> {
        request.extensions().get::<Self>().and_then(|certificate| certificate.0.clone())
    }

    /// SHA-256 of the caller's certificate, if it presented one.
    #[must_use]
    pub fn hash_of<T>(request: &tonic::Request<T>) -> Option<[u8; 32]> {
        Self::of(request).map(|der| crate::tls::certificate_hash(&der))
    }
}
