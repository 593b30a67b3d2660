//! A gRPC service without generated code: `/test.Echo/<what>` over plain strings.

use std::convert::Infallible;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes};
use futures::future::BoxFuture;
use node::grpc::{ClientCertificate, Deadline};
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::server::{NamedService, UnaryService};
use tonic::{Request, Response, Status};

#[derive(Clone)]
pub(crate) struct Echo;

impl NamedService for Echo {
    const NAME: &'static str = "test.Echo";
}

struct Handler(String);

impl UnaryService<Bytes> for Handler {
    type Response = Bytes;
    type Future = BoxFuture<'static, Result<Response<Bytes>, Status>>;

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        let path = self.0.clone();
        Box::pin(async move {
            match path.as_str() {
                "/test.Echo/Who" => {
                    let hash = ClientCertificate::hash_of(&request);
                    Ok(Response::new(Bytes::from(hash.map_or(vec![], |hash| hash.to_vec()))))
                }
                "/test.Echo/Panic" => panic!("as the test wants"),
                "/test.Echo/Slow" => {
                    tokio::time::sleep(Duration::from_millis(300)).await;
                    let limited = Deadline::of(&request).is_some();
                    Ok(Response::new(Bytes::from(limited.to_string())))
                }
                _ => Ok(Response::new(request.into_inner())),
            }
        })
    }
}

impl tower::Service<http::Request<tonic::body::Body>> for Echo {
    type Response = http::Response<tonic::body::Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<tonic::body::Body>) -> Self::Future {
        let handler = Handler(request.uri().path().to_owned());
        Box::pin(async move {
            let mut grpc = tonic::server::Grpc::new(Raw).apply_max_message_size_config(
                Some(node::grpc::MAX_MESSAGE_BYTES),
                Some(node::grpc::MAX_MESSAGE_BYTES),
            );
            Ok(grpc.unary(handler, request).await)
        })
    }
}

pub(crate) async fn call(
    channel: &tonic::transport::Channel,
    path: &'static str,
    body: Bytes,
    timeout: Option<Duration>,
) -> Result<Bytes, Status> {
    let mut grpc = tonic::client::Grpc::new(channel.clone())
        .max_decoding_message_size(node::grpc::MAX_MESSAGE_BYTES)
        .max_encoding_message_size(node::grpc::MAX_MESSAGE_BYTES);
    grpc.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
    let mut request = Request::new(body);
    if let Some(timeout) = timeout {
        request
            .metadata_mut()
            .insert("grpc-timeout", format!("{}m", timeout.as_millis()).parse().unwrap());
    }
    let path = http::uri::PathAndQuery::from_static(path);
    Ok(grpc.unary(request, path, Raw).await?.into_inner())
}

#[derive(Clone, Copy)]
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
        let length = buffer.remaining();
        Ok(Some(buffer.copy_to_bytes(length)))
    }
}
