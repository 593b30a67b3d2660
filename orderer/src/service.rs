//! The orderer's gRPC services, put together.

use std::sync::Arc;

use deliver::server::{Handler as DeliverHandler, OrdererDeliver};
use node::grpc::MAX_MESSAGE_BYTES;
use proto::common::Envelope;
use proto::orderer::atomic_broadcast_server::{AtomicBroadcast, AtomicBroadcastServer};
use proto::orderer::cluster_server::ClusterServer;
use proto::orderer::{BroadcastResponse, DeliverResponse};
use tokio_stream::wrappers::ReceiverStream;
use tonic::service::Routes;
use tonic::{Request, Response, Status, Streaming};

use crate::channels::Registry;
use crate::{broadcast, cluster};

pub(crate) struct Services {
    pub(crate) broadcast: broadcast::Handler,
    pub(crate) deliver: DeliverHandler<Registry, OrdererDeliver>,
}

#[tonic::async_trait]
impl AtomicBroadcast for Services {
    type BroadcastStream = ReceiverStream<Result<BroadcastResponse, Status>>;
    type DeliverStream = ReceiverStream<Result<DeliverResponse, Status>>;

    async fn broadcast(
        &self,
        request: Request<Streaming<Envelope>>,
    ) -> Result<Response<Self::BroadcastStream>, Status> {
        let answers = self.broadcast.broadcast(request.into_inner())?;
        Ok(Response::new(ReceiverStream::new(answers)))
    }

    async fn deliver(
        &self,
        request: Request<Streaming<Envelope>>,
    ) -> Result<Response<Self::DeliverStream>, Status> {
        self.deliver.deliver(request)
    }
}

/// What the gRPC listener serves.
pub(crate) fn routes(services: Services, cluster: cluster::Service) -> Routes {
    let services = AtomicBroadcastServer::from_arc(Arc::new(services))
        .max_decoding_message_size(MAX_MESSAGE_BYTES)
        .max_encoding_message_size(MAX_MESSAGE_BYTES);
    let cluster = ClusterServer::new(cluster)
        .max_decoding_message_size(MAX_MESSAGE_BYTES)
        .max_encoding_message_size(MAX_MESSAGE_BYTES);
    Routes::new(services).add_service(cluster)
}
