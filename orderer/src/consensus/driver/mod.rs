//! The shell around a consensus core: the only place where its effects happen.
//!
//! One thread per channel takes what came in since the last round (messages, envelopes, time),
//! lets the core and the leader's [`pipeline`] think about it, and does what they ask for: all
//! records of a round go to the [write-ahead log](wal) with one write and one sync. A panic of the
//! core is caught here; the core is then rebuilt from its log. A failing disk stops the channel.

mod pipeline;
mod round;
pub(crate) mod wal;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use node::tasks::Tasks;
use proto::common::Block;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior};

pub(crate) use pipeline::{Submission, Verdict};

use super::raft::{self, Raft};
use super::{Consenter, Effect, Input, NodeId, Status};
use crate::block_cutter::Limits;
use crate::channels::{BlockWriter, State, WriteError};
use crate::cluster::Cluster;
use crate::message_processor::Processor;
use crate::metrics::ChannelMetrics;
use crate::onboarding::Fetcher;
use pipeline::Pipeline;

/// Messages and envelopes taken in one round.
const ROUND_MAX: usize = 1024;

/// Why consensus cannot go on in this channel.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The write-ahead log.
    #[error(transparent)]
    Wal(#[from] wal::Error),
    /// The log's content.
    #[error("rebuild the Raft log")]
    Raft(#[from] raft::Error),
    /// A block could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The core panicked too often.
    #[error("the consensus core panicked {0} times")]
    Panicked(u32),
    /// The consensus settings of the channel cannot be used.
    #[error("consensus settings: {0}")]
    Settings(&'static str),
    /// A marker file could not be written.
    #[error("write {}", path.display())]
    Marker {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
}

/// How a driver ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// It was asked to.
    Stopped,
    /// The newest configuration does not list this node any more.
    Evicted,
}

/// What a driver needs.
pub(crate) struct Setup {
    pub(crate) channel: String,
    pub(crate) id: NodeId,
    /// Consenters of the genesis block.
    pub(crate) genesis: Vec<NodeId>,
    /// Folder of the channel.
    pub(crate) directory: PathBuf,
    pub(crate) writer: BlockWriter,
    pub(crate) state: Arc<ArcSwap<State>>,
    pub(crate) processor: Processor,
    pub(crate) config: crate::Consensus,
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) fetcher: Fetcher,
    pub(crate) metrics: ChannelMetrics,
    pub(crate) status: watch::Sender<Status>,
    pub(crate) tasks: Tasks,
}

/// What comes in.
pub(crate) struct Inbox {
    pub(crate) submissions: mpsc::Receiver<Submission>,
    pub(crate) messages: mpsc::Receiver<(NodeId, Bytes)>,
}

pub(crate) struct Driver {
    setup: Setup,
    core: Box<dyn Consenter>,
    wal: wal::Wal,
    pipeline: Pipeline,
    status: Status,
    effects: Vec<Effect>,
    blocks: (mpsc::Sender<Block>, mpsc::Receiver<Block>),
    /// Blocks are being fetched, up to this height if it is known.
    fetching: Option<(Option<u64>, Tasks)>,
    leaderless_ticks: u32,
    restarts: u32,
    evicted: bool,
}

/// The channel's settings that matter here.
struct Settings {
    tick: Duration,
    election_ticks: u32,
    heartbeat_ticks: u32,
    flights_max: usize,
    compact_bytes: u64,
    batch_timeout: Duration,
    limits: Limits,
}

impl Driver {
    /// Opens the write-ahead log and starts the core.
    pub(crate) fn open(setup: Setup) -> Result<Self, Error> {
        let settings = Settings::read(&setup)?;
        let mut effects = Vec::new();
        let (core, wal) = start_core(&setup, &settings, &mut effects)?;
        Ok(Self {
            core,
            wal,
            pipeline: Pipeline::new(settings.limits),
            status: Status::default(),
            effects,
            blocks: mpsc::channel(64),
            fetching: None,
            leaderless_ticks: 0,
            restarts: 0,
            evicted: false,
            setup,
        })
    }

    /// Runs until stopped, evicted or broken.
    pub(crate) async fn run(mut self, mut inbox: Inbox) -> Result<Ended, Error> {
        let ended = self.work(&mut inbox).await;
        self.pipeline.refuse_all("the channel is not ordered here any more");
        if let Some((_, tasks)) = self.fetching.take() {
            tasks.cancel();
        }
        inbox.submissions.close();
        self.setup.status.send_replace(Status::default());
        ended
    }

    async fn work(&mut self, inbox: &mut Inbox) -> Result<Ended, Error> {
        let mut ticks = tokio::time::interval(Settings::read(&self.setup)?.tick);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let stop = self.setup.tasks.clone();
        self.perform()?;
        while !self.evicted {
            let settings = Settings::read(&self.setup)?;
            let leads_soon = self.status.leader == Some(self.setup.id) && !self.status.ready;
            let accepts =
                !leads_soon && (!self.status.ready || self.pipeline.is_open(settings.flights_max));
            let timer = self.pipeline.waiting_since().map(|since| since + settings.batch_timeout);
            let at = timer.unwrap_or_else(Instant::now);
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(Ended::Stopped),
                _ = ticks.tick() => self.tick(&settings)?,
                Some((from, bytes)) = inbox.messages.recv() => {
                    self.step(Input::Message { from, bytes })?;
                }
                Some(block) = self.blocks.1.recv() => self.fetched(&block)?,
                Some(submission) = inbox.submissions.recv(), if accepts => self.submit(submission)?,
                () = tokio::time::sleep_until(at), if timer.is_some() => self.cut()?,
            }
            self.take_more(inbox, &settings)?;
            self.perform()?;
        }
        Ok(Ended::Evicted)
    }

    /// Takes what else is there already, so that one sync serves it all.
    fn take_more(&mut self, inbox: &mut Inbox, settings: &Settings) -> Result<(), Error> {
        for _ in 0..ROUND_MAX {
            let Ok((from, bytes)) = inbox.messages.try_recv() else { break };
            self.step(Input::Message { from, bytes })?;
        }
        for _ in 0..ROUND_MAX {
            if !self.status.ready || !self.pipeline.is_open(settings.flights_max) {
                break;
            }
            let Ok(submission) = inbox.submissions.try_recv() else { break };
            self.submit(submission)?;
        }
        if self.setup.config.early_cut
            && let Some(input) = self.pipeline.cut_if_idle()
        {
            self.step(input)?;
        }
        Ok(())
    }
}

impl Settings {
    fn read(setup: &Setup) -> Result<Self, Error> {
        let bundle = setup.state.load().bundle.clone();
        let orderer = bundle.orderer().ok_or(Error::Settings("no orderer section"))?;
        let options = orderer
            .raft()
            .and_then(|raft| raft.options.as_ref())
            .ok_or(Error::Settings("no Raft options"))?;
        let tick = channel::duration::parse(&options.tick_interval);
        let tick = Some(setup.config.tick_interval).filter(|tick| !tick.is_zero()).or(tick);
        Ok(Self {
            tick: tick.filter(|t| !t.is_zero()).ok_or(Error::Settings("no tick interval"))?,
            election_ticks: options.election_tick,
            heartbeat_ticks: options.heartbeat_tick,
            flights_max: options.max_inflight_blocks.max(1) as usize,
            compact_bytes: u64::from(options.snapshot_interval_size).max(1 << 16),
            batch_timeout: orderer.batch_timeout,
            limits: Limits {
                count_max: orderer.batch_size.max_message_count as usize,
                bytes_preferred: orderer.batch_size.preferred_max_bytes as usize,
            },
        })
    }
}

/// Starts the core from its log. A node that takes part for the first time leaves a marker beside
/// the log, so that a log that vanished later is noticed.
fn start_core(
    setup: &Setup,
    settings: &Settings,
    effects: &mut Vec<Effect>,
) -> Result<(Box<dyn Consenter>, wal::Wal), Error> {
    let (mut wal, records) = wal::Wal::open(&setup.directory.join("consensus"))?;
    let marker = setup.directory.join(format!("consenter-{}", setup.id));
    let lost_log = records.is_empty() && marker.exists();
    if lost_log {
        tracing::error!(
            channel = %setup.channel,
            "the write-ahead log is gone: this node does not vote until it has caught up"
        );
    }
    if records.is_empty() && !lost_log {
        wal.append(&[Raft::empty_record()])?;
        std::fs::write(&marker, b"").map_err(|source| Error::Marker { path: marker, source })?;
    }
    let options = raft::Options {
        election_ticks: settings.election_ticks as usize,
        heartbeat_ticks: settings.heartbeat_ticks as usize,
        compact_bytes: settings.compact_bytes,
        compact_keep: setup.config.compact_keep,
        held_bytes_max: setup.config.held_bytes_max,
        lost_log,
        seed: rand::random(),
        ..raft::Options::new(setup.id, setup.genesis.clone())
    };
    let core = Raft::start(options, &records, setup.writer.tip(), effects)?;
    Ok((Box::new(core), wal))
}
