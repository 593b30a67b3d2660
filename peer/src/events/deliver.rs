//! The three methods of the peer's Deliver service: whole blocks, filtered blocks, and blocks with
//! the private data the caller may see.

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::sync::Arc;

use channel::Bundle;
use deliver::server::{Channel as Serve, Handler, Method, Session, Source};
use node::tasks::Tasks;
use proto::common::{Block, Envelope, Status as Code};
use proto::peer::deliver_response::Type;
use proto::peer::deliver_server::{self, DeliverServer};
use proto::peer::{BlockAndPrivateData, DeliverResponse};
use tokio::sync::watch;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::transaction::filtered_block;
use crate::channels::{Channel, Channels};
use crate::private_data::visible;

impl Serve for Channel {
    fn heights(&self) -> watch::Receiver<u64> {
        self.watch_height()
    }

    fn block(&self, number: u64) -> Result<Block, Box<dyn StdError + Send + Sync>> {
        let block = self.ledger().block(number)?;
        block.ok_or_else(|| format!("channel {} has no block {number}", self.id()).into())
    }

    fn bundle(&self) -> Arc<Bundle> {
        Self::bundle(self)
    }

    fn first_block(&self) -> u64 {
        self.ledger().first_block()
    }

    fn closing(&self) -> Option<watch::Receiver<bool>> {
        Some(self.watch_closing())
    }
}

impl Source for Channels {
    type Channel = Channel;

    fn channel(&self, id: &str) -> Option<Arc<Channel>> {
        self.get(id)
    }

    fn is_closed(&self, id: &str) -> bool {
        self.status(id).is_some()
    }
}

fn policy(bundle: &Bundle, resource: &str) -> String {
    // A resource without a policy is for nobody: there is no policy of the empty name.
    channel::acl::policy_for(bundle, resource).unwrap_or_default().to_owned()
}

fn status(code: Code) -> DeliverResponse {
    DeliverResponse { r#type: Some(Type::Status(code.into())) }
}

/// Whole blocks.
#[derive(Debug, Clone, Copy)]
struct Blocks;

impl Method<Channel> for Blocks {
    type Response = DeliverResponse;
    const NAME: &'static str = "/protos.Deliver/Deliver";

    fn policy(&self, bundle: &Bundle) -> String {
        policy(bundle, "event/Block")
    }

    fn block(&self, _: &Channel, _: &Session, block: Block) -> Result<DeliverResponse, Code> {
        Ok(DeliverResponse { r#type: Some(Type::Block(block)) })
    }

    fn status(&self, code: Code) -> DeliverResponse {
        status(code)
    }
}

/// Blocks without contents.
#[derive(Debug, Clone, Copy)]
struct Filtered;

impl Method<Channel> for Filtered {
    type Response = DeliverResponse;
    const NAME: &'static str = "/protos.Deliver/DeliverFiltered";

    fn policy(&self, bundle: &Bundle) -> String {
        policy(bundle, "event/FilteredBlock")
    }

    fn block(&self, channel: &Channel, _: &Session, block: Block) -> Result<DeliverResponse, Code> {
        let filtered = filtered_block(channel.id(), &block);
        Ok(DeliverResponse { r#type: Some(Type::FilteredBlock(filtered)) })
    }

    fn status(&self, code: Code) -> DeliverResponse {
        status(code)
    }
}

/// Blocks with private data.
#[derive(Debug, Clone, Copy)]
struct WithPrivateData;

impl Method<Channel> for WithPrivateData {
    type Response = DeliverResponse;
    const NAME: &'static str = "/protos.Deliver/DeliverWithPrivateData";

    fn policy(&self, bundle: &Bundle) -> String {
        policy(bundle, "event/Block")
    }

    fn block(
        &self,
        channel: &Channel,
        session: &Session,
        block: Block,
    ) -> Result<DeliverResponse, Code> {
        let number = proto::block::number(&block);
        let private_data_map = visible(channel, number, session.identity()).map_err(|error| {
            tracing::error!(channel = channel.id(), block = number, %error, "read private data");
            Code::InternalServerError
        })?;
        let private_data_map: BTreeMap<_, _> =
            private_data_map.into_iter().map(|(index, set)| (u64::from(index), set)).collect();
        let both = BlockAndPrivateData { block: Some(block), private_data_map };
        Ok(DeliverResponse { r#type: Some(Type::BlockAndPrivateData(both)) })
    }

    fn status(&self, code: Code) -> DeliverResponse {
        status(code)
    }
}

/// The gRPC service.
#[derive(Debug, Clone)]
pub struct Service {
    blocks: Handler<Channels, Blocks>,
    filtered: Handler<Channels, Filtered>,
    with_private_data: Handler<Channels, WithPrivateData>,
}

impl Service {
    /// Serves `channels`, each method within the bounds of `config`.
    pub fn server(
        channels: Arc<Channels>,
        config: &deliver::server::Config,
        tasks: &Tasks,
    ) -> DeliverServer<Self> {
        let service = Self {
            blocks: Handler::new(channels.clone(), Blocks, config.clone(), tasks),
            filtered: Handler::new(channels.clone(), Filtered, config.clone(), tasks),
            with_private_data: Handler::new(channels, WithPrivateData, config.clone(), tasks),
        };
        DeliverServer::new(service)
            .max_decoding_message_size(node::grpc::MAX_MESSAGE_BYTES)
            .max_encoding_message_size(node::grpc::MAX_MESSAGE_BYTES)
    }
}

type Answers = ReceiverStream<Result<DeliverResponse, Status>>;

#[tonic::async_trait]
impl deliver_server::Deliver for Service {
    type DeliverStream = Answers;
    type DeliverFilteredStream = Answers;
    type DeliverWithPrivateDataStream = Answers;

    async fn deliver(
        &self,
        request: Request<Streaming<Envelope>>,
    ) -> Result<Response<Answers>, Status> {
        self.blocks.deliver(request)
    }

    async fn deliver_filtered(
        &self,
        request: Request<Streaming<Envelope>>,
    ) -> Result<Response<Answers>, Status> {
        self.filtered.deliver(request)
    }

    async fn deliver_with_private_data(
        &self,
        request: Request<Streaming<Envelope>>,
    ) -> Result<Response<Answers>, Status> {
        self.with_private_data.deliver(request)
    }
}
