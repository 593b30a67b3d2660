//! CommitStatus: what became of a transaction, now or as soon as it is committed.

use channel::SignedData;
use prost::Message;
use proto::gateway::{CommitStatusRequest, CommitStatusResponse, SignedCommitStatusRequest};
use tonic::{Code, Status};

use super::Inner;
use super::error::status;
use crate::causes::in_one_line;
use crate::channels;

impl Inner {
    pub(super) async fn commit_status(
        &self,
        signed: SignedCommitStatusRequest,
    ) -> Result<CommitStatusResponse, Status> {
        let invalid = |text: String| status(Code::InvalidArgument, text, &[]);
        let request = CommitStatusRequest::decode(signed.request.clone())
            .map_err(|error| invalid(format!("invalid status request: {error}")))?;
        for (missing, what) in [
            (request.identity.is_empty(), "identity"),
            (request.channel_id.is_empty(), "channel ID"),
            (request.transaction_id.is_empty(), "transaction ID"),
        ] {
            if missing {
                return Err(invalid(format!("no {what} is provided")));
            }
        }
        let signature = SignedData {
            data: signed.request,
            identity: request.identity,
            signature: signed.signature,
        };
        let channel = self.authorized(&request.channel_id, "gateway/CommitStatus", &signature)?;
        let found = channel.commit_status(&request.transaction_id).await;
        let found = found.map_err(|error| match error {
            channels::Error::TooManyWaiters(_) => {
                status(Code::ResourceExhausted, error.to_string(), &[])
            }
            channels::Error::Unavailable(text) => status(Code::Unavailable, text, &[]),
            other => status(Code::Aborted, in_one_line(&other), &[]),
        })?;
        Ok(CommitStatusResponse { result: found.code as i32, block_number: found.block })
    }
}
