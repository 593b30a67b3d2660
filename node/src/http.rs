//! HTTP/1.1 listeners: the operations endpoint, channel participation, consoles.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use tokio::task::JoinHandle;

pub use crate::server::Peer;
use crate::server::{Listener, Protocol};
use crate::tasks::Tasks;
use crate::tls::ServerTls;

/// A bound HTTP listener.
#[derive(Debug)]
pub struct Server {
    listener: Listener,
}

impl Server {
    /// Binds `host:port`; port 0 lets the operating system choose.
    ///
    /// # Errors
    /// When the address is taken or invalid.
    pub async fn bind(address: &str, tls: Option<ServerTls>) -> io::Result<Self> {
        Ok(Self { listener: Listener::bind(address, tls).await? })
    }

    /// The address that was bound.
    #[must_use]
    pub fn local_address(&self) -> SocketAddr {
        self.listener.local_address()
    }

    /// Serves `router` until `tasks` is cancelled; every request carries a [`Peer`] extension.
    pub fn serve(self, router: axum::Router, tasks: &Tasks) -> JoinHandle<()> {
        let group = tasks.clone();
        tasks.spawn("http listener", self.listener.serve(router, Protocol::Http1, group))
    }
}

/// The largest body [`send`] reads.
pub const ANSWER_BYTES_MAX: usize = crate::grpc::MAX_MESSAGE_BYTES;

/// Sends one request to `host:port` over a connection of its own and reads the whole answer;
/// `tls` as made by [`crate::tls::client_config`], plain text without.
///
/// # Errors
/// What the network, the handshake or HTTP said.
pub async fn send(
    address: &str,
    tls: Option<Arc<rustls::ClientConfig>>,
    request: http::Request<Bytes>,
) -> io::Result<http::Response<Bytes>> {
    match tls {
        Some(tls) => {
            exchange(crate::tls::connect(address, None, tls).await?, address, request).await
        }
        None => {
            let stream = tokio::net::TcpStream::connect(address).await?;
            exchange(stream, address, request).await
        }
    }
}

async fn exchange<I>(
    stream: I,
    address: &str,
    mut request: http::Request<Bytes>,
) -> io::Result<http::Response<Bytes>>
where
    I: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let host = http::HeaderValue::from_str(address).map_err(io::Error::other)?;
    request.headers_mut().insert(http::header::HOST, host);
    let stream = hyper_util::rt::TokioIo::new(stream);
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(stream).await.map_err(io::Error::other)?;
    let answer = async {
        let response = sender.send_request(request.map(Full::new)).await?;
        let (parts, body) = response.into_parts();
        let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
        drop(sender);
        Ok::<_, hyper::Error>((parts, body))
    };
    // The connection makes progress only while it is polled; it ends with the answer.
    let (answer, _) = futures::future::join(answer, connection).await;
    let (parts, body) = answer.map_err(io::Error::other)?;
    let body = body.map_err(io::Error::other)?.to_bytes();
    Ok(http::Response::from_parts(parts, body))
}
