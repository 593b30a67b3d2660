//! Answering the requests of one stream.

use std::collections::VecDeque;
use std::sync::Arc;

use prost::Message as _;
use proto::block;
use proto::common::{Block, Envelope, Status};
use proto::orderer::SeekInfo;
use proto::orderer::seek_info::{SeekBehavior, SeekContentType, SeekErrorResponse};
use tokio::sync::watch;
use tonic::Streaming;

use super::access::{Access, Denied};
use super::request::{self, Range, Refused, TlsBinding};
use super::{Answers, Channel, Method, Session, Shared, Source};

/// Why a request is not answered to its end.
enum Ended {
    /// With a status for the client.
    Status(Status),
    /// The client is gone.
    Gone,
    /// The node stops.
    Stopped,
}

impl From<Denied> for Ended {
    fn from(denied: Denied) -> Self {
        tracing::debug!(reason = %denied, "deliver denied");
        Self::Status(Status::Forbidden)
    }
}

/// Answers requests until the client has no more, one fails, or the node stops.
pub(super) async fn serve<S: Source, M: Method<S::Channel>>(
    shared: &Arc<Shared<S, M>>,
    mut requests: Streaming<Envelope>,
    tls_hash: Option<[u8; 32]>,
    answers: Answers<M, S::Channel>,
) {
    loop {
        let envelope = tokio::select! {
            () = answers.closed() => return,
            () = shared.tasks.cancelled() => return stop(&answers).await,
            envelope = requests.message() => envelope,
        };
        let envelope = match envelope {
            Ok(Some(envelope)) => envelope,
            Ok(None) => return,
            Err(status) => {
                // What cannot be decoded is named, if somebody still listens.
                let _ = answers.send(Err(status)).await;
                return;
            }
        };
        let status = match answer(shared, envelope, tls_hash, &answers).await {
            Ok(()) => Status::Success,
            Err(Ended::Status(status)) => status,
            Err(Ended::Gone) => return,
            Err(Ended::Stopped) => return stop(&answers).await,
        };
        let sent = answers.send(Ok(shared.method.status(status))).await;
        if sent.is_err() || status != Status::Success {
            return;
        }
    }
}

/// Tells the client why the stream ends, if he still reads.
async fn stop<T>(answers: &tokio::sync::mpsc::Sender<Result<T, tonic::Status>>) {
    let _ = answers.try_send(Err(tonic::Status::unavailable("the server is shutting down")));
}

/// Answers one request with its blocks.
async fn answer<S: Source, M: Method<S::Channel>>(
    shared: &Arc<Shared<S, M>>,
    envelope: Envelope,
    tls_hash: Option<[u8; 32]>,
    answers: &Answers<M, S::Channel>,
) -> Result<(), Ended> {
    let tls = shared.config.tls_binding.then_some(TlsBinding { hash: tls_hash });
    let envelope = request::read(envelope, shared.config.time_window, tls).map_err(|error| {
        tracing::debug!(%error, "deliver request refused");
        Ended::Status(Status::BadRequest)
    })?;
    let channel_id = &envelope.channel_header.channel_id;
    let channel = shared.source.channel(channel_id).ok_or_else(|| {
        Ended::Status(match shared.source.is_closed(channel_id) {
            true => Status::ServiceUnavailable,
            false => Status::NotFound,
        })
    })?;
    let seek = request::seek(&envelope).map_err(|_| Ended::Status(Status::BadRequest))?;
    let ordering = match seek.error_response() {
        SeekErrorResponse::BestEffort => None,
        SeekErrorResponse::Strict => channel.ordering(),
    };
    if ordering.as_ref().is_some_and(|works| !*works.borrow()) {
        return Err(Ended::Status(Status::ServiceUnavailable));
    }
    let session = Session::new(&envelope);
    let mut access = Access::new(&session);
    access.check(&channel.bundle(), |bundle| shared.method.policy(bundle))?;
    let heights = channel.heights();
    let height = *heights.borrow();
    let range = request::range(&seek, channel.first_block(), height).map_err(|refused| {
        Ended::Status(match refused {
            Refused::BadRequest => Status::BadRequest,
            Refused::NotFound => Status::NotFound,
        })
    })?;
    tracing::debug!(channel = %channel_id, start = range.start, stop = range.stop, "deliver");
    let delivery = Delivery { shared, channel: &channel, session: &session, seek: &seek };
    let mut closing = channel.closing();
    let signals = Signals { heights, ordering };
    tokio::select! {
        ended = delivery.run(range, access, signals, answers) => ended,
        () = ends(&mut closing) => Err(Ended::Status(Status::ServiceUnavailable)),
    }
}

/// Returns when the channel is being closed.
async fn ends(closing: &mut Option<watch::Receiver<bool>>) {
    match closing {
        // A sender that is gone means the channel is, too.
        Some(closing) => drop(closing.wait_for(|closing| *closing).await),
        None => std::future::pending().await,
    }
}

/// One request being answered.
struct Delivery<'a, S: Source, M> {
    shared: &'a Arc<Shared<S, M>>,
    channel: &'a Arc<S::Channel>,
    session: &'a Session,
    seek: &'a SeekInfo,
}

/// What a delivery waits for.
struct Signals {
    heights: watch::Receiver<u64>,
    ordering: Option<watch::Receiver<bool>>,
}

impl Signals {
    /// Waits until there is a block of this number, and gives the height.
    async fn reach(&mut self, number: u64) -> Result<u64, Ended> {
        let Self { heights, ordering } = self;
        let broken = async {
            match ordering {
                Some(works) => {
                    // A sender that is gone means the channel is, too.
                    let _ = works.wait_for(|works| !works).await;
                }
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            height = heights.wait_for(|height| *height > number) => match height {
                Ok(height) => Ok(*height),
                Err(_) => Err(Ended::Status(Status::NotFound)),
            },
            () = broken => Err(Ended::Status(Status::ServiceUnavailable)),
        }
    }
}

impl<S: Source, M: Method<S::Channel>> Delivery<'_, S, M> {
    async fn run(
        &self,
        range: Range,
        mut access: Access<'_>,
        mut signals: Signals,
        answers: &Answers<M, S::Channel>,
    ) -> Result<(), Ended> {
        let mut ready = VecDeque::new();
        let mut number = range.start;
        loop {
            let height = *signals.heights.borrow();
            if self.seek.behavior() == SeekBehavior::FailIfNotReady && number >= height {
                return Err(Ended::Status(Status::NotFound));
            }
            if ready.is_empty() {
                let height = tokio::select! {
                    height = signals.reach(number) => height?,
                    () = answers.closed() => return Err(Ended::Gone),
                    () = self.shared.tasks.cancelled() => return Err(Ended::Stopped),
                };
                let last = if range.stop < number { u64::MAX } else { range.stop };
                ready = self.read(number, last.min(height.saturating_sub(1))).await?;
            }
            let Some(answer) = ready.pop_front() else {
                return Err(Ended::Status(Status::InternalServerError));
            };
            access.check(&self.channel.bundle(), |bundle| self.shared.method.policy(bundle))?;
            tokio::select! {
                sent = answers.send(Ok(answer.map_err(Ended::Status)?)) => {
                    sent.map_err(|_| Ended::Gone)?;
                }
                () = self.shared.tasks.cancelled() => return Err(Ended::Stopped),
            }
            if number == range.stop {
                return Ok(());
            }
            number += 1;
        }
    }

    /// Reads blocks up to `last`, as many as the bounds allow but at least one, and makes answers
    /// of them.
    async fn read(
        &self,
        number: u64,
        last: u64,
    ) -> Result<VecDeque<Result<M::Response, Status>>, Ended> {
        let (shared, channel) = (Arc::clone(self.shared), Arc::clone(self.channel));
        let session = self.session.clone();
        let headers_only = self.seek.content_type() == SeekContentType::HeaderWithSig;
        let work = move || {
            let mut answers = VecDeque::new();
            let mut bytes = 0;
            for number in number..=last {
                let block = match channel.block(number) {
                    Ok(block) => block,
                    Err(error) => {
                        tracing::error!(block = number, %error, "read block to deliver");
                        answers.push_back(Err(Status::InternalServerError));
                        break;
                    }
                };
                bytes += block.encoded_len();
                let block = if headers_only { without_data(block) } else { block };
                answers.push_back(shared.method.block(&channel, &session, block));
                let config = &shared.config;
                if answers.len() >= config.read_ahead_blocks_max
                    || bytes >= config.read_ahead_bytes_max
                {
                    break;
                }
            }
            answers
        };
        let name = format!("deliver {} read", M::NAME);
        let reading = self.shared.tasks.spawn_blocking(name, work);
        reading.await.map_err(|_| Ended::Status(Status::InternalServerError))
    }
}

/// Header and metadata of a block; a config block stays whole.
fn without_data(mut block: Block) -> Block {
    if !block::is_config(&block) {
        block.data = None;
    }
    block
}
