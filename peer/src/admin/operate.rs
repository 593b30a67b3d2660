//! Carrying out an operation and telling how far it is.

use std::time::Duration;

use proto::gauze::peer::Progress;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::convert;
use super::service::Inner;
use crate::channels::{self, Operation, State};

/// How often progress is told.
const TELL: Duration = Duration::from_millis(100);

pub(super) type Reports = ReceiverStream<Result<Progress, Status>>;

/// Begins an operation. It goes on whether or not anybody listens.
pub(super) fn operate(
    inner: &Inner,
    channel: &str,
    operation: Operation,
) -> Result<Reports, Status> {
    let channels = inner.channels.clone();
    let states = channels.watch_state(channel);
    let begun = channels.begin(channel, operation).map_err(|error| convert::refused(&error))?;
    let drain = inner.config.drain_timeout;
    tracing::info!(channel, %operation, "administration begins");
    let name = format!("{operation} {channel}");
    let running = inner.tasks.spawn_blocking(name.clone(), move || begun.run(drain));
    let (sender, receiver) = mpsc::channel(2);
    let report = Report { channel: channel.to_owned(), operation, running, states };
    inner.tasks.spawn(format!("report {name}"), async move {
        report.run(&channels, sender).await;
    });
    Ok(ReceiverStream::new(receiver))
}

/// An operation being reported on.
struct Report {
    channel: String,
    operation: Operation,
    running: JoinHandle<Result<(), channels::Error>>,
    states: Option<watch::Receiver<State>>,
}

impl Report {
    async fn run(
        mut self,
        channels: &channels::Channels,
        sender: mpsc::Sender<Result<Progress, Status>>,
    ) {
        let mut ticks = tokio::time::interval(TELL);
        let outcome = loop {
            tokio::select! {
                outcome = &mut self.running => break outcome,
                _ = ticks.tick() => {
                    let work = self.states.as_ref().and_then(|states| match &*states.borrow() {
                        State::Rebuilding(work) => Some(convert::work(*work)),
                        _ => None,
                    });
                    if let Some(work) = work {
                        // Who reads slowly misses some; who is gone misses nothing.
                        let _ = sender.try_send(Ok(Progress { work: Some(work), outcome: None }));
                    }
                }
            }
        };
        let (channel, operation) = (&self.channel, self.operation);
        let last = match outcome {
            Ok(Ok(())) => {
                tracing::info!(channel, %operation, "administration is done");
                let gone = proto::gauze::peer::ChannelStatus::default;
                let outcome = channels.status(channel).map(|status| convert::status(&status));
                let outcome = Some(outcome.unwrap_or_else(gone));
                Ok(Progress { work: None, outcome })
            }
            Ok(Err(error)) => {
                let status = convert::refused(&error);
                tracing::error!(channel, %operation, error = status.message(), "administration");
                Err(status)
            }
            Err(_) => Err(Status::internal(format!("{operation} met a defect of this peer"))),
        };
        let _ = sender.send(last).await;
    }
}
