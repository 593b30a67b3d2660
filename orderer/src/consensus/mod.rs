//! Consensus: agreeing on the order of batches, as a pure core and a thin shell.
//!
//! A [`Consenter`] knows neither clock, disk nor socket. It takes one [`Input`] at a time and says
//! what must be done as a list of [`Effect`]s. The [`driver`] is the only place where they happen:
//! write-ahead log, sending, writing blocks. The tests' simulator performs them against a made-up
//! network and disk under one seed, so that the same core is run through loss, partition and crash.
//!
//! To add a consensus: a folder here that implements [`Consenter`], and one arm in [`driver`].

pub(crate) mod driver;
pub mod raft;
#[cfg(test)]
mod simulator;

use bytes::Bytes;

/// A consenter of one channel; given out by the channel's block metadata, never used twice.
pub type NodeId = u64;

/// Marks a batch at the node that proposed it, to tell what became of it.
pub type Ticket = u64;

/// A consensus algorithm for one channel, free of I/O and of clocks.
pub trait Consenter: Send {
    /// Consumes one input and appends what must be done, in order.
    fn step(&mut self, input: Input, effects: &mut Vec<Effect>);
}

/// Something that happened.
#[derive(Debug, Clone)]
pub enum Input {
    /// This node wants a batch ordered.
    Order {
        /// Names the batch in [`Effect::Commit`] and [`Effect::Refused`].
        ticket: Ticket,
        /// What shall become a block.
        batch: Batch,
    },
    /// Bytes from another consenter, whose identity the transport has proved.
    Message {
        /// Who sent it.
        from: NodeId,
        /// What it sent; not yet trusted.
        bytes: Bytes,
    },
    /// Everything up to this [`Effect::Persist`] is on disk.
    Persisted(u64),
    /// The ledger was extended by blocks of another orderer and now ends here.
    CaughtUp(Position),
    /// Time has passed.
    Tick,
}

/// Something that must be done, in the order given.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Append a record to the write-ahead log and answer [`Input::Persisted`] once it is durable.
    Persist {
        /// Counts up with every `Persist` and `Compact`.
        number: u64,
        /// Opaque to the log.
        record: Bytes,
    },
    /// Replace the whole write-ahead log by this record; answered like `Persist`.
    Compact {
        /// Counts up with every `Persist` and `Compact`.
        number: u64,
        /// Says all that the log said so far.
        record: Bytes,
    },
    /// Send bytes to another consenter. They may be lost.
    Send {
        /// To whom.
        to: NodeId,
        /// What.
        bytes: Bytes,
    },
    /// The batch is final: it becomes the next block, which must be durable before what follows.
    Commit {
        /// The content of the block.
        batch: Batch,
        /// Where it stands in the agreed order.
        proof: Proof,
        /// Set if it was ordered by this node, in this process.
        ticket: Option<Ticket>,
    },
    /// The ticket's batch was not accepted, or this node cannot know what becomes of it.
    Refused(Ticket, Refusal),
    /// The log no longer reaches back to this node's last block: fetch blocks, preferably from
    /// `from`, until the ledger has `height` of them, then answer [`Input::CaughtUp`]. No batch is
    /// committed meanwhile.
    CatchUp {
        /// Who is known to have them.
        from: NodeId,
        /// How many blocks the ledger must hold.
        height: u64,
    },
    /// Who leads has changed, or who can be reached.
    Status(Status),
}

/// The content of one block to be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    /// Encoded envelopes in their order.
    pub envelopes: Vec<Bytes>,
    /// The only envelope changes the configuration.
    pub config: bool,
    /// How that configuration changes the consenter set.
    pub change: Option<Change>,
}

/// A change of the consenter set. One at a time, so that old and new quorums overlap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// A new consenter takes part.
    Add(NodeId),
    /// A consenter leaves.
    Remove(NodeId),
}

/// Where a batch stands in the agreed order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proof {
    /// Index of the log entry; recorded in the block.
    pub index: u64,
    /// Term of the log entry.
    pub term: u64,
}

/// The end of a ledger.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Position {
    /// Number of blocks.
    pub height: u64,
    /// Log index recorded in the last block.
    pub index: u64,
}

/// Why a batch was not ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// This node does not lead, or has just begun to and has not seen the whole log yet.
    #[error("this node is not the leader")]
    NotLeader,
    /// Too much is in flight.
    #[error("too many batches are in flight")]
    Busy,
    /// Leadership was lost before the batch was final: it may or may not be ordered.
    #[error("leadership was lost before the batch was final")]
    LeadershipLost,
}

/// What a consenter knows about its cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Status {
    /// Who leads, if known.
    pub leader: Option<NodeId>,
    /// The present term.
    pub term: u64,
    /// This node leads and accepts batches.
    pub ready: bool,
    /// On the leader: consenters heard of lately, itself included.
    pub alive: Vec<NodeId>,
}
