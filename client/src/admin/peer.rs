//! A peer's `Endorser` under one identity.

use bytes::Bytes;
use node::grpc::MAX_MESSAGE_BYTES;
use proto::common::HeaderType;
use proto::peer::endorser_client::EndorserClient;
use proto::peer::{ProposalResponse, SignedProposal};
use tonic::transport::Channel;

use super::Target;
use crate::proposal::{Built, Request};
use crate::{Error, Stage};

/// A connection to a peer.
#[derive(Clone, Debug)]
pub struct Peer {
    pub(super) target: Target,
    pub(super) channel: Channel,
}

impl Peer {
    /// Connects.
    ///
    /// # Errors
    /// When the peer cannot be reached or is not who it should be.
    pub async fn connect(target: Target) -> Result<Self, Error> {
        let channel = target.connect().await?;
        Ok(Self { target, channel })
    }

    /// The peer's address.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.target.address
    }

    /// Calls a chaincode on this peer only and returns its answer; nothing is ordered. An empty
    /// `channel` addresses the peer itself.
    ///
    /// # Errors
    /// When the peer refuses or the chaincode fails.
    pub async fn query(
        &self,
        channel: &str,
        chaincode: &str,
        args: Vec<Bytes>,
    ) -> Result<Bytes, Error> {
        let what = describe(chaincode, &args);
        let request = Request {
            channel: channel.to_owned(),
            chaincode: chaincode.to_owned(),
            args,
            ..Request::default()
        };
        let (_, response) = self.propose(request, HeaderType::EndorserTransaction, &what).await?;
        Ok(response.response.unwrap_or_default().payload)
    }

    /// Signs and sends a proposal; any answer of 400 or more is an error.
    pub(super) async fn propose(
        &self,
        request: Request,
        kind: HeaderType,
        what: &str,
    ) -> Result<(Built, ProposalResponse), Error> {
        let built = request.build(self.target.signer.creator(), kind);
        let signature = self.target.signer.sign(&built.bytes)?;
        let signed = SignedProposal { proposal_bytes: built.bytes.clone(), signature };
        let response = self.process(signed, what).await?;
        Ok((built, response))
    }

    pub(super) async fn process(
        &self,
        proposal: SignedProposal,
        what: &str,
    ) -> Result<ProposalResponse, Error> {
        let mut client = EndorserClient::new(self.channel.clone())
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES);
        let call = client.process_proposal(proposal);
        let answer = match tokio::time::timeout(self.target.timeout, call).await {
            Ok(answer) => answer,
            Err(_) => return Err(Error::Timeout(format!("{what} at {}", self.address()))),
        };
        let refused = |status: i32, message: String| Error::Refused {
            peer: self.address().to_owned(),
            what: what.to_owned(),
            status,
            message,
        };
        let response = answer
            .map_err(|status| match status.code() {
                tonic::Code::Unavailable => Error::gateway(Stage::Endorse, "", &status),
                _ => refused(500, status.message().to_owned()),
            })?
            .into_inner();
        match &response.response {
            Some(said) if (200..400).contains(&said.status) => Ok(response),
            Some(said) => Err(refused(said.status, said.message.clone())),
            None => Err(Error::decode("proposal response without a response")),
        }
    }
}

/// `chaincode.Function`, never the arguments.
pub(super) fn describe(chaincode: &str, args: &[Bytes]) -> String {
    let function = args.first().map(|name| String::from_utf8_lossy(name).into_owned());
    format!("{chaincode}.{}", function.unwrap_or_default())
}
