//! One stream from one orderer.

use std::future::Future;
use std::pin::Pin;

use node::grpc::{ConnectError, Dial, MAX_MESSAGE_BYTES};
use node::tls::ClientTls;
use proto::common::{Block, Status};
use proto::orderer::atomic_broadcast_client::AtomicBroadcastClient;
use proto::orderer::deliver_response::Type;
use proto::orderer::{DeliverResponse, SeekInfo};
use tokio_stream::StreamExt;
use tonic::Streaming;

use super::endpoints::Endpoint;
use super::{Client, Security};
use crate::seek;

/// Why a stream gave no block.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// There is no connection.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// We cannot sign our request.
    #[error("sign seek request: {0}")]
    Sign(#[from] msp::Error),
    /// The call failed.
    #[error("deliver: {}: {}", .0.code(), .0.message())]
    Call(#[from] Box<tonic::Status>),
    /// The orderer ended the request.
    #[error("orderer answers with status {0}")]
    Status(&'static str),
    /// The orderer answers nonsense.
    #[error("orderer answers without content")]
    Empty,
    /// The orderer ended the stream.
    #[error("orderer ended the stream")]
    Ended,
    /// The orderer did not answer in time.
    #[error("orderer does not answer in time")]
    Timeout,
}

type Answers = Streaming<DeliverResponse>;

/// A stream of blocks.
pub(super) struct Connection {
    state: State,
}

/// Some servers, Fabric's orderers among them, begin to answer with the first block, however long
/// that takes. Waiting for the stream is therefore part of waiting for a block.
enum State {
    Asked(Pin<Box<dyn Future<Output = Result<Answers, tonic::Status>> + Send>>),
    Answered(Box<Answers>),
}

impl Connection {
    /// Connects and asks.
    pub(super) async fn open(
        client: &Client,
        endpoint: &Endpoint,
        channel_id: &str,
        seek: &SeekInfo,
    ) -> Result<Self, Error> {
        let (roots, identity) = match &client.security {
            Security::Plain => (None, None),
            Security::Tls(identity) => (Some(&endpoint.roots[..]), identity.as_ref()),
        };
        let timeout = client.config.connect_timeout;
        let address = &endpoint.address;
        let dial = Dial { address, roots, identity, server_name: None, timeout };
        let hash = identity.map(ClientTls::certificate_hash);
        let request = seek::envelope(&client.signer, channel_id, seek, hash)?;
        // The request stream stays open: closing it would end the answers, too.
        let requests = tokio_stream::once(request).chain(tokio_stream::pending());
        let mut orderer = AtomicBroadcastClient::new(dial.connect().await?)
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES);
        let answers = async move { Ok(orderer.deliver(requests).await?.into_inner()) };
        Ok(Self { state: State::Asked(Box::pin(answers)) })
    }

    /// The next block. Waiting may be given up and begun again.
    pub(super) async fn block(&mut self) -> Result<Block, Error> {
        if let State::Asked(answers) = &mut self.state {
            self.state = State::Answered(Box::new(answers.as_mut().await.map_err(Box::new)?));
        }
        let State::Answered(answers) = &mut self.state else { return Err(Error::Ended) };
        let answer = answers.message().await.map_err(Box::new)?.ok_or(Error::Ended)?;
        match answer.r#type.ok_or(Error::Empty)? {
            Type::Block(block) => Ok(block),
            Type::Status(status) => {
                let status = Status::try_from(status).unwrap_or(Status::Unknown);
                Err(Error::Status(status.as_str_name()))
            }
        }
    }
}
