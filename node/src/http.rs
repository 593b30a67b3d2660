//! HTTP/1.1 listeners: the operations endpoint, channel participation, consoles.

use std::io;
use std::net::SocketAddr;

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
