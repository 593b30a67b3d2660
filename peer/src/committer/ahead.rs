//! Blocks between the wire and their commit: signatures are verified in several at a time.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock};

use channel::Bundle;
use proto::common::Block;
use rayon::{ThreadPool, ThreadPoolBuilder};
use tokio::sync::{mpsc, oneshot};

use super::Error;
use crate::validator::Prepared;

/// A block whose signatures are being verified.
type Ahead = oneshot::Receiver<(Block, Prepared)>;

/// A queue of at most `blocks_max` blocks that are prepared in parallel and come out in order.
pub fn queue(blocks_max: usize) -> (Feed, Blocks) {
    let (sender, receiver) = mpsc::channel(blocks_max.max(1));
    (Feed(sender), Blocks { queue: receiver, next: None })
}

/// Where blocks go in.
#[derive(Debug, Clone)]
pub struct Feed(mpsc::Sender<Ahead>);

impl Feed {
    /// Begins to prepare a block under a configuration, once there is room. False if nobody takes
    /// blocks any more.
    pub async fn send(&self, block: Block, bundle: Arc<Bundle>) -> bool {
        let Ok(room) = self.0.reserve().await else { return false };
        room.send(prepare(block, bundle));
        true
    }
}

/// Threads of their own, as many as there are cores: judging a block, which is short, must not queue
/// behind the signatures of all blocks ahead.
static THREADS: LazyLock<Option<ThreadPool>> = LazyLock::new(|| {
    let builder = ThreadPoolBuilder::new().thread_name(|index| format!("prepare {index}"));
    builder.build().inspect_err(|error| tracing::warn!(%error, "start threads")).ok()
});

fn prepare(block: Block, bundle: Arc<Bundle>) -> Ahead {
    let (sender, receiver) = oneshot::channel();
    let work = move || {
        let prepared = catch_unwind(AssertUnwindSafe(|| Prepared::new(&block, bundle)));
        // A receiver that gets no answer knows why; where there is none, nobody asks.
        if let Ok(prepared) = prepared {
            let _ = sender.send((block, prepared));
        }
    };
    match &*THREADS {
        Some(threads) => threads.spawn(work),
        None => rayon::spawn(work),
    }
    receiver
}

/// Where prepared blocks come out.
#[derive(Debug)]
pub struct Blocks {
    queue: mpsc::Receiver<Ahead>,
    /// The next block, which was not ready when it was asked for.
    next: Option<Ahead>,
}

impl Blocks {
    /// Waits for the next block; nothing after the last one.
    pub(super) fn wait(&mut self) -> Result<Option<(Block, Prepared)>, Error> {
        let Some(next) = self.next.take().or_else(|| self.queue.blocking_recv()) else {
            return Ok(None);
        };
        next.blocking_recv().map(Some).map_err(|_| Error::Panicked)
    }

    /// The next block if it is ready.
    pub(super) fn ready(&mut self) -> Result<Option<(Block, Prepared)>, Error> {
        let Some(mut next) = self.next.take().or_else(|| self.queue.try_recv().ok()) else {
            return Ok(None);
        };
        match next.try_recv() {
            Ok(prepared) => Ok(Some(prepared)),
            Err(oneshot::error::TryRecvError::Closed) => Err(Error::Panicked),
            Err(oneshot::error::TryRecvError::Empty) => {
                self.next = Some(next);
                Ok(None)
            }
        }
    }
}
