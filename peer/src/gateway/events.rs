//! ChaincodeEvents: the events of a chaincode's valid transactions, block by block.

use channel::SignedData;
use futures::{Stream, StreamExt};
use prost::Message;
use proto::gateway::{
    ChaincodeEventsRequest, ChaincodeEventsResponse, SignedChaincodeEventsRequest,
};
use proto::orderer::SeekPosition;
use proto::orderer::seek_position::Type;
use tonic::{Code, Status};

use super::Inner;
use super::error::status;
use crate::causes::in_one_line;
use crate::channels;
use crate::events::chaincode::{self, Start};

impl Inner {
    pub(super) fn chaincode_events(
        &self,
        signed: SignedChaincodeEventsRequest,
    ) -> Result<impl Stream<Item = Result<ChaincodeEventsResponse, Status>> + Send + use<>, Status>
    {
        let invalid = |text: String| status(Code::InvalidArgument, text, &[]);
        let request = ChaincodeEventsRequest::decode(signed.request.clone())
            .map_err(|error| invalid(format!("invalid chaincode events request: {error}")))?;
        for (missing, what) in [
            (request.identity.is_empty(), "identity"),
            (request.channel_id.is_empty(), "channel ID"),
            (request.chaincode_id.is_empty(), "chaincode ID"),
        ] {
            if missing {
                return Err(invalid(format!("no {what} is provided")));
            }
        }
        let start = start(request.start_position.as_ref()).map_err(invalid)?;
        let signature = SignedData {
            data: signed.request,
            identity: request.identity,
            signature: signed.signature,
        };
        let channel =
            self.authorized(&request.channel_id, "gateway/ChaincodeEvents", &signature)?;
        let after = Some(request.after_transaction_id).filter(|id| !id.is_empty());
        let aborted = |error| match error {
            channels::Error::Unavailable(text) => status(Code::Unavailable, text, &[]),
            error => status(Code::Aborted, in_one_line(&error), &[]),
        };
        let events =
            chaincode::stream(channel, request.chaincode_id, start, after).map_err(aborted)?;
        Ok(events.map(move |answer| answer.map_err(aborted)))
    }
}

fn start(position: Option<&SeekPosition>) -> Result<Start, String> {
    match position.and_then(|position| position.r#type.as_ref()) {
        None | Some(Type::NextCommit(_)) => Ok(Start::Next),
        Some(Type::Specified(specified)) => Ok(Start::Block(specified.number)),
        Some(Type::Oldest(_)) => Err("invalid start position type: oldest".into()),
        Some(Type::Newest(_)) => Err("invalid start position type: newest".into()),
    }
}

#[cfg(test)]
mod tests {
    use proto::orderer::{SeekNewest, SeekNextCommit, SeekOldest, SeekSpecified};

    use super::*;

    #[track_caller]
    fn check(position: Option<Type>, expected: Option<Start>) {
        let position = position.map(|kind| SeekPosition { r#type: Some(kind) });
        assert_eq!(start(position.as_ref()).ok(), expected);
    }

    #[test]
    fn streams_start_at_a_block_or_at_the_next_one() {
        check(None, Some(Start::Next));
        check(Some(Type::NextCommit(SeekNextCommit {})), Some(Start::Next));
        check(Some(Type::Specified(SeekSpecified { number: 7 })), Some(Start::Block(7)));
        check(Some(Type::Oldest(SeekOldest {})), None);
        check(Some(Type::Newest(SeekNewest {})), None);
    }
}
