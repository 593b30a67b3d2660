//! The events chaincode sets, block by block.

use std::collections::VecDeque;

use bytes::Bytes;
use proto::gateway::{
    ChaincodeEventsRequest, ChaincodeEventsResponse, SignedChaincodeEventsRequest,
};
use proto::orderer::{SeekPosition, SeekSpecified, seek_position};
use tonic::Streaming;

use crate::gateway::Session;
use crate::proposal::encode;
use crate::{Checkpoint, Error, Stage, Start};

/// One event of a valid transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChaincodeEvent {
    /// The block that holds the transaction.
    pub block: u64,
    /// The transaction.
    pub tx_id: String,
    /// The chaincode that set the event.
    pub chaincode: String,
    /// The event's name.
    pub name: String,
    /// What the chaincode put into it.
    pub payload: Bytes,
}

impl ChaincodeEvent {
    /// The position after this event.
    #[must_use]
    pub fn checkpoint(&self) -> Checkpoint {
        Checkpoint { block: self.block, tx_id: Some(self.tx_id.clone()) }
    }
}

/// A running stream of chaincode events.
#[derive(Debug)]
pub struct ChaincodeEvents {
    session: Session,
    channel: String,
    chaincode: String,
    stream: Streaming<ChaincodeEventsResponse>,
    waiting: VecDeque<ChaincodeEvent>,
    position: Start,
}

impl ChaincodeEvents {
    pub(crate) async fn open(
        session: Session,
        channel: &str,
        chaincode: &str,
        start: Start,
    ) -> Result<Self, Error> {
        let stream = open(&session, channel, chaincode, &start).await?;
        Ok(Self {
            session,
            channel: channel.to_owned(),
            chaincode: chaincode.to_owned(),
            stream,
            waiting: VecDeque::new(),
            position: start,
        })
    }

    /// The next event; waits for one to happen.
    ///
    /// # Errors
    /// When the stream broke; [`ChaincodeEvents::resume`] goes on behind the last event.
    pub async fn next(&mut self) -> Result<ChaincodeEvent, Error> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                self.position = Start::After(event.checkpoint());
                return Ok(event);
            }
            let failed = |status| Error::gateway(Stage::Events, "", &status);
            let message = self.stream.message().await.map_err(failed)?;
            let message =
                message.ok_or_else(|| failed(tonic::Status::unavailable("stream ended")))?;
            let block = message.block_number;
            self.waiting.extend(message.events.into_iter().map(|event| ChaincodeEvent {
                block,
                tx_id: event.tx_id,
                chaincode: event.chaincode_id,
                name: event.event_name,
                payload: event.payload,
            }));
        }
    }

    /// Opens the stream again behind the last event returned.
    ///
    /// # Errors
    /// When the gateway cannot be reached or refuses.
    pub async fn resume(&mut self) -> Result<(), Error> {
        self.waiting.clear();
        self.stream = open(&self.session, &self.channel, &self.chaincode, &self.position).await?;
        Ok(())
    }
}

async fn open(
    session: &Session,
    channel: &str,
    chaincode: &str,
    start: &Start,
) -> Result<Streaming<ChaincodeEventsResponse>, Error> {
    let (number, after) = match start {
        Start::Next => (None, String::new()),
        Start::Block(number) => (Some(*number), String::new()),
        Start::After(Checkpoint { block, tx_id }) => {
            (Some(*block), tx_id.clone().unwrap_or_default())
        }
    };
    let position = match number {
        Some(number) => seek_position::Type::Specified(SeekSpecified { number }),
        None => seek_position::Type::NextCommit(proto::orderer::SeekNextCommit {}),
    };
    let request = encode(&ChaincodeEventsRequest {
        channel_id: channel.to_owned(),
        chaincode_id: chaincode.to_owned(),
        identity: session.signer.creator().clone(),
        start_position: Some(SeekPosition { r#type: Some(position) }),
        after_transaction_id: after,
    });
    let signature = session.signer.sign(&request)?;
    let answer = session
        .client()
        .chaincode_events(SignedChaincodeEventsRequest { request, signature })
        .await;
    Ok(answer.map_err(|status| Error::gateway(Stage::Events, "", &status))?.into_inner())
}
