//! The connection loop under gRPC and HTTP listeners: accept, limit, handshake, serve, drain.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::Service;

use crate::tasks::Tasks;
use crate::tls::ServerTls;

/// A handshake that takes longer is cut off.
pub(crate) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// Connections one listener serves at a time, unless configured otherwise.
pub(crate) const CONNECTIONS_MAX: usize = 10_000;

/// What a listener speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}

/// Who is on the other end; an extension of every request.
#[derive(Clone, Debug)]
pub struct Peer {
    /// The remote address.
    pub address: SocketAddr,
    /// The DER of the client's leaf certificate, if it presented one.
    pub certificate: Option<Bytes>,
}

/// A bound listener.
#[derive(Debug)]
pub(crate) struct Listener {
    listener: TcpListener,
    local: SocketAddr,
    tls: Option<ServerTls>,
    pub(crate) connections_max: usize,
}

impl Listener {
    pub(crate) async fn bind(address: &str, tls: Option<ServerTls>) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await.map_err(|error| {
            io::Error::new(error.kind(), format!("listen on {address}: {error}"))
        })?;
        let local = listener.local_addr()?;
        Ok(Self { listener, local, tls, connections_max: CONNECTIONS_MAX })
    }

    pub(crate) fn local_address(&self) -> SocketAddr {
        self.local
    }

    /// Serves until `tasks` is cancelled, then lets requests in flight finish.
    pub(crate) async fn serve<S, B>(self, service: S, protocol: Protocol, tasks: Tasks)
    where
        S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>
            + Clone
            + Send
            + 'static,
        S::Future: Send,
        B: hyper::body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let limit = Arc::new(Semaphore::new(self.connections_max));
        let acceptor = self
            .tls
            .as_ref()
            .map(|tls| tls.acceptor(if protocol == Protocol::Http2 { b"h2" } else { b"http/1.1" }));
        let cancelled = tasks.cancelled();
        tokio::pin!(cancelled);
        loop {
            let accepted = tokio::select! {
                () = &mut cancelled => return,
                accepted = accept(&self.listener, &limit) => accepted,
            };
            let (stream, address, permit) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of descriptors and the like: wait for connections to end.
                    tracing::warn!(%error, "accept");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            let (acceptor, service, child) = (acceptor.clone(), service.clone(), tasks.clone());
            tasks.spawn("connection", async move {
                let _permit = permit;
                match acceptor {
                    None => {
                        let peer = Peer { address, certificate: None };
                        drive(stream, peer, service, protocol, child).await;
                    }
                    Some(acceptor) => {
                        let Some((stream, peer)) = handshake(&acceptor, stream, address).await
                        else {
                            return;
                        };
                        drive(stream, peer, service, protocol, child).await;
                    }
                }
            });
        }
    }
}

async fn accept(
    listener: &TcpListener,
    limit: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let permit = Arc::clone(limit).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, address) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok((stream, address, permit))
}

async fn handshake(
    acceptor: &tokio_rustls::TlsAcceptor,
    stream: TcpStream,
    address: SocketAddr,
) -> Option<(tokio_rustls::server::TlsStream<TcpStream>, Peer)> {
    match tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => {
            let chain = stream.get_ref().1.peer_certificates();
            let leaf = chain.and_then(<[_]>::first);
            let certificate = leaf.map(|der| Bytes::copy_from_slice(der));
            Some((stream, Peer { address, certificate }))
        }
        Ok(Err(error)) => {
            tracing::info!(%address, %error, "TLS handshake failed");
            None
        }
        Err(_) => {
            tracing::info!(%address, "TLS handshake timed out");
            None
        }
    }
}

async fn drive<I, S, B>(stream: I, peer: Peer, service: S, protocol: Protocol, tasks: Tasks)
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
    B: hyper::body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let address = peer.address;
    let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer.clone());
        service.clone().call(request)
    });
    let builder = builder(protocol);
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let cancelled = tasks.cancelled();
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = cancelled => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%address, %error, "connection ended");
    }
}

fn builder(protocol: Protocol) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    if protocol == Protocol::Http1 {
        let mut builder = builder.http1_only();
        builder.http1().timer(TokioTimer::new()).header_read_timeout(Duration::from_secs(30));
        return builder;
    }
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Duration::from_secs(2 * 60 * 60))
        .keep_alive_timeout(Duration::from_secs(20))
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(1 << 24)
        .max_concurrent_streams(4096)
        .max_header_list_size(64 * 1024);
    builder.http2_only()
}
