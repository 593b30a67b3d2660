//! Putting an orderer together: identities, listeners, channels, services.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use deliver::client::Security;
use deliver::server::{Handler as DeliverHandler, OrdererDeliver};
use msp::SigningIdentity;
use node::operations::{self, Operations};
use node::tasks::Tasks;
use node::tls::{self, ClientTls, ServerTls, load_certificates};
use node::{grpc, http};

use crate::channels::{OpenError, Registry, Shared};
use crate::cluster::{self, Cluster};
use crate::message_processor::Processor;
use crate::metrics::Metrics;
use crate::onboarding::Asker;
use crate::participation::{self, Participation};
use crate::service::{Services, routes};
use crate::{Config, broadcast};

/// Why an orderer could not be started.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The orderer's own identity.
    #[error("load the orderer's identity")]
    Identity(#[from] msp::SignerError),
    /// Certificates and keys of the listeners.
    #[error("TLS")]
    Tls(#[from] tls::Error),
    /// An address cannot be bound.
    #[error("listen on {address}")]
    Bind {
        /// The address.
        address: String,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// The admin listener would let anybody in.
    #[error("admin.tls.client_auth_required must be set to true if TLS is enabled")]
    AdminWithoutClientAuth,
    /// Opening the channels panicked.
    #[error("open channels: panicked")]
    Panicked,
    /// The channels cannot be opened.
    #[error("open channels")]
    Channels(#[from] OpenError),
    /// The operations endpoint.
    #[error(transparent)]
    Operations(#[from] operations::Error),
}

/// A running orderer.
#[derive(Debug)]
pub struct Handle {
    /// Where gRPC is served.
    pub address: SocketAddr,
    /// Where channel participation is served, if it is.
    pub admin_address: Option<SocketAddr>,
    /// Where metrics and health are served, if they are.
    pub operations_address: Option<SocketAddr>,
    /// The channels, for programs that run the orderer in process.
    pub channels: Arc<Registry>,
}

/// Starts an orderer; it runs until `tasks` is shut down.
pub async fn start(config: Config, tasks: Tasks) -> Result<Handle, Error> {
    start_with(config, tasks, Operations::default()).await
}

/// As [`start`], reporting to operations that the caller set up.
pub async fn start_with(
    config: Config,
    tasks: Tasks,
    operations: Operations,
) -> Result<Handle, Error> {
    let signer = SigningIdentity::load(&config.msp.directory, &config.msp.id)?;
    let server_tls = ServerTls::load_if_enabled(&config.tls)?;
    let bound = grpc::Server::bind(&config.listen_address, server_tls.clone()).await;
    let listener = bound.map_err(bind(&config.listen_address))?;
    let address = listener.local_address();
    let admin = bind_admin(&config).await?;
    let metrics = Metrics::default();
    metrics.register(&operations.metrics);

    let bound = address.to_string();
    let endpoint = if config.endpoint.is_empty() { &bound } else { &config.endpoint };
    let shared = shared(&config, &signer, &metrics, endpoint, &tasks)?;
    let processor = shared.processor.clone();
    let cluster = shared.cluster.clone();
    let root = config.data_directory.join("channels");
    let opening = tasks.clone();
    let channels_max = config.admin.channels_max;
    let open = move || Registry::open(&root, Arc::new(shared), channels_max, &opening);
    let opened = tasks.spawn_blocking("open channels", open).await;
    let registry = Arc::new(opened.map_err(|_| Error::Panicked)??);
    if let Some(tls) = server_tls {
        trust_members(&config, tls, &registry, &cluster, &tasks)?;
    }

    let mut deliver = config.deliver.clone();
    deliver.tls_binding |= config.tls.enabled && config.tls.client_auth_required;
    let services = Services {
        broadcast: broadcast::Handler::new(
            registry.clone(),
            processor.clone(),
            config.broadcast.clone(),
            metrics.clone(),
            &tasks,
        ),
        deliver: DeliverHandler::new(registry.clone(), OrdererDeliver, deliver, &tasks),
    };
    let cluster = cluster::Service {
        registry: registry.clone(),
        forwards_max: config.cluster.forwards_max,
        metrics,
        tasks: tasks.clone(),
    };
    listener.serve(routes(services, cluster), &tasks);
    let admin_address = admin.as_ref().map(http::Server::local_address);
    if let Some(admin) = admin {
        let body_bytes_max = config.admin.body_bytes_max;
        let registry = registry.clone();
        let participation = Participation { registry, processor, body_bytes_max };
        admin.serve(participation::router(participation), &tasks);
    }
    watch_health(&registry, &operations);
    let operations_address = operations::serve(&config.operations, operations, &tasks).await?;
    tracing::info!(%address, ?admin_address, ?operations_address, "orderer serves");
    Ok(Handle { address, admin_address, operations_address, channels: registry })
}

async fn bind_admin(config: &Config) -> Result<Option<http::Server>, Error> {
    let admin = &config.admin;
    if admin.listen_address.is_empty() {
        return Ok(None);
    }
    if admin.tls.enabled && !admin.tls.client_auth_required {
        return Err(Error::AdminWithoutClientAuth);
    }
    let tls = ServerTls::load_if_enabled(&admin.tls)?;
    let bound = http::Server::bind(&admin.listen_address, tls).await;
    Ok(Some(bound.map_err(bind(&admin.listen_address))?))
}

fn bind(address: &str) -> impl FnOnce(io::Error) -> Error {
    let address = address.to_owned();
    move |source| Error::Bind { address, source }
}

/// What all channels share.
fn shared(
    config: &Config,
    signer: &SigningIdentity,
    metrics: &Metrics,
    endpoint: &str,
    tasks: &Tasks,
) -> Result<Shared, Error> {
    let identity = cluster_identity(config)?;
    let security = match &identity {
        Some(identity) => Security::Tls(Some(identity.clone())),
        None => Security::Plain,
    };
    let certificate = identity.as_ref().map(|tls| tls.certificate().to_vec().into());
    Ok(Shared {
        signer: signer.clone(),
        processor: Processor::new(signer.clone(), config.broadcast.check_expiry),
        certificate,
        cluster: Arc::new(Cluster::new(config.cluster.clone(), identity, metrics.clone(), tasks)),
        replication: config.replication.clone(),
        endpoint: endpoint.to_owned(),
        asker: Asker {
            signer: signer.clone(),
            security,
            timeout: config.replication.connect_timeout,
        },
        consensus: config.consensus.clone(),
        metrics: metrics.clone(),
    })
}

/// The client certificate this node shows to other orderers. Without TLS there is one to be known
/// by, if it is configured, but none is shown.
fn cluster_identity(config: &Config) -> Result<Option<ClientTls>, Error> {
    let own = &config.cluster;
    let given = own.certificate != Path::new("");
    let (certificate, key) = match (given, config.tls.enabled) {
        (true, _) => (&own.certificate, &own.private_key),
        (false, true) => (&config.tls.certificate, &config.tls.private_key),
        (false, false) => return Ok(None),
    };
    Ok(Some(ClientTls::load(certificate, key)?))
}

/// Keeps the authorities whose client certificates are accepted equal to those configured and those
/// of all channels' members.
fn trust_members(
    config: &Config,
    tls: ServerTls,
    registry: &Arc<Registry>,
    cluster: &Arc<Cluster>,
    tasks: &Tasks,
) -> Result<(), Error> {
    let configured = load_certificates(&config.tls.client_root_cas)?;
    let (registry, mut changes, stop) = (registry.clone(), cluster.changes(), tasks.clone());
    let apply = move || {
        let mut roots = configured.clone();
        for channel in registry.list() {
            roots.extend(channel.state().bundle.msps().tls_roots());
        }
        roots.sort_by(|one, other| one.as_ref().cmp(other.as_ref()));
        roots.dedup();
        if let Err(error) = tls.set_client_roots(roots) {
            tracing::error!(%error, "client authorities of a channel cannot be used");
        }
    };
    apply();
    tasks.spawn("client authorities", async move {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                changed = changes.changed() => if changed.is_err() { return },
            }
            changes.mark_unchanged();
            apply();
        }
    });
    Ok(())
}

fn watch_health(registry: &Arc<Registry>, operations: &Operations) {
    let registry = registry.clone();
    operations.health.register("channels", move || {
        let failed = registry
            .list()
            .into_iter()
            .filter_map(|channel| Some(format!("{}: {}", channel.id(), channel.failure()?)));
        let failed: Vec<_> = failed.collect();
        if failed.is_empty() { Ok(()) } else { Err(failed.join("; ")) }
    });
}
