//! Envelopes on their way to the ledger: replayed, changed, too large, for nobody.

use std::time::Duration;

use bytes::Bytes;
use client::Transaction;
use client::admin::Position;
use prost::Message;
use proto::common::{ChannelHeader, Envelope, Header, Payload, Status as Answer};
use proto::gateway::PreparedTransaction;
use proto::peer::{ChaincodeActionPayload, SignedProposal};
use proto::transaction::TxValidationCode;

use super::Lab;
use crate::harness::{LAB, until};

/// The envelope of an endorsed transaction, signed by anna.
fn envelope(lab: &Lab, transaction: &Transaction) -> Envelope {
    let prepared = PreparedTransaction::decode(transaction.to_bytes()).unwrap();
    sign(lab, prepared.envelope.unwrap().payload)
}

fn sign(lab: &Lab, payload: Bytes) -> Envelope {
    Envelope { signature: lab.anna.signer.sign(&payload).unwrap(), payload }
}

/// The verdicts in the block that makes the channel this high.
async fn verdicts(lab: &Lab, height: u64) -> Vec<u8> {
    until("the next block", Duration::from_secs(30), async || {
        let info = lab.ledger.chain_info(LAB).await.unwrap();
        (info.height >= height).then_some(())
    })
    .await;
    let block = lab.ledger.block(LAB, Position::Number(height - 1)).await.unwrap();
    proto::block::transactions_filter(&block).to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replayed_transaction_is_a_duplicate() {
    let lab = Lab::enter().await;
    let call = lab.basic().call("increment").arg("replayed");
    let proposal = call.proposal();
    let transaction = proposal.endorse().await.unwrap();
    let commit = transaction.submit().await.unwrap();
    let first = commit.status().await.unwrap();
    assert_eq!(first.code, TxValidationCode::Valid);

    // The orderer does not look inside; peers do.
    let answer = lab.broadcast(envelope(&lab, &transaction)).await;
    assert_eq!(answer.status(), Answer::Success, "{answer:?}");
    let codes = verdicts(&lab, lab.height + 2).await;
    assert_eq!(codes, [TxValidationCode::DuplicateTxid as u8]);
    assert_eq!(commit.status().await.unwrap(), first);
    assert_eq!(lab.basic().evaluate("get", ["replayed"]).await.unwrap(), "1");

    let bytes = proposal.bytes().clone();
    let signature = lab.anna.signer.sign(&bytes).unwrap();
    let again = lab.process(SignedProposal { proposal_bytes: bytes, signature }).await;
    let refusal = again.unwrap_err();
    let expected = format!("duplicate transaction found [{}]", transaction.tx_id());
    assert!(refusal.message().starts_with(&expected), "{refusal}");
    lab.leave(2).await;
}

/// Changes what a transaction says was endorsed.
fn changed(payload: &Bytes, change: impl FnOnce(&mut ChaincodeActionPayload)) -> Bytes {
    let mut payload = Payload::decode(payload.clone()).unwrap();
    let mut transaction = proto::peer::Transaction::decode(payload.data.clone()).unwrap();
    let mut action =
        ChaincodeActionPayload::decode(transaction.actions[0].payload.clone()).unwrap();
    change(&mut action);
    transaction.actions[0].payload = action.encode_to_vec().into();
    payload.data = transaction.encode_to_vec().into();
    payload.encode_to_vec().into()
}

type Change = fn(&mut ChaincodeActionPayload);

/// What a client can change in its own transaction, and how peers judge it.
const CHANGES: &[(&str, Change, TxValidationCode)] = &[
    (
        "without endorsements",
        |action| action.action.as_mut().unwrap().endorsements.clear(),
        TxValidationCode::EndorsementPolicyFailure,
    ),
    (
        "with another result",
        |action| {
            let response = &mut action.action.as_mut().unwrap().proposal_response_payload;
            let text = response.windows(5).position(|bytes| bytes == b"value").unwrap();
            let mut bytes = response.to_vec();
            bytes[text] = b'V';
            *response = bytes.into();
        },
        TxValidationCode::EndorsementPolicyFailure,
    ),
    (
        "with another signature of the endorser",
        |action| {
            let endorsement = &mut action.action.as_mut().unwrap().endorsements[0];
            endorsement.signature = Bytes::from_static(b"signature");
        },
        TxValidationCode::EndorsementPolicyFailure,
    ),
    (
        "with other arguments",
        |action| {
            let mut bytes = action.chaincode_proposal_payload.to_vec();
            *bytes.last_mut().unwrap() ^= 1;
            action.chaincode_proposal_payload = bytes.into();
        },
        TxValidationCode::InvalidEndorserTransaction,
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn changed_transactions_are_ordered_but_invalid() {
    let lab = Lab::enter().await;
    let mut height = lab.height;
    for (what, change, code) in CHANGES {
        let call = lab.basic().call("put").args(["forged", "value"]);
        let transaction = call.proposal().endorse().await.unwrap();
        let envelope = sign(&lab, changed(transaction.bytes(), change));
        let answer = lab.broadcast(envelope).await;
        assert_eq!(answer.status(), Answer::Success, "{what}: {answer:?}");
        height += 1;
        assert_eq!(verdicts(&lab, height).await, [*code as u8], "{what}");
    }
    let written = lab.basic().evaluate("get", ["forged"]).await.unwrap();
    assert!(written.is_empty(), "{written:?}");
    lab.leave(CHANGES.len() as u64).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn envelopes_an_orderer_cannot_take_are_refused() {
    let lab = Lab::enter().await;
    let call = lab.basic().call("put").args(["refused", "value"]);
    let transaction = call.proposal().endorse().await.unwrap();
    let good = envelope(&lab, &transaction);

    let mut tampered = good.clone();
    let mut bytes = tampered.payload.to_vec();
    *bytes.last_mut().unwrap() ^= 1;
    tampered.payload = bytes.into();
    let unsigned = Envelope { signature: Bytes::new(), ..good.clone() };
    let nowhere = sign(&lab, addressed(&good.payload, "nowhere"));
    let large = sign(&lab, padded(&good.payload, 1_048_576));
    let cases = [
        ("tampered", tampered, Answer::Forbidden, "permission denied"),
        ("unsigned", unsigned, Answer::BadRequest, "not signed"),
        ("empty", Envelope::default(), Answer::BadRequest, "Message was empty"),
        ("for an unknown channel", nowhere, Answer::BadRequest, "channel does not exist"),
        ("too large", large, Answer::BadRequest, "exceeds maximum allowed 1048576 bytes"),
    ];
    for (what, envelope, status, info) in cases {
        let answer = lab.broadcast(envelope).await;
        assert_eq!(answer.status(), status, "{what}: {answer:?}");
        assert!(answer.info.contains(info), "{what}: {answer:?}");
    }
    let forged = transaction.clone().signed(Bytes::from_static(b"nonsense"));
    let error = forged.submit().await.unwrap_err();
    let client::Error::Gateway(failure) = &error else { panic!("{error}") };
    assert_eq!(failure.code, tonic::Code::Aborted, "{error}");
    assert!(failure.details[0].message.contains("status=FORBIDDEN"), "{error}");
    lab.leave(0).await;
}

/// The same payload for another channel.
fn addressed(payload: &Bytes, channel: &str) -> Bytes {
    let mut payload = Payload::decode(payload.clone()).unwrap();
    let mut header: Header = payload.header.take().unwrap();
    let mut channel_header = ChannelHeader::decode(header.channel_header.clone()).unwrap();
    channel_header.channel_id = channel.to_owned();
    header.channel_header = channel_header.encode_to_vec().into();
    payload.header = Some(header);
    payload.encode_to_vec().into()
}

/// A payload with more data.
fn padded(payload: &Bytes, more: usize) -> Bytes {
    let mut payload = Payload::decode(payload.clone()).unwrap();
    payload.data = [payload.data.to_vec(), vec![0; more]].concat().into();
    payload.encode_to_vec().into()
}
