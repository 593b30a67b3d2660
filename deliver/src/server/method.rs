//! What distinguishes the methods that deliver blocks.

use channel::Bundle;
use proto::common::{Block, Status};
use proto::orderer::{DeliverResponse, deliver_response};

use super::{Channel, Session};

/// A gRPC method that delivers blocks: who may call it, and what its answers look like.
pub trait Method<C: Channel>: Send + Sync + 'static {
    /// The answer message.
    type Response: Send + 'static;

    /// The method's name, for logs and messages.
    const NAME: &'static str;

    /// Full name of the policy that callers must satisfy.
    fn policy(&self, bundle: &Bundle) -> String;

    /// The answer that carries a block. May read from disk. An error ends the stream with its
    /// status.
    fn block(&self, channel: &C, session: &Session, block: Block)
    -> Result<Self::Response, Status>;

    /// The answer that ends a request.
    fn status(&self, status: Status) -> Self::Response;
}

/// The orderer's `Deliver`: blocks as they are, for readers of the channel, or in maintenance for
/// readers of the ordering service.
#[derive(Debug, Clone, Copy, Default)]
pub struct OrdererDeliver;

impl<C: Channel> Method<C> for OrdererDeliver {
    type Response = DeliverResponse;
    const NAME: &'static str = "/orderer.AtomicBroadcast/Deliver";

    fn policy(&self, bundle: &Bundle) -> String {
        let maintenance = bundle.orderer().is_some_and(channel::Orderer::in_maintenance);
        if maintenance { "/Channel/Orderer/Readers" } else { "/Channel/Readers" }.into()
    }

    fn block(&self, _: &C, _: &Session, block: Block) -> Result<DeliverResponse, Status> {
        Ok(DeliverResponse { r#type: Some(deliver_response::Type::Block(block)) })
    }

    fn status(&self, status: Status) -> DeliverResponse {
        DeliverResponse { r#type: Some(deliver_response::Type::Status(status as i32)) }
    }
}
