//! Channels of a running peer, by its service `gauze.peer.Administration`: what they are doing, and
//! operations on them.

use proto::gauze::peer::administration_client::AdministrationClient;
use proto::gauze::peer::request::Content;
use proto::gauze::peer::{
    PauseRequest, Progress, RebuildRequest, Request, ResetRequest, ResumeRequest, RollbackRequest,
    SignedRequest, StatusRequest, UnjoinRequest,
};
use tonic::Streaming;

use super::Peer;
use crate::Error;
use crate::proposal::{encode, nonce, now};

pub use proto::gauze::peer::{ChannelState, ChannelStatus, Work};

/// What can be done to a channel of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Stop and close it until it is resumed.
    Pause,
    /// Start it again.
    Resume,
    /// Derive state, history and indexes from the blocks again.
    Rebuild,
    /// Remove the blocks behind this one.
    Rollback(u64),
    /// Remove all blocks but the first.
    Reset,
    /// Remove the channel from the peer.
    Unjoin,
}

impl Operation {
    /// The word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Rebuild => "rebuild",
            Self::Rollback(_) => "rollback",
            Self::Reset => "reset",
            Self::Unjoin => "unjoin",
        }
    }

    fn content(self) -> Content {
        match self {
            Self::Pause => Content::Pause(PauseRequest {}),
            Self::Resume => Content::Resume(ResumeRequest {}),
            Self::Rebuild => Content::Rebuild(RebuildRequest {}),
            Self::Rollback(block) => Content::Rollback(RollbackRequest { block }),
            Self::Reset => Content::Reset(ResetRequest {}),
            Self::Unjoin => Content::Unjoin(UnjoinRequest {}),
        }
    }
}

impl Peer {
    /// What the channels of the peer are doing; all if `channel` is empty.
    ///
    /// # Errors
    /// When the peer refuses.
    pub async fn channel_statuses(&self, channel: &str) -> Result<Vec<ChannelStatus>, Error> {
        let request = self.request(channel, Content::Status(StatusRequest {}))?;
        let mut client = AdministrationClient::new(self.channel.clone());
        let answer = self.within("status", client.status(request)).await?;
        Ok(answer.into_inner().channels)
    }

    /// Carries out an operation and returns what became of the channel; nothing if it is gone. It
    /// goes on at the peer if the caller does not wait.
    ///
    /// # Errors
    /// When the caller is no administrator of the peer's organization, another operation is under
    /// way, or it fails.
    pub async fn operate(
        &self,
        channel: &str,
        operation: Operation,
        mut progress: impl FnMut(&Work),
    ) -> Result<Option<ChannelStatus>, Error> {
        let what = format!("{} of channel {channel}", operation.name());
        let mut reports = self.begin(channel, operation, &what).await?;
        while let Some(report) = self.within(&what, reports.message()).await? {
            if let Some(outcome) = report.outcome {
                return Ok(Some(outcome).filter(|outcome| !outcome.channel.is_empty()));
            }
            if let Some(work) = &report.work {
                progress(work);
            }
        }
        Err(Error::decode("operation without an outcome"))
    }

    async fn begin(
        &self,
        channel: &str,
        operation: Operation,
        what: &str,
    ) -> Result<Streaming<Progress>, Error> {
        let request = self.request(channel, operation.content())?;
        let mut client = AdministrationClient::new(self.channel.clone());
        let call = async {
            match operation {
                Operation::Pause => client.pause(request).await,
                Operation::Resume => client.resume(request).await,
                Operation::Rebuild => client.rebuild(request).await,
                Operation::Rollback(_) => client.rollback(request).await,
                Operation::Reset => client.reset(request).await,
                Operation::Unjoin => client.unjoin(request).await,
            }
        };
        Ok(self.within(what, call).await?.into_inner())
    }

    /// Signs a request for one of the peer's own services.
    pub(super) fn request(&self, channel: &str, content: Content) -> Result<SignedRequest, Error> {
        let hash = self.target.tls_hash();
        let request = encode(&Request {
            creator: self.target.signer.creator().clone(),
            nonce: nonce(),
            timestamp: Some(now()),
            tls_cert_hash: hash.map(|hash| hash.to_vec().into()).unwrap_or_default(),
            channel: channel.to_owned(),
            content: Some(content),
        });
        let signature = self.target.signer.sign(&request)?;
        Ok(SignedRequest { request, signature })
    }

    /// Waits for an answer as long as is allowed.
    pub(super) async fn within<T>(
        &self,
        what: &str,
        answer: impl Future<Output = Result<T, tonic::Status>>,
    ) -> Result<T, Error> {
        match tokio::time::timeout(self.target.timeout, answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(status)) => Err(Error::Peer {
                peer: self.address().to_owned(),
                what: what.to_owned(),
                code: status.code(),
                message: status.message().to_owned(),
            }),
            Err(_) => Err(Error::Timeout(format!("{what} at {}", self.address()))),
        }
    }
}
