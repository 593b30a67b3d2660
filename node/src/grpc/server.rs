//! The serving side of gRPC.

use std::io;
use std::net::SocketAddr;

use tokio::task::JoinHandle;
use tonic::service::Routes;

use super::guard::Guard;
use crate::server::{Listener, Protocol};
use crate::tasks::Tasks;
use crate::tls::ServerTls;

/// A bound gRPC listener.
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

    /// Serves at most `limit` connections at a time.
    #[must_use]
    pub fn connections_max(mut self, limit: usize) -> Self {
        self.listener.connections_max = limit;
        self
    }

    /// The address that was bound.
    #[must_use]
    pub fn local_address(&self) -> SocketAddr {
        self.listener.local_address()
    }

    /// Serves `routes` until `tasks` is cancelled, then lets calls in flight finish. Handlers of
    /// endless streams must end when `tasks` is cancelled, or they are dropped after the grace.
    pub fn serve(self, routes: Routes, tasks: &Tasks) -> JoinHandle<()> {
        let service = Guard::new(routes.prepare().into_axum_router());
        let group = tasks.clone();
        tasks.spawn("grpc listener", self.listener.serve(service, Protocol::Http2, group))
    }
}
