//! Waiting for a submitted transaction to be in a block.

use bytes::Bytes;
use prost::Message;
use proto::gateway::{CommitStatusRequest, SignedCommitStatusRequest};
use proto::transaction::TxValidationCode;

use crate::gateway::Session;
use crate::proposal::encode;
use crate::{Error, Stage};

/// The handle of a submitted transaction.
#[derive(Clone, Debug)]
pub struct Commit {
    session: Session,
    tx_id: String,
    result: Bytes,
    request: Bytes,
    signature: Option<Bytes>,
}

/// A transaction in a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The transaction.
    pub tx_id: String,
    /// The block that holds it.
    pub block: u64,
    /// How peers judged it.
    pub code: TxValidationCode,
    /// What the chaincode answered when it was endorsed.
    pub result: Bytes,
}

impl Outcome {
    /// Turns an invalid transaction into an error.
    ///
    /// # Errors
    /// [`Error::Invalid`] unless peers judged it valid.
    pub fn valid(self) -> Result<Self, Error> {
        if self.code == TxValidationCode::Valid {
            return Ok(self);
        }
        Err(Error::Invalid { tx_id: self.tx_id, block: self.block, code: self.code })
    }
}

impl Commit {
    pub(crate) fn new(session: Session, channel: String, tx_id: String, result: Bytes) -> Self {
        let request = CommitStatusRequest {
            transaction_id: tx_id.clone(),
            channel_id: channel,
            identity: session.signer.creator().clone(),
        };
        Self { session, tx_id, result, request: encode(&request), signature: None }
    }

    /// Restores a handle from the bytes of [`Commit::to_bytes`]; the result is not part of it.
    pub(crate) fn restore(session: Session, bytes: &[u8]) -> Result<Self, Error> {
        let unreadable = |_| Error::decode("commit");
        let stored = SignedCommitStatusRequest::decode(bytes).map_err(unreadable)?;
        let request = CommitStatusRequest::decode(&*stored.request).map_err(unreadable)?;
        Ok(Self {
            session,
            tx_id: request.transaction_id,
            result: Bytes::new(),
            request: stored.request,
            signature: (!stored.signature.is_empty()).then_some(stored.signature),
        })
    }

    /// The id of the transaction.
    #[must_use]
    pub fn tx_id(&self) -> &str {
        &self.tx_id
    }

    /// What the chaincode answered when the transaction was endorsed.
    #[must_use]
    pub fn result(&self) -> &Bytes {
        &self.result
    }

    /// The bytes to be signed before asking for the status.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.request
    }

    /// SHA-256 of the bytes to be signed.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        proto::sha256(&self.request)
    }

    /// Adds a signature made elsewhere.
    #[must_use]
    pub fn signed(mut self, signature: Bytes) -> Self {
        self.signature = Some(signature);
        self
    }

    /// The handle as bytes that [`crate::Gateway::commit`] restores, signed or not.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        encode(&SignedCommitStatusRequest {
            request: self.request.clone(),
            signature: self.signature.clone().unwrap_or_default(),
        })
    }

    /// Waits until the transaction is in a block, valid or not.
    ///
    /// # Errors
    /// When the gateway cannot tell within the time allowed.
    pub async fn status(&self) -> Result<Outcome, Error> {
        let signature = match &self.signature {
            Some(signature) => signature.clone(),
            None => self.session.signer.sign(&self.request)?,
        };
        let request = SignedCommitStatusRequest { request: self.request.clone(), signature };
        let request = self.session.request(request, self.session.timeouts.commit_status);
        let answer = self.session.client().commit_status(request).await;
        let answer = answer
            .map_err(|status| Error::gateway(Stage::CommitStatus, &self.tx_id, &status))?
            .into_inner();
        Ok(Outcome {
            tx_id: self.tx_id.clone(),
            block: answer.block_number,
            code: answer.result(),
            result: self.result.clone(),
        })
    }
}
