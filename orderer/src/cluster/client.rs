//! The calling side.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use node::grpc::{Dial, MAX_MESSAGE_BYTES};
use node::tasks::Tasks;
use node::tls::{CertificateDer, ClientTls};
use parking_lot::Mutex;
use prost::Message;
use proto::common::{Envelope, Status};
use proto::orderer::cluster_client::ClusterClient;
use proto::orderer::{
    ConsensusRequest, StepRequest, StepResponse, SubmitRequest, step_request, step_response,
};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

use super::failed;
use crate::consensus::driver::Verdict;
use crate::message_processor::{Accepted, Rejection};

/// Messages handed to the connection ahead of what it has sent.
const AHEAD: usize = 16;
/// A stream that lasted so long was a good one.
const GOOD_STREAM: Duration = Duration::from_secs(2);

/// Another orderer, by its address.
#[derive(Debug)]
pub(super) struct Neighbour {
    address: String,
    /// Authorities that vouch for it, by channel, as of a configuration.
    roots: Mutex<BTreeMap<String, (u64, Vec<CertificateDer<'static>>)>>,
    connection: Mutex<Option<tonic::transport::Channel>>,
}

impl Neighbour {
    pub(super) fn new(address: String) -> Self {
        Self { address, roots: Mutex::default(), connection: Mutex::default() }
    }

    /// Takes over the authorities a channel's configuration names, if that is new.
    pub(super) fn trust(
        &self,
        channel: &str,
        sequence: u64,
        roots: impl FnOnce() -> Vec<CertificateDer<'static>>,
    ) {
        let mut known = self.roots.lock();
        if known.get(channel).is_some_and(|(of, _)| *of == sequence) {
            return;
        }
        known.insert(channel.to_owned(), (sequence, roots()));
        *self.connection.lock() = None;
    }

    fn connection(
        &self,
        identity: Option<&ClientTls>,
        timeout: Duration,
    ) -> Result<tonic::transport::Channel, String> {
        if let Some(connection) = &*self.connection.lock() {
            return Ok(connection.clone());
        }
        let known = self.roots.lock();
        let roots: Vec<_> = known.values().flat_map(|(_, roots)| roots.clone()).collect();
        drop(known);
        let roots = identity.map(|_| &roots[..]);
        let dial = Dial { address: &self.address, roots, identity, server_name: None, timeout };
        let connection = dial.connect_lazy().map_err(|error| error.to_string())?;
        *self.connection.lock() = Some(connection.clone());
        Ok(connection)
    }
}

type Forward = (StepRequest, oneshot::Sender<Verdict>);

/// What goes to one neighbour for one channel.
#[derive(Debug)]
pub(super) struct Link {
    messages: mpsc::Sender<StepRequest>,
    queued_bytes: Arc<AtomicUsize>,
    bytes_max: usize,
    forwards: mpsc::Sender<Forward>,
    tasks: Tasks,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.tasks.cancel();
    }
}

impl Link {
    pub(super) fn start(
        neighbour: Arc<Neighbour>,
        config: &crate::Cluster,
        identity: &Option<ClientTls>,
        tasks: &Tasks,
    ) -> Arc<Self> {
        let tasks = tasks.child();
        let (messages, outgoing) = mpsc::channel(config.queue_messages_max.max(1));
        let (forwards, forwarded) = mpsc::channel(config.forwards_max.max(1));
        let queued_bytes = Arc::new(AtomicUsize::new(0));
        let worker = Worker {
            neighbour,
            identity: identity.clone(),
            config: config.clone(),
            tasks: tasks.clone(),
        };
        let name = format!("messages to {}", worker.neighbour.address);
        tasks.spawn(name, worker.clone().send_messages(outgoing, queued_bytes.clone()));
        let name = format!("forwards to {}", worker.neighbour.address);
        tasks.spawn(name, worker.forward(forwarded));
        let bytes_max = config.queue_bytes_max;
        Arc::new(Self { messages, queued_bytes, bytes_max, forwards, tasks })
    }

    /// Queues a consensus message; false if it was dropped.
    pub(super) fn send(&self, channel: &str, payload: Bytes) -> bool {
        let size = payload.len();
        let queued = self.queued_bytes.fetch_add(size, Ordering::Relaxed);
        let request =
            ConsensusRequest { channel: channel.to_owned(), payload, metadata: Bytes::new() };
        let payload = Some(step_request::Payload::ConsensusRequest(request));
        // One message is always taken, however large it is.
        let fits = queued == 0 || queued + size <= self.bytes_max;
        let taken = fits && self.messages.try_send(StepRequest { payload }).is_ok();
        if !taken {
            self.queued_bytes.fetch_sub(size, Ordering::Relaxed);
        }
        taken
    }

    /// Queues an envelope; the receiver gets the neighbour's verdict.
    pub(super) async fn forward(
        &self,
        channel: &str,
        accepted: &Accepted,
    ) -> Result<oneshot::Receiver<Verdict>, Rejection> {
        let envelope = Envelope::decode(accepted.envelope.clone());
        let request = SubmitRequest {
            channel: channel.to_owned(),
            last_validation_seq: accepted.sequence,
            payload: Some(envelope.map_err(Rejection::bad_request)?),
        };
        let request = StepRequest { payload: Some(step_request::Payload::SubmitRequest(request)) };
        let (reply, verdict) = oneshot::channel();
        self.forwards.send((request, reply)).await.map_err(|_| failed("stopped"))?;
        Ok(verdict)
    }
}

#[derive(Clone)]
struct Worker {
    neighbour: Arc<Neighbour>,
    identity: Option<ClientTls>,
    config: crate::Cluster,
    tasks: Tasks,
}

impl Worker {
    /// Keeps a stream open and sends on it; what comes while there is none is dropped.
    async fn send_messages(self, mut queue: mpsc::Receiver<StepRequest>, bytes: Arc<AtomicUsize>) {
        let taken = |request: &StepRequest| {
            bytes.fetch_sub(size(request), Ordering::Relaxed);
        };
        let mut backoff = self.config.backoff_min;
        loop {
            let Some(first) = self.unless_cancelled(queue.recv()).await.flatten() else { return };
            taken(&first);
            let (outgoing, stream) = mpsc::channel(AHEAD);
            let started = Instant::now();
            let reason = match self.unless_cancelled(self.open(stream)).await {
                None => return,
                Some(Err(reason)) => reason,
                Some(Ok(mut answers)) => {
                    let _ = outgoing.send(first).await;
                    let pump = async {
                        while let Some(request) = queue.recv().await {
                            taken(&request);
                            if outgoing.send(request).await.is_err() {
                                break;
                            }
                        }
                    };
                    tokio::select! {
                        () = self.tasks.cancelled() => return,
                        () = pump => "stream closed".to_owned(),
                        answer = answers.message() => end_of(&answer),
                    }
                }
            };
            if started.elapsed() >= GOOD_STREAM {
                backoff = self.config.backoff_min;
            }
            tracing::debug!(address = %self.neighbour.address, %reason, "cluster stream ended");
            if self.unless_cancelled(tokio::time::sleep(backoff)).await.is_none() {
                return;
            }
            backoff = (backoff * 2).min(self.config.backoff_max);
            while let Ok(stale) = queue.try_recv() {
                taken(&stale);
            }
        }
    }

    /// Sends envelopes and hands out the answers, which come in the same order.
    async fn forward(self, mut queue: mpsc::Receiver<Forward>) {
        loop {
            let Some(first) = self.unless_cancelled(queue.recv()).await.flatten() else { return };
            let (outgoing, stream) = mpsc::channel(AHEAD);
            let opened = match self.unless_cancelled(self.open(stream)).await {
                None => return,
                Some(opened) => opened,
            };
            let mut waiting = VecDeque::new();
            let reason = match opened {
                Err(reason) => {
                    // Those behind it would only wait to hear the same.
                    waiting.push_back(first.1);
                    while let Ok((_, reply)) = queue.try_recv() {
                        waiting.push_back(reply);
                    }
                    reason
                }
                Ok(answers) => {
                    let work = exchange(
                        first,
                        &mut queue,
                        outgoing,
                        answers,
                        &mut waiting,
                        self.config.forwards_max,
                    );
                    match self.unless_cancelled(work).await {
                        None => return,
                        Some(reason) => reason,
                    }
                }
            };
            tracing::debug!(address = %self.neighbour.address, %reason, "forwarding ended");
            for reply in waiting {
                let _ = reply.send(Err(failed(&reason)));
            }
        }
    }

    async fn open(
        &self,
        outgoing: mpsc::Receiver<StepRequest>,
    ) -> Result<Streaming<StepResponse>, String> {
        let timeout = self.config.connect_timeout;
        let connection = self.neighbour.connection(self.identity.as_ref(), timeout)?;
        let mut client = ClusterClient::new(connection)
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES);
        let opening = client.step(ReceiverStream::new(outgoing));
        match tokio::time::timeout(timeout * 2, opening).await {
            Ok(Ok(response)) => Ok(response.into_inner()),
            Ok(Err(status)) => Err(format!("{:?}: {}", status.code(), status.message())),
            Err(_) => Err("no answer in time".to_owned()),
        }
    }

    async fn unless_cancelled<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            () = self.tasks.cancelled() => None,
            done = work => Some(done),
        }
    }
}

/// Runs one forwarding stream until it breaks; says why. Who still waits is left in `waiting`.
async fn exchange(
    first: Forward,
    queue: &mut mpsc::Receiver<Forward>,
    outgoing: mpsc::Sender<StepRequest>,
    mut answers: Streaming<StepResponse>,
    waiting: &mut VecDeque<oneshot::Sender<Verdict>>,
    waiting_max: usize,
) -> String {
    let mut next = Some(first);
    loop {
        if let Some((request, reply)) = next.take() {
            waiting.push_back(reply);
            if outgoing.send(request).await.is_err() {
                return "stream closed".to_owned();
            }
        }
        tokio::select! {
            answer = answers.message() => match &answer {
                Ok(Some(StepResponse { payload: Some(step_response::Payload::SubmitRes(res)) })) => {
                    let Some(reply) = waiting.pop_front() else {
                        return "answer without a question".to_owned();
                    };
                    let verdict = match Status::try_from(res.status) {
                        Ok(Status::Success) => Ok(()),
                        Ok(status) => Err(Rejection::new(status, res.info.clone())),
                        Err(_) => Err(Rejection::unavailable("leader answers an unknown status")),
                    };
                    let _ = reply.send(verdict);
                }
                other => return end_of(other),
            },
            forward = queue.recv(), if waiting.len() < waiting_max => match forward {
                Some(forward) => next = Some(forward),
                None => return "stopped".to_owned(),
            },
        }
    }
}

fn end_of(answer: &Result<Option<StepResponse>, tonic::Status>) -> String {
    match answer {
        Ok(None) => "ended by the other side".to_owned(),
        Ok(Some(_)) => "unexpected answer".to_owned(),
        Err(status) => format!("{:?}: {}", status.code(), status.message()),
    }
}

fn size(request: &StepRequest) -> usize {
    match &request.payload {
        Some(step_request::Payload::ConsensusRequest(request)) => request.payload.len(),
        _ => 0,
    }
}
