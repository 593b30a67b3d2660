//! Blocks and transactions in words.

use client::TxValidationCode;
use prost::Message;
use proto::block;
use proto::common::{Block, BlockMetadataIndex, HeaderType};
use proto::envelope::Envelope;
use proto::kvrwset::KvrwSet;
use proto::peer::{
    ChaincodeAction, ChaincodeEvent, ChaincodeInvocationSpec, ChaincodeProposalPayload,
};
use proto::rwset::TxReadWriteSet;
use proto::transaction::Action;
use serde_json::{Value, json};

use crate::output::{bold, faint, pretty, short};

/// A block as JSON.
pub(crate) fn block_json(block: &Block) -> Value {
    let header = block.header.clone().unwrap_or_default();
    let filter = block::transactions_filter(block);
    let transactions = block::envelopes(block).iter().enumerate().map(|(index, bytes)| {
        let code = filter.get(index).copied();
        Envelope::parse(bytes.clone()).map_or_else(
            |error| json!({ "unreadable": error.to_string() }),
            |envelope| transaction_json(&envelope, code),
        )
    });
    json!({
        "number": header.number,
        "hash": hex::encode(block::header_hash(&header)),
        "previousHash": hex::encode(&header.previous_hash),
        "dataHash": hex::encode(&header.data_hash),
        "commitHash": block::commit_hash(block).map(hex::encode),
        "orderers": signers(block),
        "transactions": transactions.collect::<Vec<_>>(),
    })
}

/// Who signed the block.
fn signers(block: &Block) -> Vec<Value> {
    let metadata =
        proto::common::Metadata::decode(block::slot(block, BlockMetadataIndex::Signatures));
    let signatures = metadata.map(|metadata| metadata.signatures).unwrap_or_default();
    let creator = |signature: proto::common::MetadataSignature| {
        let header = proto::common::SignatureHeader::decode(signature.signature_header).ok()?;
        Some(identity_json(&header.creator))
    };
    signatures.into_iter().filter_map(creator).collect()
}

/// An identity as `{mspId, name}`.
fn identity_json(serialized: &[u8]) -> Value {
    let Ok(identity) = proto::msp::SerializedIdentity::decode(serialized) else {
        return Value::Null;
    };
    let name = msp::Certificate::from_pem(&identity.id_bytes)
        .map(|certificate| certificate.common_name().to_owned());
    json!({ "mspId": identity.mspid, "name": name.unwrap_or_default() })
}

/// A transaction as JSON; `code` is how a peer judged it.
pub(crate) fn transaction_json(envelope: &Envelope, code: Option<u8>) -> Value {
    let header = &envelope.channel_header;
    let kind = HeaderType::try_from(header.r#type).unwrap_or(HeaderType::Message);
    let mut value = json!({
        "txId": header.tx_id,
        "type": kind.as_str_name(),
        "channel": header.channel_id,
        "time": header.timestamp.as_ref().map(time),
        "creator": identity_json(&envelope.signature_header.creator),
        "validation": code.map(code_name),
    });
    if kind == HeaderType::EndorserTransaction
        && let Some(details) = endorsed_json(envelope)
        && let (Value::Object(value), Value::Object(details)) = (&mut value, details)
    {
        value.extend(details);
    }
    value
}

fn endorsed_json(envelope: &Envelope) -> Option<Value> {
    let action = Action::parse(envelope.data.clone()).ok()?;
    let payload = ChaincodeProposalPayload::decode(action.proposal_payload.clone()).ok()?;
    let spec = ChaincodeInvocationSpec::decode(payload.input).ok()?.chaincode_spec?;
    let args = spec.input?.args;
    let result = ChaincodeAction::decode(action.response_payload.extension.clone()).ok()?;
    let event = ChaincodeEvent::decode(result.events.clone()).ok();
    let event = event.filter(|event| !event.event_name.is_empty());
    let endorsers: Vec<Value> = action
        .endorsements
        .iter()
        .map(|endorsement| identity_json(&endorsement.endorser))
        .collect();
    let id = result.chaincode_id.clone().unwrap_or_default();
    let text = |bytes: &bytes::Bytes| String::from_utf8_lossy(bytes).into_owned();
    Some(json!({
        "chaincode": id.name,
        "version": id.version,
        "function": args.first().map(&text),
        "arguments": args.iter().skip(1).map(readable).collect::<Vec<_>>(),
        "endorsers": endorsers,
        "event": event.map(|event| json!({
            "name": event.event_name, "payload": crate::output::payload_json(&event.payload),
        })),
        "changes": changes(&result),
    }))
}

/// An argument, as text if it is some and not too long.
fn readable(bytes: &bytes::Bytes) -> Value {
    match std::str::from_utf8(bytes) {
        Ok(text) if text.chars().all(|c| !c.is_control() || c.is_whitespace()) => Value::from(text),
        _ => Value::from(format!("{} bytes, {}…", bytes.len(), short(&hex::encode(bytes)))),
    }
}

/// Keys read and written, per namespace.
fn changes(action: &ChaincodeAction) -> Vec<Value> {
    let set = TxReadWriteSet::decode(action.results.clone()).unwrap_or_default();
    let namespace = |set: proto::rwset::NsReadWriteSet| {
        let keys = KvrwSet::decode(set.rwset).unwrap_or_default();
        let printable = |key: &str| key.replace('\0', "~");
        json!({
            "namespace": set.namespace,
            "reads": keys.reads.iter().map(|read| printable(&read.key)).collect::<Vec<_>>(),
            "writes": keys.writes.iter().map(|write| printable(&write.key)).collect::<Vec<_>>(),
            "privateCollections": set.collection_hashed_rwset.iter()
                .map(|collection| collection.collection_name.clone()).collect::<Vec<_>>(),
        })
    };
    set.ns_rwset.into_iter().map(namespace).collect()
}

pub(crate) fn time(timestamp: &prost_types::Timestamp) -> String {
    jiff::Timestamp::new(timestamp.seconds, timestamp.nanos)
        .map(|time| time.to_string())
        .unwrap_or_default()
}

fn code_name(code: u8) -> String {
    TxValidationCode::try_from(i32::from(code))
        .map_or_else(|_| code.to_string(), |code| code.as_str_name().to_owned())
}

/// A block for people.
pub(crate) fn block_text(block: &Block) -> String {
    let json = block_json(block);
    let text = |key: &str| json[key].as_str().unwrap_or("none").to_owned();
    let mut lines = vec![
        format!("{} {}", bold("Block"), bold(&json["number"])),
        format!("  hash      {}", text("hash")),
        format!("  previous  {}", text("previousHash")),
        format!("  commit    {}", text("commitHash")),
    ];
    for signer in json["orderers"].as_array().into_iter().flatten() {
        lines.push(format!("  signed by {}", who(signer)));
    }
    for (index, transaction) in json["transactions"].as_array().into_iter().flatten().enumerate() {
        lines.push(format!("\n{}", transaction_line(index, transaction)));
    }
    lines.join("\n")
}

fn transaction_line(index: usize, transaction: &Value) -> String {
    let text = |key: &str| transaction[key].as_str().unwrap_or_default();
    let call = match text("chaincode") {
        "" => text("type").to_owned(),
        chaincode => format!("{chaincode}.{}", text("function")),
    };
    let mut lines =
        vec![format!("  {index}  {}  {}  {}", bold(call), text("validation"), faint(text("txId")))];
    lines.push(format!("     by {} at {}", who(&transaction["creator"]), text("time")));
    let endorsers = transaction["endorsers"].as_array().into_iter().flatten().map(who);
    let endorsers: Vec<_> = endorsers.collect();
    if !endorsers.is_empty() {
        lines.push(format!("     endorsed by {}", endorsers.join(", ")));
    }
    for change in transaction["changes"].as_array().into_iter().flatten() {
        for key in change["writes"].as_array().into_iter().flatten() {
            let key = key.as_str().unwrap_or_default();
            let namespace = change["namespace"].as_str().unwrap_or_default();
            lines.push(format!("     writes {namespace}: {key}"));
        }
    }
    lines.join("\n")
}

fn who(identity: &Value) -> String {
    let text = |key: &str| identity[key].as_str().unwrap_or_default();
    match text("mspId") {
        "" => "nobody".to_owned(),
        msp_id => format!("{}@{msp_id}", text("name")),
    }
}

/// A transaction for people.
pub(crate) fn transaction_text(json: &Value) -> String {
    let mut text = transaction_line(0, json).trim_start_matches([' ', '0']).to_owned();
    for part in ["arguments", "event"] {
        if !json[part].is_null() {
            text.push_str(&format!("\n  {part}: {}", pretty(&json[part])));
        }
    }
    text
}
