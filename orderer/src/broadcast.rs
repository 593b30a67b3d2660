//! `Broadcast`: takes envelopes and answers each, in order, once it is final or refused.
//!
//! Fabric answers as soon as the leader has taken an envelope. Here `SUCCESS` says that it is
//! agreed on and on the disks of a majority, so nothing acknowledged is ever lost. A stream carries
//! many envelopes at a time, so the wait costs no throughput.

use std::sync::Arc;

use futures::StreamExt;
use futures::stream::FuturesOrdered;
use node::tasks::Tasks;
use proto::common::{self, Status as Code};
use proto::envelope::Envelope;
use proto::orderer::BroadcastResponse;
use tokio::sync::{Semaphore, mpsc};
use tonic::{Status, Streaming};

use crate::channels::Registry;
use crate::consensus::driver::Verdict;
use crate::message_processor::{Processor, Rejection};
use crate::metrics::{Answer, Metrics};

/// Serves Broadcast streams.
#[derive(Debug, Clone)]
pub(crate) struct Handler {
    registry: Arc<Registry>,
    processor: Processor,
    config: crate::Broadcast,
    streams: Arc<Semaphore>,
    metrics: Metrics,
    tasks: Tasks,
}

pub(crate) type Answers = mpsc::Receiver<Result<BroadcastResponse, Status>>;

impl Handler {
    pub(crate) fn new(
        registry: Arc<Registry>,
        processor: Processor,
        config: crate::Broadcast,
        metrics: Metrics,
        tasks: &Tasks,
    ) -> Self {
        let streams = Arc::new(Semaphore::new(config.streams_max));
        Self { registry, processor, config, streams, metrics, tasks: tasks.clone() }
    }

    /// Answers a stream of envelopes: the body of the gRPC method.
    pub(crate) fn broadcast(
        &self,
        envelopes: Streaming<common::Envelope>,
    ) -> Result<Answers, Status> {
        let Ok(permit) = Arc::clone(&self.streams).try_acquire_owned() else {
            let limit = self.config.streams_max;
            return Err(Status::resource_exhausted(format!(
                "too many requests for /orderer.AtomicBroadcast/Broadcast, exceeding concurrency \
                 limit ({limit})"
            )));
        };
        let (answers, stream) = mpsc::channel(64);
        let handler = self.clone();
        self.tasks.spawn("broadcast stream", async move {
            let cancelled = handler.tasks.cancelled();
            tokio::select! {
                () = cancelled => {}
                () = handler.serve(envelopes, &answers) => {}
            }
            drop(permit);
        });
        Ok(stream)
    }

    async fn serve(
        &self,
        mut envelopes: Streaming<common::Envelope>,
        answers: &mpsc::Sender<Result<BroadcastResponse, Status>>,
    ) {
        let mut pending = FuturesOrdered::new();
        let (mut more, mut broken) = (true, None);
        while more || !pending.is_empty() {
            tokio::select! {
                Some(verdict) = pending.next(), if !pending.is_empty() => {
                    let answer = self.answer(verdict);
                    // Any answer but success is the last one of a stream.
                    let last = answer.status != Code::Success as i32;
                    if answers.send(Ok(answer)).await.is_err() || last {
                        return;
                    }
                }
                envelope = envelopes.message(), if more && pending.len() < self.config.pipeline_max => {
                    match envelope {
                        Ok(Some(envelope)) => pending.push_back(self.take(envelope).await),
                        // Who has ended its side still gets its answers.
                        Ok(None) => more = false,
                        Err(status) => (more, broken) = (false, Some(status)),
                    }
                }
            }
        }
        if let Some(status) = broken {
            // What cannot be decoded is named, if somebody still listens.
            let _ = answers.send(Err(status)).await;
        }
    }

    /// Checks an envelope and queues it, in the order of the stream; the future returned waits.
    async fn take(&self, envelope: common::Envelope) -> impl Future<Output = Verdict> + use<> {
        let queued = match self.check(envelope) {
            Ok((channel, accepted)) => Ok(channel.order(accepted).await),
            Err(rejection) => Err(rejection),
        };
        async move {
            match queued {
                Ok(verdict) => verdict.await,
                Err(rejection) => Err(rejection),
            }
        }
    }

    fn check(
        &self,
        envelope: common::Envelope,
    ) -> Result<(Arc<crate::channels::Channel>, crate::message_processor::Accepted), Rejection>
    {
        if envelope.payload.is_empty() {
            return Err(Rejection::bad_request("Message was empty"));
        }
        let peeled = Envelope::peel(envelope).map_err(|error| {
            Rejection::bad_request(format_args!("could not determine channel ID: {error}"))
        })?;
        let channel = self.registry.get(&peeled.channel_header.channel_id);
        let channel = channel.ok_or_else(|| Rejection::bad_request("channel does not exist"))?;
        let accepted = self.processor.process(&channel.state().bundle, &peeled)?;
        tracing::debug!(
            channel = channel.id(), tx_id = %peeled.channel_header.tx_id, "envelope accepted"
        );
        Ok((channel, accepted))
    }

    fn answer(&self, verdict: Verdict) -> BroadcastResponse {
        let (status, info) = match verdict {
            Ok(()) => (Code::Success, String::new()),
            Err(Rejection { status, info }) => (status, info),
        };
        self.metrics.answers.get_or_create(&Answer { status: status.as_str_name() }).inc();
        BroadcastResponse { status: status.into(), info }
    }
}
