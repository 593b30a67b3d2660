//! The dialing side of gRPC.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http::Uri;
use hyper_util::rt::TokioIo;
use rustls_pki_types::CertificateDer;
use tonic::transport::{Channel, Endpoint};

use crate::tls::{self, ClientTls};

/// Why no channel came about.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The address is not `host:port`.
    #[error("`{0}` is not an address of the form host:port")]
    Address(String),
    /// Roots or client certificate are unusable.
    #[error("TLS for {address}")]
    Tls {
        /// The address to be dialed.
        address: String,
        /// What is wrong.
        #[source]
        source: tls::Error,
    },
    /// The server could not be reached or did not prove who it is.
    #[error("connect to {address}: {reason}")]
    Connect {
        /// The address dialed.
        address: String,
        /// The chain of causes.
        reason: String,
    },
    /// No connection within the time allowed.
    #[error("connect to {address}: no answer within {timeout:?}")]
    Timeout {
        /// The address dialed.
        address: String,
        /// The time allowed.
        timeout: Duration,
    },
}

/// How to reach a server.
#[derive(Clone, Copy, Debug)]
pub struct Dial<'a> {
    /// `host:port`.
    pub address: &'a str,
    /// Authorities trusted to vouch for the server; `None` speaks plain text.
    pub roots: Option<&'a [CertificateDer<'static>]>,
    /// The certificate to present.
    pub identity: Option<&'a ClientTls>,
    /// The name the server's certificate must hold, when it is not the host dialed.
    pub server_name: Option<&'a str>,
    /// The time allowed to connect.
    pub timeout: Duration,
}

impl Dial<'_> {
    /// Connects now.
    ///
    /// # Errors
    /// When the server cannot be reached, is not who it should be, or refuses us.
    pub async fn connect(&self) -> Result<Channel, ConnectError> {
        Ok(self.connect_identified().await?.0)
    }

    /// Connects now, and tells the leaf certificate the server showed; `None` without TLS.
    ///
    /// # Errors
    /// As [`Dial::connect`].
    pub async fn connect_identified(&self) -> Result<(Channel, Option<Bytes>), ConnectError> {
        let (endpoint, connector) = self.prepare()?;
        let certificate = connector.certificate.clone();
        let connecting = endpoint.connect_with_connector(connector);
        match tokio::time::timeout(self.timeout, connecting).await {
            Ok(Ok(channel)) => Ok((channel, certificate.get().cloned())),
            Ok(Err(error)) => Err(ConnectError::Connect {
                address: self.address.to_owned(),
                reason: causes(&error),
            }),
            Err(_) => Err(ConnectError::Timeout {
                address: self.address.to_owned(),
                timeout: self.timeout,
            }),
        }
    }

    /// Connects on first use, and again whenever the connection is lost.
    ///
    /// # Errors
    /// When the address or the TLS material is unusable.
    pub fn connect_lazy(&self) -> Result<Channel, ConnectError> {
        let (endpoint, connector) = self.prepare()?;
        Ok(endpoint.connect_with_connector_lazy(connector))
    }

    fn prepare(&self) -> Result<(Endpoint, Connector), ConnectError> {
        let address = || ConnectError::Address(self.address.to_owned());
        let has_port = self
            .address
            .rsplit_once(':')
            .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
        if !has_port {
            return Err(address());
        }
        let tls = |source| ConnectError::Tls { address: self.address.to_owned(), source };
        let config = match self.roots {
            Some(roots) => Some(tls::client_config(roots, self.identity, &[b"h2"]).map_err(tls)?),
            None => None,
        };
        let scheme = if config.is_some() { "https" } else { "http" };
        let origin: Uri = format!("{scheme}://{}", self.address).parse().map_err(|_| address())?;
        // tonic only dials `http` by itself; the connector below speaks TLS, the origin says so.
        let endpoint = Endpoint::from_shared(format!("http://{}", self.address))
            .map_err(|_| address())?
            .origin(origin)
            .connect_timeout(self.timeout)
            .http2_keep_alive_interval(Duration::from_secs(60))
            .keep_alive_timeout(Duration::from_secs(20))
            .keep_alive_while_idle(true)
            .initial_stream_window_size(1 << 20)
            .initial_connection_window_size(1 << 24)
            .http2_max_header_list_size(64 * 1024);
        let connector = Connector {
            address: Arc::from(self.address),
            server_name: self.server_name.map(Arc::from),
            config,
            certificate: Arc::default(),
        };
        Ok((endpoint, connector))
    }
}

/// Connects over TLS: trusts `roots`, presents `identity`, checks that the certificate names the
/// host of `address`.
///
/// # Errors
/// When the server cannot be reached, is not who it should be, or refuses us.
pub async fn connect(
    address: &str,
    roots: &[CertificateDer<'static>],
    identity: Option<&ClientTls>,
    timeout: Duration,
) -> Result<Channel, ConnectError> {
    Dial { address, roots: Some(roots), identity, server_name: None, timeout }.connect().await
}

/// As [`connect`], on first use.
///
/// # Errors
/// When the address or the TLS material is unusable.
pub fn connect_lazy(
    address: &str,
    roots: &[CertificateDer<'static>],
    identity: Option<&ClientTls>,
    timeout: Duration,
) -> Result<Channel, ConnectError> {
    Dial { address, roots: Some(roots), identity, server_name: None, timeout }.connect_lazy()
}

/// The texts of an error and its causes, outermost first, without repetitions.
fn causes(error: &dyn std::error::Error) -> String {
    let mut texts: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        if text != "transport error" && !texts.iter().any(|known| known.contains(&text)) {
            texts.push(text);
        }
        next = error.source();
    }
    texts.join(": ")
}

/// Opens the byte streams tonic speaks HTTP/2 on.
#[derive(Clone)]
struct Connector {
    address: Arc<str>,
    server_name: Option<Arc<str>>,
    config: Option<Arc<rustls::ClientConfig>>,
    /// The leaf certificate of the first server reached.
    certificate: Arc<OnceLock<Bytes>>,
}

impl tower::Service<Uri> for Connector {
    type Response = TokioIo<Box<dyn Stream>>;
    type Error = std::io::Error;
    type Future = futures::future::BoxFuture<'static, std::io::Result<Self::Response>>;

    fn poll_ready(
        &mut self,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), Self::Error>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let Self { address, server_name, config, certificate } = self.clone();
        Box::pin(async move {
            let stream: Box<dyn Stream> = match config {
                Some(config) => {
                    let stream = tls::connect(&address, server_name.as_deref(), config).await?;
                    let chain = stream.get_ref().1.peer_certificates();
                    if let Some(leaf) = chain.and_then(<[_]>::first) {
                        certificate.get_or_init(|| Bytes::copy_from_slice(leaf));
                    }
                    Box::new(stream)
                }
                None => {
                    let stream = tokio::net::TcpStream::connect(&*address).await?;
                    stream.set_nodelay(true)?;
                    Box::new(stream)
                }
            };
            Ok(TokioIo::new(stream))
        })
    }
}

trait Stream: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin {}
impl<T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin> Stream for T {}
