//! What the ledger and the channels say, in messages.

use ledger::Modification;
use proto::gauze::peer as wire;
use tonic::Status;

use crate::causes::in_one_line;
use crate::channels::{self, State, Work};

pub(super) fn status(status: &channels::Status) -> wire::ChannelStatus {
    let (state, reason, doing) = match &status.state {
        State::Running => (wire::ChannelState::Running, "", None),
        State::Paused => (wire::ChannelState::Paused, "", None),
        State::Rebuilding(doing) => (wire::ChannelState::Rebuilding, "", Some(work(*doing))),
        State::Failed { reason } => (wire::ChannelState::Failed, reason.as_str(), None),
    };
    wire::ChannelStatus {
        channel: status.id.clone(),
        state: state.into(),
        height: status.height,
        reason: reason.to_owned(),
        work: doing,
        to_regain: status.to_regain.unwrap_or_default(),
    }
}

pub(super) fn work(work: Work) -> wire::Work {
    let Work { operation, done, total } = work;
    wire::Work { operation: operation.name().to_owned(), done, total }
}

pub(super) fn modification(write: Modification) -> wire::Modification {
    wire::Modification {
        position: Some(wire::Position {
            block: write.position.block,
            transaction: write.position.tx,
        }),
        tx_id: write.tx_id,
        timestamp: write.timestamp,
        value: write.value,
        is_delete: write.is_delete,
    }
}

pub(super) fn refused(error: &channels::Error) -> Status {
    use channels::Error::{Busy, InUse, Refused, Unavailable, Unknown};
    let text = in_one_line(error);
    match error {
        Unknown(_) => Status::not_found(text),
        Busy(_) | Refused { .. } | InUse { .. } => Status::failed_precondition(text),
        Unavailable(_) => Status::unavailable(text),
        channels::Error::Ledger(error) => ledger(error, text),
        _ => Status::internal(text),
    }
}

fn ledger(error: &ledger::Error, text: String) -> Status {
    use ledger::Error::{AboveHeight, BeforeBase, BelowBase, NoHistory, NotThere};
    match error {
        BelowBase { .. } | NotThere { .. } | NoHistory => Status::failed_precondition(text),
        AboveHeight { .. } | BeforeBase { .. } => Status::out_of_range(text),
        _ => Status::internal(text),
    }
}
