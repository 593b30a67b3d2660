//! Building a peer out of its parts, and starting it.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use ledger::Ledgers;
use msp::{Manager, Msp, MspVersion, SigningIdentity};
use node::grpc::Server;
use node::operations::Operations;
use node::tasks::Tasks;
use node::tls::{CertificateDer, ClientTls, ServerTls, certificate_hash, load_certificates};
use tonic::service::Routes;

use crate::channels::Channels;
use crate::gossip::{Gossip, Trust};
use crate::lifecycle::{Lifecycle, Packages};
use crate::private_data::Member;
use crate::{Config, committer, events, gossip};

/// Why a peer could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The ledgers cannot be opened.
    #[error("open ledgers")]
    Ledger(#[from] ledger::Error),
    /// A channel cannot be opened.
    #[error("open channels")]
    Channels(#[from] crate::channels::Error),
    /// The installed chaincode cannot be opened.
    #[error("open installed chaincode")]
    Lifecycle(#[from] crate::lifecycle::Error),
    /// The chaincode engine refuses its configuration.
    #[error("start the chaincode engine")]
    Runtime(#[from] runtime::Error),
    /// The peer's own key or certificate is unusable.
    #[error("load the peer's identity")]
    Signer(#[from] msp::SignerError),
    /// The peer's MSP folder is unusable.
    #[error("load the peer's MSP")]
    Directory(#[from] msp::directory::Error),
    /// The peer's organization is not well defined.
    #[error("set up the peer's MSP")]
    Msp(#[from] msp::SetupError),
    /// The peer is not a valid member of its own organization.
    #[error("the peer's certificate is not one of organization {msp_id}")]
    NotMember {
        /// The organization.
        msp_id: String,
        /// What is wrong.
        source: msp::Error,
    },
    /// The peer cannot sign.
    #[error("sign with the peer's key")]
    Sign(#[from] msp::Error),
    /// TLS is unusable.
    #[error("TLS")]
    Tls(#[from] node::tls::Error),
    /// The listen address cannot be bound.
    #[error("listen")]
    Listen(#[from] std::io::Error),
    /// The operations endpoint cannot be served.
    #[error("operations endpoint")]
    Operations(#[from] node::operations::Error),
    /// Opening ledgers or compiling chaincode panicked.
    #[error("a task of the start ended early")]
    Task(#[from] tokio::task::JoinError),
}

/// A running peer.
#[derive(Debug)]
pub struct Handle {
    /// Where gRPC is served.
    pub address: SocketAddr,
    /// Where metrics and health are served, if they are.
    pub operations_address: Option<SocketAddr>,
    /// The joined channels.
    pub channels: Arc<Channels>,
    /// The other peers.
    pub gossip: Gossip,
}

/// Starts a peer; it runs until `tasks` is shut down.
pub async fn start(config: Config, tasks: Tasks) -> Result<Handle, Error> {
    start_with(config, tasks, Operations::default()).await
}

/// As [`start`], reporting to operations the caller set up.
pub async fn start_with(
    config: Config,
    tasks: Tasks,
    operations: Operations,
) -> Result<Handle, Error> {
    let identity = Identity::load(&config)?;
    let held = Held::open(&config, &tasks).await?;
    let tls = Tls::load(&config)?;
    let server = Server::bind(&config.listen_address, tls.server.clone()).await?;
    let address = server.local_address();
    let endpoint = match config.endpoint.is_empty() {
        true => address.to_string(),
        false => config.endpoint.clone(),
    };
    let gossip = start_gossip(&config, &identity, &held, &tls, endpoint, &operations, &tasks)?;
    start_committers(&config, &identity, &held, &tls, &operations, &tasks);
    tasks.spawn("client roots", renew_client_roots(held.channels.clone(), tls, tasks.clone()));
    let deliver = events::Service::server(held.channels.clone(), &config.deliver, &tasks);
    let routes = Routes::new(deliver).add_service(gossip::Service::server(&gossip, &tasks));
    server.serve(routes, &tasks);
    let operations_address =
        node::operations::serve(&config.operations, operations, &tasks).await?;
    tracing::info!(%address, msp_id = config.msp.id, "peer serves");
    Ok(Handle { address, operations_address, channels: held.channels, gossip })
}

/// Who the peer is.
struct Identity {
    signer: Arc<SigningIdentity>,
    /// The peer's own organization.
    local: Arc<Manager>,
}

impl Identity {
    fn load(config: &Config) -> Result<Self, Error> {
        let (directory, id): (&Path, &str) = (&config.msp.directory, &config.msp.id);
        let signer = SigningIdentity::load(directory, id)?;
        let definition = msp::directory::load_config(directory, id)?;
        let local = Manager::new(vec![Msp::from_config(&definition, MspVersion::V3_0)?])?;
        local
            .deserialize(signer.serialized())
            .and_then(|identity| identity.validate())
            .map_err(|source| Error::NotMember { msp_id: id.to_owned(), source })?;
        Ok(Self { signer: Arc::new(signer), local: Arc::new(local) })
    }

    fn msp_id(&self) -> &str {
        self.signer.msp_id()
    }
}

/// What the peer keeps.
struct Held {
    channels: Arc<Channels>,
    lifecycle: Arc<Lifecycle>,
}

impl Held {
    /// Opens ledgers and compiles installed chaincode, which may take a while.
    async fn open(config: &Config, tasks: &Tasks) -> Result<Self, Error> {
        let config = config.clone();
        let opening = tasks.spawn_blocking("open", move || Self::open_now(&config));
        opening.await?
    }

    fn open_now(config: &Config) -> Result<Self, Error> {
        let root = &config.data_directory;
        let ledgers = Ledgers::open(root.join("ledgers"), config.ledger.clone())?;
        let bounds = &config.channels;
        let channels = Arc::new(Channels::open(ledgers, bounds.joined_max, bounds.waiters_max)?);
        let engine = Arc::new(runtime::wasm::Engine::new(config.runtime.clone())?);
        let packages = Packages::open(root.join("chaincode"), engine, config.lifecycle.clone())?;
        let lifecycle = Lifecycle::new(&config.msp.id, channels.clone(), packages);
        Ok(Self { channels, lifecycle: Arc::new(lifecycle) })
    }
}

/// The peer's side of TLS sessions; nothing of it without TLS.
#[derive(Clone)]
struct Tls {
    server: Option<ServerTls>,
    client: Option<ClientTls>,
    /// Authorities trusted in addition to those of the channels when dialing.
    roots: Vec<CertificateDer<'static>>,
    /// Authorities of clients, besides those of the channels.
    client_roots: Vec<CertificateDer<'static>>,
}

impl Tls {
    fn load(config: &Config) -> Result<Self, Error> {
        let tls = &config.tls;
        let server = ServerTls::load_if_enabled(tls)?;
        let client = match tls.enabled {
            true => Some(ClientTls::load(&tls.certificate, &tls.private_key)?),
            false => None,
        };
        let roots = load_certificates(&tls.root_cas)?;
        let client_roots = load_certificates(&tls.client_root_cas)?;
        Ok(Self { server, client, roots, client_roots })
    }
}

/// Clients of every channel's organizations may connect; that changes with the channels.
async fn renew_client_roots(channels: Arc<Channels>, tls: Tls, tasks: Tasks) {
    let Some(server) = &tls.server else { return };
    let mut changes = channels.watch();
    let cancelled = tasks.cancelled();
    tokio::pin!(cancelled);
    loop {
        changes.borrow_and_update();
        let mut roots = tls.client_roots.clone();
        for channel in channels.list() {
            roots.extend(channel.bundle().msps().tls_roots());
        }
        roots.sort_by(|one, other| one.as_ref().cmp(other.as_ref()));
        roots.dedup();
        if let Err(error) = server.set_client_roots(roots) {
            tracing::error!(%error, "TLS authorities of the channels are not usable for clients");
        }
        tokio::select! {
            () = &mut cancelled => return,
            changed = changes.changed() => if changed.is_err() { return },
        }
    }
}

fn start_gossip(
    config: &Config,
    identity: &Identity,
    held: &Held,
    tls: &Tls,
    endpoint: String,
    operations: &Operations,
    tasks: &Tasks,
) -> Result<Gossip, Error> {
    let lifecycle = held.lifecycle.clone();
    let chaincodes: gossip::ChaincodesOf = Arc::new(move |channel| {
        let view = channel.ledger().view().map_err(crate::lifecycle::Error::from);
        view.and_then(|view| lifecycle.chaincodes(&view)).unwrap_or_else(|error| {
            tracing::error!(channel = channel.id(), %error, "list chaincodes");
            Default::default()
        })
    });
    let own = identity.msp_id().to_owned();
    let dependencies = gossip::Dependencies {
        signer: identity.signer.clone(),
        endpoint,
        trust: Trust::new(identity.local.clone(), own, held.channels.clone()),
        channels: held.channels.clone(),
        chaincodes,
        tls: tls.client.clone().map(|client| gossip::Tls {
            server_hash: certificate_hash(client.certificate()),
            client,
            roots: tls.roots.clone(),
        }),
        metrics: gossip::Metrics::new(&operations.metrics),
    };
    Ok(Gossip::start(config.gossip.clone(), dependencies, tasks)?)
}

fn start_committers(
    config: &Config,
    identity: &Identity,
    held: &Held,
    tls: &Tls,
    operations: &Operations,
    tasks: &Tasks,
) {
    let member = Member::new(identity.msp_id(), identity.signer.serialized().clone());
    let dependencies = committer::Dependencies {
        config: config.committer.clone(),
        orderers: todo!(),
        member,
        metrics: committer::Metrics::new(&operations.metrics),
        health: operations.health.clone(),
    };
    tasks.spawn("committers", committer::run(held.channels.clone(), dependencies, tasks.clone()));
}
