//! `qscc`: blocks and transactions, by number, hash and id.

use std::sync::Arc;

use bytes::Bytes;
use ledger::Ledger;
use prost::Message;
use proto::common::Block;
use proto::peer::{ProcessedTransaction, Response};

use super::{Context, SystemChaincode, closed, failure, success};
use crate::causes::in_one_line;
use crate::channels::{Channel, Channels};

/// The block number that stands for the newest block.
const NEWEST: u64 = u64::MAX;

/// The query system chaincode.
#[derive(Debug)]
pub struct Qscc {
    channels: Arc<Channels>,
}

impl Qscc {
    /// Answers about `channels`.
    pub fn new(channels: Arc<Channels>) -> Self {
        Self { channels }
    }

    fn answer(&self, context: &Context<'_>, args: &[Bytes]) -> Result<Bytes, String> {
        let [function, channel, rest @ ..] = args else {
            return Err(format!("Incorrect number of arguments, {}", args.len()));
        };
        let (function, channel) = (text(function)?, text(channel)?);
        if rest.is_empty() && function != "GetChainInfo" {
            return Err(format!("missing 3rd argument for {function}"));
        }
        let channel =
            self.channels.get(channel).ok_or_else(|| format!("Invalid chain ID, {channel}"))?;
        authorize(context, function, &channel)?;
        let ledger = channel.ledger();
        if function == "GetChainInfo" {
            let info = ledger
                .info()
                .map_err(|error| format!("Failed to get block info with error {error}"))?;
            return Ok(info.encode_to_vec().into());
        }
        query(ledger, function, rest.first().unwrap_or(&Bytes::new()))
    }
}

impl SystemChaincode for Qscc {
    fn name(&self) -> &'static str {
        "qscc"
    }

    fn invoke(&self, context: &mut Context<'_>, args: &[Bytes]) -> Response {
        if let Some(closed) = args.get(1).and_then(|id| closed(&self.channels, id)) {
            return closed;
        }
        self.answer(context, args).map_or_else(|message| failure(500, message), success)
    }
}

fn authorize(context: &Context<'_>, function: &str, channel: &Channel) -> Result<(), String> {
    let known = matches!(
        function,
        "GetChainInfo"
            | "GetBlockByNumber"
            | "GetBlockByHash"
            | "GetTransactionByID"
            | "GetBlockByTxID"
    );
    if !known {
        return Err(format!("Requested function {function} not found."));
    }
    context
        .authorize_on(&format!("qscc/{function}"), channel)
        .map_err(|denied| format!("access denied for [{function}][{}]: [{denied}]", channel.id()))
}

fn query(ledger: &Ledger, function: &str, argument: &Bytes) -> Result<Bytes, String> {
    match function {
        "GetBlockByNumber" => {
            let number: u64 = text(argument)?
                .parse()
                .map_err(|error| format!("Failed to parse block number with error {error}"))?;
            let wanted = if number == NEWEST { ledger.height().saturating_sub(1) } else { number };
            let missing = || format!("block number [{number}]");
            found(ledger.block(wanted), missing, || format!("Failed to get block number {number}"))
        }
        "GetBlockByHash" => {
            let hash = hex::encode(argument);
            let missing = || format!("block hash [{hash}]");
            found(ledger.block_by_hash(argument), missing, || {
                format!("Failed to get block hash {hash}")
            })
        }
        "GetBlockByTxID" => {
            let tx_id = text(argument)?;
            let what = || format!("Failed to get block for txID {tx_id}");
            let missing = || format!("transaction ID [{tx_id}]");
            found(ledger.block_by_tx_id(tx_id), missing, what)
        }
        _ => transaction(ledger, text(argument)?),
    }
}

fn transaction(ledger: &Ledger, tx_id: &str) -> Result<Bytes, String> {
    let failed =
        |error: String| format!("Failed to get transaction with id {tx_id}, error {error}");
    let record = ledger
        .transaction(tx_id)
        .map_err(|error| failed(in_one_line(&error)))?
        .ok_or_else(|| failed(format!("no such transaction ID [{tx_id}] in index")))?;
    let envelope = proto::common::Envelope::decode(record.envelope)
        .map_err(|error| failed(error.to_string()))?;
    let processed = ProcessedTransaction {
        transaction_envelope: Some(envelope),
        validation_code: record.code.into(),
    };
    Ok(processed.encode_to_vec().into())
}

fn found(
    block: Result<Option<Block>, ledger::Error>,
    missing: impl Fn() -> String,
    what: impl Fn() -> String,
) -> Result<Bytes, String> {
    match block {
        Ok(Some(block)) => Ok(block.encode_to_vec().into()),
        Ok(None) => Err(format!("{}, error no such {} in index", what(), missing())),
        Err(error) => Err(format!("{}, error {}", what(), in_one_line(&error))),
    }
}

fn text(argument: &Bytes) -> Result<&str, String> {
    std::str::from_utf8(argument).map_err(|_| "argument is not text".to_owned())
}
