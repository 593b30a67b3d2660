//! Serving blocks: what both orderers and peers do when asked to deliver.
//!
//! A [`Handler`] answers the streams of one gRPC method. The node gives it a [`Source`] of
//! channels and a [`Method`], which says who may ask and what a block looks like in the answer.
//! On a stream requests are answered one after the other, each with its blocks and a final
//! status; any status but success ends the stream.

mod access;
mod method;
mod request;
mod stream;

use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use channel::Bundle;
use node::tasks::Tasks;
use proto::common::{Block, Envelope};
use serde::{Deserialize, Serialize};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

pub use access::Session;
pub use method::{Method, OrdererDeliver};

/// A channel blocks can be read from.
pub trait Channel: Send + Sync + 'static {
    /// The number of blocks, now and as it grows. When the sender goes away, the channel is no
    /// longer served.
    fn heights(&self) -> watch::Receiver<u64>;

    /// Reads a block below the height; may read from disk.
    fn block(&self, number: u64) -> Result<Block, Box<dyn StdError + Send + Sync>>;

    /// The current configuration.
    fn bundle(&self) -> Arc<Bundle>;

    /// Number of the first block held here: not 0 if the channel was joined by a snapshot.
    fn first_block(&self) -> u64 {
        0
    }

    /// Sees the channel being closed: then its streams end, and nothing holds it any more.
    fn closing(&self) -> Option<watch::Receiver<bool>> {
        None
    }

    /// Whether the ordering service works; `None` where that is not known or does not matter.
    fn ordering(&self) -> Option<watch::Receiver<bool>> {
        None
    }
}

/// Where channels are found.
pub trait Source: Send + Sync + 'static {
    /// What a channel is here.
    type Channel: Channel;

    /// The channel of a name, if it is served here.
    fn channel(&self, id: &str) -> Option<Arc<Self::Channel>>;

    /// Whether a channel that is not served now will be again.
    fn is_closed(&self, id: &str) -> bool {
        let _ = id;
        false
    }
}

/// Bounds of serving.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How many streams are served at a time.
    pub streams_max: usize,
    /// How many blocks wait for a reader who is slow.
    pub buffered_blocks_max: usize,
    /// How many blocks are read from disk at a time.
    pub read_ahead_blocks_max: usize,
    /// How many bytes of blocks are read from disk at a time; one block is always read.
    pub read_ahead_bytes_max: usize,
    /// How far the time in a request may be from ours.
    #[serde(with = "node::config::duration")]
    pub time_window: Duration,
    /// Whether a request must name the TLS certificate of its connection. On where client
    /// certificates are required.
    pub tls_binding: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            streams_max: 2500,
            buffered_blocks_max: 4,
            read_ahead_blocks_max: 8,
            read_ahead_bytes_max: 4 << 20,
            time_window: Duration::from_secs(15 * 60),
            tls_binding: false,
        }
    }
}

/// The answers of one stream.
pub type Answered<R> = ReceiverStream<Result<R, Status>>;

/// Where the answers of one stream go.
type Answers<M, C> = mpsc::Sender<Result<<M as Method<C>>::Response, Status>>;

/// Serves the streams of one method.
pub struct Handler<S: Source, M: Method<S::Channel>> {
    shared: Arc<Shared<S, M>>,
}

struct Shared<S, M> {
    source: Arc<S>,
    method: M,
    config: Config,
    tasks: Tasks,
    streams: Arc<Semaphore>,
}

impl<S: Source, M: Method<S::Channel>> Clone for Handler<S, M> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<S: Source, M: Method<S::Channel>> std::fmt::Debug for Handler<S, M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handler").field("method", &M::NAME).finish_non_exhaustive()
    }
}

impl<S: Source, M: Method<S::Channel>> Handler<S, M> {
    /// Serves `source` by `method`. All streams end when `tasks` is cancelled.
    pub fn new(source: Arc<S>, method: M, config: Config, tasks: &Tasks) -> Self {
        let streams = Arc::new(Semaphore::new(config.streams_max));
        let tasks = tasks.clone();
        Self { shared: Arc::new(Shared { source, method, config, tasks, streams }) }
    }

    /// Answers a stream of requests: the body of the gRPC method.
    pub fn deliver(
        &self,
        request: Request<Streaming<Envelope>>,
    ) -> Result<Response<Answered<M::Response>>, Status> {
        let shared = Arc::clone(&self.shared);
        let Ok(permit) = Arc::clone(&shared.streams).try_acquire_owned() else {
            let (name, limit) = (M::NAME, shared.config.streams_max);
            let text =
                format!("too many requests for {name}, exceeding concurrency limit ({limit})");
            return Err(Status::unknown(text));
        };
        let tls_hash = node::grpc::ClientCertificate::hash_of(&request);
        let (answers, receiver) = mpsc::channel(shared.config.buffered_blocks_max.max(1));
        let requests = request.into_inner();
        let tasks = shared.tasks.clone();
        tasks.spawn(format!("deliver {}", M::NAME), async move {
            stream::serve(&shared, requests, tls_hash, answers).await;
            drop(permit);
        });
        Ok(Response::new(ReceiverStream::new(receiver)))
    }
}
