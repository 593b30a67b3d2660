//! An orderer's `Broadcast` and `Deliver` under one identity.

use node::grpc::MAX_MESSAGE_BYTES;
use proto::common::{Block, Envelope, Status};
use proto::orderer::atomic_broadcast_client::AtomicBroadcastClient;
use proto::orderer::deliver_response::Type;
use tonic::transport::Channel;

use super::{Position, Target};
use crate::deliver;
use crate::{Error, Stage};

/// A connection to an orderer.
#[derive(Clone, Debug)]
pub struct Orderer {
    target: Target,
    channel: Channel,
}

impl Orderer {
    /// Connects.
    ///
    /// # Errors
    /// When the orderer cannot be reached or is not who it should be.
    pub async fn connect(target: Target) -> Result<Self, Error> {
        let channel = target.connect().await?;
        Ok(Self { target, channel })
    }

    /// The orderer's address.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.target.address
    }

    /// Hands over one envelope; success means accepted for ordering.
    ///
    /// # Errors
    /// When the orderer cannot be reached or refuses.
    pub async fn broadcast(&self, envelope: Envelope) -> Result<(), Error> {
        let mut client = self.client();
        let exchange = async {
            let requests = deliver::open_ended(envelope);
            client.broadcast(requests).await?.into_inner().message().await
        };
        let answer = match tokio::time::timeout(self.target.timeout, exchange).await {
            Ok(answer) => answer,
            Err(_) => return Err(Error::Timeout(format!("broadcast to {}", self.address()))),
        };
        let failed = |status| Error::gateway(Stage::Submit, "", &status);
        let answer = answer.map_err(failed)?;
        let answer = answer.ok_or_else(|| failed(tonic::Status::unavailable("stream ended")))?;
        match answer.status() {
            Status::Success => Ok(()),
            status => Err(Error::Broadcast {
                orderer: self.address().to_owned(),
                status,
                info: answer.info,
            }),
        }
    }

    /// Fetches one block of a channel.
    ///
    /// # Errors
    /// When the orderer cannot be reached, refuses, or does not have the block.
    pub async fn block(&self, channel: &str, position: Position) -> Result<Block, Error> {
        let seek = position.seek();
        let hash = self.target.tls_hash();
        let request = deliver::seek_envelope(channel, seek, seek, &self.target.signer, hash)?;
        let mut client = self.client();
        let exchange = async {
            client.deliver(deliver::open_ended(request)).await?.into_inner().message().await
        };
        let answer = match tokio::time::timeout(self.target.timeout, exchange).await {
            Ok(answer) => answer,
            Err(_) => return Err(Error::Timeout(format!("block from {}", self.address()))),
        };
        let answer = answer.map_err(|status| Error::gateway(Stage::Events, "", &status))?;
        match answer.and_then(|message| message.r#type) {
            Some(Type::Block(block)) => Ok(block),
            Some(Type::Status(status)) => Err(Error::Deliver {
                channel: channel.to_owned(),
                from: self.address().to_owned(),
                status: Status::try_from(status).unwrap_or_default(),
            }),
            None => Err(Error::decode("deliver response without content")),
        }
    }

    fn client(&self) -> AtomicBroadcastClient<Channel> {
        AtomicBroadcastClient::new(self.channel.clone())
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES)
    }
}
