//! An endorsed transaction that waits to be submitted.

use bytes::Bytes;
use prost::Message;
use proto::common::Envelope;
use proto::gateway;
use proto::peer::ChaincodeAction;
use proto::transaction::Action;

use crate::gateway::Session;
use crate::proposal::encode;
use crate::{Commit, Error, Stage};

/// An endorsed transaction.
///
/// Its result is known before it is submitted. Without a local key, sign [`Transaction::bytes`]
/// elsewhere and hand the signature to [`Transaction::signed`].
#[derive(Clone, Debug)]
pub struct Transaction {
    session: Session,
    channel: String,
    tx_id: String,
    envelope: Envelope,
    result: Bytes,
}

impl Transaction {
    pub(crate) fn new(session: Session, tx_id: String, envelope: Envelope) -> Result<Self, Error> {
        let unreadable = |error: proto::envelope::Error| Error::Decode(error.to_string());
        let peeled = proto::envelope::Envelope::peel(envelope.clone()).map_err(unreadable)?;
        let action = Action::parse(peeled.data).map_err(unreadable)?;
        let action = ChaincodeAction::decode(action.response_payload.extension)
            .map_err(|_| Error::decode("chaincode action"))?;
        let response = action.response.ok_or_else(|| Error::decode("no chaincode response"))?;
        let channel = peeled.channel_header.channel_id;
        Ok(Self { session, channel, tx_id, envelope, result: response.payload })
    }

    /// Restores a transaction from the bytes of [`Transaction::to_bytes`].
    pub(crate) fn restore(session: Session, bytes: &[u8]) -> Result<Self, Error> {
        let stored = gateway::PreparedTransaction::decode(bytes)
            .map_err(|_| Error::decode("prepared transaction"))?;
        let envelope = stored.envelope.ok_or_else(|| Error::decode("prepared transaction"))?;
        Self::new(session, stored.transaction_id, envelope)
    }

    /// The id of the transaction.
    #[must_use]
    pub fn tx_id(&self) -> &str {
        &self.tx_id
    }

    /// What the chaincode answered.
    #[must_use]
    pub fn result(&self) -> &Bytes {
        &self.result
    }

    /// The bytes to be signed.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.envelope.payload
    }

    /// SHA-256 of the bytes to be signed.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        proto::sha256(&self.envelope.payload)
    }

    /// Adds a signature made elsewhere.
    #[must_use]
    pub fn signed(mut self, signature: Bytes) -> Self {
        self.envelope.signature = signature;
        self
    }

    /// The transaction as bytes that [`crate::Gateway::transaction`] restores, signed or not.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        encode(&gateway::PreparedTransaction {
            transaction_id: self.tx_id.clone(),
            envelope: Some(self.envelope.clone()),
        })
    }

    /// Hands the transaction to the orderers and returns the handle of its commit.
    ///
    /// # Errors
    /// When no orderer took it.
    pub async fn submit(&self) -> Result<Commit, Error> {
        let mut envelope = self.envelope.clone();
        if envelope.signature.is_empty() {
            envelope.signature = self.session.signer.sign(&envelope.payload)?;
        }
        let request = gateway::SubmitRequest {
            transaction_id: self.tx_id.clone(),
            channel_id: self.channel.clone(),
            prepared_transaction: Some(envelope),
        };
        let request = self.session.request(request, self.session.timeouts.submit);
        let sent = self.session.client().submit(request).await;
        sent.map_err(|status| Error::gateway(Stage::Submit, &self.tx_id, &status))?;
        let (session, tx_id) = (self.session.clone(), self.tx_id.clone());
        Ok(Commit::new(session, self.channel.clone(), tx_id, self.result.clone()))
    }
}
