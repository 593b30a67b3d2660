//! Chaincode events of valid transactions, block by block, from any block on.

use std::sync::{Arc, Weak};

use futures::Stream;
use futures::stream::try_unfold;
use proto::common::Block;
use proto::gateway::ChaincodeEventsResponse;
use proto::peer::TxValidationCode;
use tokio::sync::watch;

use super::transaction::Transaction;
use crate::channels::{self, Channel, Error};

/// Where a stream of events starts if no transaction to resume after is given or known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// At the block with this number.
    Block(u64),
    /// At the next block to be committed.
    Next,
}

/// The events of `chaincode` on `channel`, one message for each block that has any.
///
/// With `after`, everything up to and including that transaction is skipped; the stream then starts
/// in the block of that transaction if it is known, otherwise at `start`. The stream has no end, but
/// for the closing of the channel.
pub fn stream(
    channel: Arc<Channel>,
    chaincode: String,
    start: Start,
    after: Option<String>,
) -> Result<impl Stream<Item = Result<ChaincodeEventsResponse, Error>> + Send + use<>, Error> {
    let known = match &after {
        Some(tx_id) => channel.ledger().transaction(tx_id)?.map(|record| record.block),
        None => None,
    };
    let next = known.unwrap_or_else(|| match start {
        Start::Block(number) => number,
        Start::Next => channel.height(),
    });
    let heights = channel.watch_height();
    let cursor = Cursor {
        id: channel.id().to_owned(),
        closing: channel.watch_closing(),
        channel: Arc::downgrade(&channel),
        filter: Filter { chaincode, after },
        next,
        heights,
    };
    Ok(try_unfold(cursor, Cursor::advance))
}

/// Does not hold the channel: a slow reader must not keep it from being closed.
struct Cursor {
    id: String,
    channel: Weak<Channel>,
    closing: watch::Receiver<bool>,
    filter: Filter,
    next: u64,
    heights: watch::Receiver<u64>,
}

impl Cursor {
    async fn advance(mut self) -> Result<Option<(ChaincodeEventsResponse, Self)>, Error> {
        loop {
            let number = self.next;
            let reached = tokio::select! {
                reached = self.heights.wait_for(|height| *height > number) => reached.is_ok(),
                _ = self.closing.wait_for(|closing| *closing) => false,
            };
            let channel = self.channel.upgrade().filter(|_| reached);
            let Some(reading) = channel.map(|channel| channel.load_block(number)) else {
                return Err(channels::closed(&self.id));
            };
            let block = reading.await?;
            self.next += 1;
            let events = self.filter.events(&block);
            if !events.is_empty() {
                let response = ChaincodeEventsResponse { events, block_number: number };
                return Ok(Some((response, self)));
            }
        }
    }
}

struct Filter {
    chaincode: String,
    /// The transaction to resume after, until it has been seen.
    after: Option<String>,
}

impl Filter {
    fn events(&mut self, block: &Block) -> Vec<proto::peer::ChaincodeEvent> {
        let mut events = Vec::new();
        for transaction in Transaction::all(block) {
            if let Some(after) = &self.after {
                if *after == transaction.tx_id {
                    self.after = None;
                }
                continue;
            }
            if transaction.code == TxValidationCode::Valid
                && let Some(event) = transaction.event()
                && event.chaincode_id == self.chaincode
            {
                events.push(event);
            }
        }
        events
    }
}
