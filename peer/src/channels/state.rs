//! What a channel is doing, and what that means to those who want something of it.

use std::fmt;

/// What a channel is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Blocks are fetched, validated and committed; requests are served.
    Running,
    /// The ledger is closed until an administrator resumes the channel.
    Paused,
    /// An operation is under way; the ledger is closed.
    Rebuilding(Work),
    /// The channel stopped; an administrator has to act. What can be read is still served if the
    /// ledger is open.
    Failed {
        /// What happened.
        reason: String,
    },
}

/// How far an operation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Work {
    /// The operation.
    pub operation: Operation,
    /// Blocks or files that are done.
    pub done: u64,
    /// All of them; 0 if that is not known yet.
    pub total: u64,
}

/// What an administrator does to a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Stop and close it until it is resumed, also after a restart.
    Pause,
    /// Start it again.
    Resume,
    /// Derive state, history and indexes from the blocks again.
    Rebuild,
    /// Remove the blocks behind one.
    Rollback {
        /// The newest block that stays.
        to: u64,
    },
    /// Remove all blocks but the first.
    Reset,
    /// Remove the channel from this peer.
    Unjoin,
}

impl Operation {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Rebuild => "rebuild",
            Self::Rollback { .. } => "rollback",
            Self::Reset => "reset",
            Self::Unjoin => "unjoin",
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl State {
    /// Why the channel cannot be used and what to do about it, in words.
    pub(crate) fn explain(&self, channel: &str) -> String {
        match self {
            Self::Running => {
                format!("channel {channel} is being opened or closed; try again later")
            }
            Self::Paused => format!(
                "channel {channel} is paused on this peer; `gauze peer resume {channel}` starts it"
            ),
            Self::Rebuilding(Work { operation, done, total }) => format!(
                "channel {channel} is not served during {operation} ({done} of {total} done); try \
                 again later, `gauze peer status` says how far it is"
            ),
            Self::Failed { reason } => format!(
                "channel {channel} has failed on this peer: {reason}; when that is mended, \
                 `gauze peer resume {channel}` starts it"
            ),
        }
    }
}
