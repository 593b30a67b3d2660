//! An orderer that only delivers, on a real socket with mutual TLS.

use std::sync::Arc;
use std::time::Duration;

use deliver::server::{Config, Handler, OrdererDeliver};
use node::grpc::Server;
use node::tasks::Tasks;
use node::tls::ServerTls;
use proto::common::{Block, Envelope, Status};
use proto::orderer::atomic_broadcast_client::AtomicBroadcastClient;
use proto::orderer::atomic_broadcast_server::{AtomicBroadcast, AtomicBroadcastServer};
use proto::orderer::deliver_response::Type;
use proto::orderer::{BroadcastResponse, DeliverResponse};
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tonic::service::Routes;
use tonic::{Request, Response, Streaming};

use crate::chain::Served;
use crate::consortium::{Consortium, Org};

/// Longest any test waits for something that must happen.
pub(crate) const SOON: Duration = Duration::from_secs(20);

pub(crate) struct Orderer {
    pub(crate) address: String,
    listener: Option<Server>,
    /// Whether answers begin with the first block only.
    pub(crate) late: bool,
    pub(crate) tasks: Tasks,
}

struct Service {
    deliver: Handler<Served, OrdererDeliver>,
    /// Begins to answer with the first block, as Fabric's orderers do.
    late: bool,
    tasks: Tasks,
}

#[tonic::async_trait]
impl AtomicBroadcast for Service {
    type BroadcastStream = ReceiverStream<Result<BroadcastResponse, tonic::Status>>;
    type DeliverStream = ReceiverStream<Result<DeliverResponse, tonic::Status>>;

    async fn broadcast(
        &self,
        _: Request<Streaming<Envelope>>,
    ) -> Result<Response<Self::BroadcastStream>, tonic::Status> {
        Err(tonic::Status::unimplemented("only delivers"))
    }

    async fn deliver(
        &self,
        request: Request<Streaming<Envelope>>,
    ) -> Result<Response<Self::DeliverStream>, tonic::Status> {
        let response = self.deliver.deliver(request)?;
        if !self.late {
            return Ok(response);
        }
        let mut answers = response.into_inner();
        let mut next = answers.next().await;
        let (sender, receiver) = mpsc::channel(8);
        self.tasks.spawn("pass on", async move {
            while let Some(answer) = next {
                if sender.send(answer).await.is_err() {
                    return;
                }
                next = answers.next().await;
            }
        });
        Ok(Response::new(ReceiverStream::new(receiver)))
    }
}

impl Orderer {
    /// Takes an address.
    pub(crate) async fn bind(consortium: &Consortium) -> Self {
        let clients = [&consortium.users, &consortium.strangers, &consortium.orderers];
        let tls = consortium.orderers.server_tls(consortium.folder.path(), &clients);
        let tls = ServerTls::load(&tls).unwrap();
        let listener = Server::bind("127.0.0.1:0", Some(tls)).await.unwrap();
        let address = listener.local_address().to_string();
        Self { address, listener: Some(listener), late: false, tasks: Tasks::new() }
    }

    /// Serves with the settings of an orderer that demands client certificates.
    pub(crate) fn serve(&mut self, source: Arc<Served>) {
        self.serve_with(source, Config { tls_binding: true, ..Default::default() });
    }

    pub(crate) fn serve_with(&mut self, source: Arc<Served>, config: Config) {
        let deliver = Handler::new(source, OrdererDeliver, config, &self.tasks);
        let service = Service { deliver, late: self.late, tasks: self.tasks.clone() };
        let service = AtomicBroadcastServer::new(service);
        self.listener.take().unwrap().serve(Routes::new(service), &self.tasks);
    }

    /// Opens a stream as a client of an organization.
    pub(crate) async fn open(&self, server: &Org, tls: &node::tls::ClientTls) -> Stream {
        let roots = server.tls_roots();
        let channel = node::grpc::connect(&self.address, &roots, Some(tls), SOON).await.unwrap();
        let (requests, receiver) = mpsc::channel(8);
        let mut client = AtomicBroadcastClient::new(channel);
        let answers = client.deliver(ReceiverStream::new(receiver)).await.map(Response::into_inner);
        Stream { requests: Some(requests), answers }
    }

    pub(crate) async fn stop(&self) {
        assert!(self.tasks.shutdown(SOON).await.dropped.is_empty());
    }
}

/// One deliver stream.
pub(crate) struct Stream {
    requests: Option<mpsc::Sender<Envelope>>,
    pub(crate) answers: Result<Streaming<DeliverResponse>, tonic::Status>,
}

/// An answer: a block or the final status.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Answer {
    Block(Block),
    Status(Status),
    End,
    Failed(tonic::Code),
}

impl Stream {
    pub(crate) async fn ask(&self, envelope: Envelope) {
        self.requests.as_ref().unwrap().send(envelope).await.unwrap();
    }

    pub(crate) fn finish(&mut self) {
        self.requests = None;
    }

    pub(crate) async fn next(&mut self) -> Answer {
        let answers = self.answers.as_mut().unwrap();
        let answer = tokio::time::timeout(SOON, answers.message()).await.expect("an answer");
        match answer {
            Ok(Some(DeliverResponse { r#type: Some(Type::Block(block)) })) => Answer::Block(block),
            Ok(Some(DeliverResponse { r#type: Some(Type::Status(status)) })) => {
                Answer::Status(Status::try_from(status).unwrap())
            }
            Ok(Some(DeliverResponse { r#type: None })) => panic!("empty answer"),
            Ok(None) => Answer::End,
            Err(status) => Answer::Failed(status.code()),
        }
    }

    /// The numbers of the blocks up to the final status.
    pub(crate) async fn numbers(&mut self) -> (Vec<u64>, Status) {
        let mut numbers = Vec::new();
        loop {
            match self.next().await {
                Answer::Block(block) => numbers.push(proto::block::number(&block)),
                Answer::Status(status) => return (numbers, status),
                other => panic!("{other:?} after {numbers:?}"),
            }
        }
    }
}
