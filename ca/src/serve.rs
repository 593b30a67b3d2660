//! Starting the service.

use std::net::SocketAddr;
use std::sync::Arc;

use node::grpc::Server;
use node::operations::{self, Operations};
use node::tasks::Tasks;
use node::tls::{self, ServerTls};
use tonic::service::Routes;

use crate::api::{Grpc, Service};
use crate::config::Config;
use crate::error::StartError;
use crate::messages::Info;
use crate::messages::certificate_authority_server::CertificateAuthorityServer;

/// A running authority.
#[derive(Debug)]
pub struct Handle {
    /// Where gRPC is served.
    pub address: SocketAddr,
    /// Where operations are served, if they are.
    pub operations: Option<SocketAddr>,
    /// Name and roots; clients trust `tls_root` to reach the service.
    pub info: Info,
}

/// Starts the service; it runs until `tasks` is cancelled.
pub async fn start(config: Config, tasks: &Tasks) -> Result<Handle, StartError> {
    start_with(config, tasks, Operations::default()).await
}

/// Starts the service with the metrics and health checks of a process.
pub async fn start_with(
    config: Config,
    tasks: &Tasks,
    operations: Operations,
) -> Result<Handle, StartError> {
    let (listen, operations_config) = (config.listen_address.clone(), config.operations.clone());
    let opening = tasks.spawn_blocking("open authority", move || open(config));
    let (service, tls) = opening.await.map_err(std::io::Error::other)??;
    let server = Server::bind(&listen, Some(tls)).await?;
    let address = server.local_address();
    let info = service.info();
    let bytes_max = service.config().request_bytes_max;
    watch(&operations, &service);
    let grpc = Grpc::new(service, tasks.clone(), &operations.metrics);
    let grpc = CertificateAuthorityServer::new(grpc).max_decoding_message_size(bytes_max);
    server.serve(Routes::new(grpc), tasks);
    let operations = operations::serve(&operations_config, operations, tasks).await?;
    tracing::info!(%address, name = info.name, "authority serves");
    Ok(Handle { address, operations, info })
}

fn open(config: Config) -> Result<(Arc<Service>, ServerTls), StartError> {
    let (folder, hosts) = (config.data_directory.join("tls"), config.hosts.clone());
    let service = Service::open(config)?;
    let (certificate, private_key) = service.issuer().write_server_certificate(&folder, &hosts)?;
    let tls = tls::Config { enabled: true, certificate, private_key, ..Default::default() };
    Ok((Arc::new(service), ServerTls::load(&tls)?))
}

fn watch(operations: &Operations, service: &Arc<Service>) {
    let service = Arc::downgrade(service);
    operations.health.register("registry", move || {
        let service = service.upgrade().ok_or("the authority has stopped")?;
        service.is_healthy().map_err(|error| error.to_string())
    });
}
