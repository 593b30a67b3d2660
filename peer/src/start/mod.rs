//! Building a peer out of its parts, and starting it.

mod error;
mod held;
mod tls;

use std::net::SocketAddr;
use std::sync::Arc;

use deliver::client::{Client, Security};
use node::grpc::{MAX_MESSAGE_BYTES, Server};
use node::operations::Operations;
use node::tasks::Tasks;
use node::tls::certificate_hash;
use proto::discovery::discovery_server::DiscoveryServer;
use proto::gateway::gateway_server::GatewayServer;
use proto::peer::endorser_server::EndorserServer;
use tonic::service::Routes;

use crate::admin::Admin;
use crate::channels::Channels;
use crate::discovery::{self, Membership, Planner};
use crate::endorser::Endorser;
use crate::gateway::Gateway;
use crate::gossip::{Gossip, Trust};
use crate::private_data::Member;
use crate::snapshots::{self, Joins, Snapshots};
use crate::system::{Access, Cscc, Lscc, Qscc, Registry, SystemChaincode};
use crate::{Config, admin, committer, endorser, events, gateway, gossip, lifecycle};

use held::{Held, Identity};
use tls::Tls;

pub use error::Error;

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
    let tls = Tls::load(&config, &identity.local)?;
    let server = Server::bind(&config.listen_address, tls.server.clone()).await?;
    let address = server.local_address();
    let channels = held.channels.clone();
    let parts = Parts { config, identity, held, tls, operations, tasks, address };
    let gossip = parts.start_gossip()?;
    parts.start_committers();
    let snapshots = parts.start_snapshots();
    server.serve(parts.routes(&gossip, snapshots), &parts.tasks);
    let Parts { config, tls, operations, tasks, .. } = parts;
    tasks.spawn("client roots", tls.renew_client_roots(channels.clone(), tasks.clone()));
    let operations_address =
        node::operations::serve(&config.operations, operations, &tasks).await?;
    tracing::info!(%address, msp_id = config.msp.id, "peer serves");
    Ok(Handle { address, operations_address, channels, gossip })
}

/// What the services are built from.
struct Parts {
    config: Config,
    identity: Identity,
    held: Held,
    tls: Tls,
    operations: Operations,
    tasks: Tasks,
    address: SocketAddr,
}

impl Parts {
    /// The address others are told.
    fn endpoint(&self) -> String {
        if self.config.endpoint.is_empty() {
            return self.address.to_string();
        }
        self.config.endpoint.clone()
    }

    fn start_gossip(&self) -> Result<Gossip, Error> {
        let lifecycle = self.held.lifecycle.clone();
        let chaincodes: gossip::ChaincodesOf = Arc::new(move |channel| {
            let view = channel.ledger().view().map_err(lifecycle::Error::from);
            view.and_then(|view| lifecycle.chaincodes(&view)).unwrap_or_else(|error| {
                tracing::error!(channel = channel.id(), %error, "list chaincodes");
                Default::default()
            })
        });
        let channels = self.held.channels.clone();
        let own = self.identity.msp_id().to_owned();
        let dependencies = gossip::Dependencies {
            signer: self.identity.signer.clone(),
            endpoint: self.endpoint(),
            trust: Trust::new(self.identity.local.clone(), own, channels.clone()),
            channels,
            chaincodes,
            tls: self.tls.client.clone().map(|client| gossip::Tls {
                server_hash: certificate_hash(client.certificate()),
                client,
                roots: self.tls.roots.clone(),
            }),
            metrics: gossip::Metrics::new(&self.operations.metrics),
        };
        Ok(Gossip::start(self.config.gossip.clone(), dependencies, &self.tasks)?)
    }

    fn start_committers(&self) {
        let signer = self.identity.signer.clone();
        let security = match &self.tls.client {
            Some(client) => Security::Tls(Some(client.clone())),
            None => Security::Plain,
        };
        let dependencies = committer::Dependencies {
            client: Arc::new(Client::new(signer, security, self.config.orderers.clone())),
            config: self.config.committer.clone(),
            member: self.member(),
            metrics: committer::Metrics::new(&self.operations.metrics),
            health: self.operations.health.clone(),
        };
        let channels = self.held.channels.clone();
        let run = committer::run(channels, dependencies, self.tasks.clone());
        self.tasks.spawn("committers", run);
    }

    fn member(&self) -> Member {
        Member::new(self.identity.msp_id(), self.identity.signer.serialized().clone())
    }

    fn start_snapshots(&self) -> Arc<Snapshots> {
        let default = self.config.data_directory.join("snapshots");
        let snapshots = Arc::new(Snapshots::new(self.config.snapshots.clone(), default));
        let run = snapshots.clone().run(self.held.channels.clone(), self.tasks.clone());
        self.tasks.spawn("snapshots", run);
        snapshots
    }

    /// All services of the listener.
    fn routes(&self, gossip: &Gossip, snapshots: Arc<Snapshots>) -> Routes {
        let (tasks, channels) = (&self.tasks, &self.held.channels);
        let access = Access::new(self.identity.msp_id(), self.identity.local.clone());
        let planner = Planner::new(Arc::new(gossip.clone()) as Arc<dyn Membership>);
        let endorser = self.endorser(&access);
        let gateway = Gateway::new(
            self.config.gateway.clone(),
            gateway::Dependencies {
                channels: channels.clone(),
                endorser: endorser.clone(),
                planner: planner.clone(),
                access: access.clone(),
                tls: self.tls.client.clone().map(Arc::new),
            },
        );
        let tls = self.tls.server.is_some();
        let snapshots = snapshots::Service::server(snapshots, channels.clone(), access.clone());
        let discovery = discovery::Service::new(channels.clone(), access.clone(), planner);
        let mut deliver = self.config.deliver.clone();
        deliver.tls_binding |= tls && self.config.tls.client_auth_required;
        let admin = Admin::new(
            self.config.admin.clone(),
            admin::Dependencies {
                channels: channels.clone(),
                access: access.clone(),
                tasks: tasks.clone(),
                tls_binding: deliver.tls_binding,
            },
        );
        Routes::new(events::Service::server(channels.clone(), &deliver, tasks))
            .add_service(gossip::Service::server(gossip, tasks))
            .add_service(admin.administration())
            .add_service(admin.ledger_query())
            .add_service(snapshots)
            .add_service(
                EndorserServer::new(endorser)
                    .max_decoding_message_size(MAX_MESSAGE_BYTES)
                    .max_encoding_message_size(MAX_MESSAGE_BYTES),
            )
            .add_service(
                GatewayServer::new(gateway)
                    .max_decoding_message_size(MAX_MESSAGE_BYTES)
                    .max_encoding_message_size(MAX_MESSAGE_BYTES),
            )
            .add_service(
                DiscoveryServer::new(discovery).max_encoding_message_size(MAX_MESSAGE_BYTES),
            )
    }

    fn endorser(&self, access: &Access) -> Endorser {
        let (channels, lifecycle) = (&self.held.channels, &self.held.lifecycle);
        let joins = Joins::new(channels.clone(), self.member(), self.tasks.clone());
        let system: [Arc<dyn SystemChaincode>; 4] = [
            Arc::new(lifecycle::Chaincode::new(lifecycle.clone())),
            Arc::new(Cscc::new(channels.clone(), Arc::new(joins))),
            Arc::new(Qscc::new(channels.clone())),
            Arc::new(Lscc),
        ];
        let dependencies = endorser::Dependencies {
            channels: channels.clone(),
            lifecycle: lifecycle.clone(),
            system: Registry::new(system),
            access: access.clone(),
            signer: self.identity.signer.clone(),
            tasks: self.tasks.clone(),
            metrics: endorser::Metrics::new(&self.operations.metrics),
        };
        Endorser::new(self.config.endorser.clone(), dependencies)
    }
}
