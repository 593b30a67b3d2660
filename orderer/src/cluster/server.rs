//! The answering side.

use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::FuturesOrdered;
use node::grpc::ClientCertificate;
use node::tasks::Tasks;
use proto::common::{HeaderType, Status as Code};
use proto::envelope::{self, Envelope};
use proto::orderer::{
    ConsensusRequest, StepRequest, StepResponse, SubmitRequest, SubmitResponse, cluster_server,
    step_request, step_response,
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use crate::channels::{Channel, Registry};
use crate::consensus::NodeId;
use crate::message_processor::{Accepted, Rejection};
use crate::metrics::Metrics;

/// The `Cluster` service.
#[derive(Debug, Clone)]
pub(crate) struct Service {
    pub(crate) registry: Arc<Registry>,
    pub(crate) forwards_max: usize,
    pub(crate) metrics: Metrics,
    pub(crate) tasks: Tasks,
}

type Answers = mpsc::Sender<Result<StepResponse, Status>>;

#[tonic::async_trait]
impl cluster_server::Cluster for Service {
    type StepStream = ReceiverStream<Result<StepResponse, Status>>;

    async fn step(
        &self,
        request: Request<Streaming<StepRequest>>,
    ) -> Result<Response<Self::StepStream>, Status> {
        let certificate = ClientCertificate::of(&request).ok_or_else(|| {
            self.metrics.strangers.inc();
            Status::unauthenticated("access denied, no client TLS certificate")
        })?;
        let (answers, stream) = mpsc::channel(16);
        let (service, requests) = (self.clone(), request.into_inner());
        self.tasks.spawn("cluster stream", async move {
            let cancelled = service.tasks.cancelled();
            let mut caller = Caller { certificate, known: None };
            tokio::select! {
                () = cancelled => {}
                end = service.serve(requests, &mut caller, &answers) => if let Err(status) = end {
                    let _ = answers.send(Err(status)).await;
                },
            }
        });
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}

/// Who is at the other end.
struct Caller {
    certificate: Bytes,
    /// Channel and configuration under which the caller was found, and its id there.
    known: Option<(String, u64, NodeId)>,
}

impl Service {
    async fn serve(
        &self,
        mut requests: Streaming<StepRequest>,
        caller: &mut Caller,
        answers: &Answers,
    ) -> Result<(), Status> {
        let mut pending = FuturesOrdered::new();
        let mut more = true;
        while more || !pending.is_empty() {
            tokio::select! {
                Some(answer) = pending.next(), if !pending.is_empty() => {
                    if answers.send(Ok(answer)).await.is_err() {
                        return Ok(());
                    }
                }
                request = requests.message(), if more && pending.len() < self.forwards_max => {
                    // Who has ended its side still gets its answers.
                    let Some(request) = request? else {
                        more = false;
                        continue;
                    };
                    match request.payload {
                        Some(step_request::Payload::ConsensusRequest(request)) => {
                            self.take_message(caller, request)?;
                        }
                        Some(step_request::Payload::SubmitRequest(request)) => {
                            let (channel, _) = self.authenticate(caller, &request.channel)?;
                            pending.push_back(submit(channel, request).await);
                        }
                        None => return Err(Status::invalid_argument("empty step request")),
                    }
                }
            }
        }
        Ok(())
    }

    /// Finds the channel and the caller's place in it.
    fn authenticate(
        &self,
        caller: &mut Caller,
        channel_id: &str,
    ) -> Result<(Arc<Channel>, NodeId), Status> {
        let channel = self.registry.get(channel_id);
        let channel = channel.ok_or_else(|| Status::not_found("channel does not exist"))?;
        let state = channel.state();
        let sequence = state.bundle.sequence();
        match &caller.known {
            Some((id, at, node)) if id == channel_id && *at == sequence => Ok((channel, *node)),
            _ => match state.consenters.by_certificate(&caller.certificate) {
                Some(consenter) => {
                    caller.known = Some((channel_id.to_owned(), sequence, consenter.id));
                    Ok((channel, consenter.id))
                }
                None => {
                    self.metrics.strangers.inc();
                    tracing::warn!(channel = channel_id, "cluster request of a stranger refused");
                    let text = "access denied, certificate is not in the consenter set";
                    Err(Status::permission_denied(text))
                }
            },
        }
    }

    fn take_message(&self, caller: &mut Caller, request: ConsensusRequest) -> Result<(), Status> {
        let (channel, from) = self.authenticate(caller, &request.channel)?;
        if let Some(inlet) = channel.inlet.load_full()
            && inlet.messages.try_send((from, request.payload)).is_err()
        {
            self.metrics.dropped.inc();
        }
        Ok(())
    }
}

/// Queues an envelope; the answer comes when its fate is known.
async fn submit(
    channel: Arc<Channel>,
    request: SubmitRequest,
) -> impl Future<Output = StepResponse> + use<> {
    let queued = match accept(&request) {
        Ok(accepted) => Ok(channel.order_here(accepted).await),
        Err(rejection) => Err(rejection),
    };
    async move {
        let verdict = match queued {
            Ok(verdict) => verdict.await,
            Err(rejection) => Err(rejection),
        };
        let (status, info) = match verdict {
            Ok(()) => (Code::Success, String::new()),
            Err(Rejection { status, info }) => (status, info),
        };
        let answer = SubmitResponse { channel: request.channel, status: status.into(), info };
        StepResponse { payload: Some(step_response::Payload::SubmitRes(answer)) }
    }
}

/// An envelope another orderer has checked. What it says about itself is read again here.
fn accept(request: &SubmitRequest) -> Result<Accepted, Rejection> {
    let envelope = request.payload.clone().unwrap_or_default();
    let peeled = Envelope::peel(envelope).map_err(Rejection::bad_request)?;
    if peeled.channel_header.channel_id != request.channel {
        return Err(Rejection::bad_request("envelope is for another channel"));
    }
    if peeled.payload.is_empty() || peeled.signature.is_empty() {
        return Err(Rejection::bad_request("Message was empty"));
    }
    Ok(Accepted {
        envelope: envelope::encode(&peeled.payload, &peeled.signature),
        size: peeled.payload.len() + peeled.signature.len(),
        config: peeled.channel_header.r#type == HeaderType::Config as i32,
        sequence: request.last_validation_seq,
    })
}
