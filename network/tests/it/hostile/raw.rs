//! Calling gRPC methods with bytes that need not be messages.

use std::time::Duration;

use bytes::{Buf, BufMut, Bytes};
use futures::stream;
use http::uri::PathAndQuery;
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::Channel;
use tonic::{Request, Status};

/// Streams that outlive this are left.
const PATIENCE: Duration = Duration::from_secs(20);

/// Sends messages to a method and reads what it answers, until the server ends the call.
pub(super) async fn call(
    channel: Channel,
    path: &'static str,
    messages: Vec<Bytes>,
) -> Result<Vec<Bytes>, Status> {
    let exchange = async {
        let mut grpc = Grpc::new(channel)
            .max_encoding_message_size(usize::MAX)
            .max_decoding_message_size(usize::MAX);
        grpc.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
        let request = Request::new(stream::iter(messages));
        let path = PathAndQuery::from_static(path);
        let mut answers = grpc.streaming(request, path, Raw).await?.into_inner();
        let mut all = Vec::new();
        while let Some(answer) = answers.message().await? {
            all.push(answer);
        }
        Ok(all)
    };
    let ended = tokio::time::timeout(PATIENCE, exchange).await;
    ended.unwrap_or_else(|_| panic!("{path} does not end"))
}

/// Bytes as they are.
#[derive(Clone, Copy, Debug)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}
