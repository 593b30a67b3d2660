//! What applications do.

use client::{Class, Error, Signer, Stage, Start, Timeouts, TxValidationCode};
use std::time::Duration;
use tonic::Code;

use crate::script::Running;

#[tokio::test(flavor = "multi_thread")]
async fn evaluates_and_submits() {
    let server = Running::start().await;
    let contract = server.connect().await.network("care").contract("ehr");
    let answer = contract.evaluate("GetPatient", ["p", "1"]).await.unwrap();
    assert_eq!(answer, "GetPatientp1");

    let outcome = contract.submit("RegisterPatient", ["p-1"]).await.unwrap();
    assert_eq!((outcome.block, outcome.code), (1, TxValidationCode::Valid));
    assert_eq!(outcome.result, "p-1");

    let commit = contract.submit_async("RegisterPatient", ["p-2"]).await.unwrap();
    assert_eq!(commit.result(), "p-2");
    assert_eq!(commit.status().await.unwrap().tx_id, commit.tx_id());

    let lost = contract.submit("RegisterPatient", ["p-3"]).await.unwrap_err();
    assert_eq!(lost.class(), Class::Conflict);
    assert!(matches!(
        &lost,
        Error::Invalid { block: 3, code: TxValidationCode::MvccReadConflict, .. }
    ));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn transient_data_and_organizations_reach_the_gateway_only() {
    let server = Running::start().await;
    let contract = server.connect().await.network("care").contract("ehr");
    let call = contract.call("Put").arg("x").transient("mrn", "secret");
    let transaction = call.organizations(["HospitalMSP"]).proposal().endorse().await.unwrap();
    assert!(!transaction.bytes().windows(6).any(|window| window == b"secret"));
    let seen = server.seen.lock().unwrap();
    assert_eq!(seen.transient["mrn"], "secret");
    assert_eq!(seen.organizations, ["HospitalMSP"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_carry_what_the_nodes_said() {
    let server = Running::start().await;
    let contract = server.connect().await.network("care").contract("ehr");
    let error = contract.submit("Refused", ["x"]).await.unwrap_err();
    assert_eq!(error.class(), Class::Denied);
    let Error::Gateway(failure) = error else { panic!("{error}") };
    assert_eq!((failure.stage, failure.code), (Stage::Endorse, Code::Aborted));
    assert_eq!(failure.details[0].msp_id, "PharmacyMSP");
    assert!(failure.details[0].message.contains("E_ROLE"));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_does_not_come_times_out() {
    let server = Running::start().await;
    let short = Timeouts { commit_status: Duration::from_millis(200), ..Timeouts::default() };
    let gateway = server.connect().await.with_timeouts(short);
    let commit = gateway.network("care").contract("ehr").submit_async("Put", ["x"]).await.unwrap();
    server.seen.lock().unwrap().submitted.clear();
    let error = commit.status().await.unwrap_err();
    assert_eq!(error.class(), Class::Timeout, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_can_be_signed_elsewhere() {
    let server = Running::start().await;
    let signer = Signer::offline("HospitalMSP", server.certificate.as_bytes());
    let gateway = server.connect_as(signer).await;
    let contract = gateway.network("care").contract("ehr");
    let unsigned = contract.call("Put").arg("x").proposal();
    assert!(matches!(unsigned.endorse().await, Err(Error::NoKey)));

    // Each step travels as bytes to the signer and back.
    let restored = gateway.proposal(&unsigned.to_bytes()).unwrap();
    assert_eq!(restored.digest(), unsigned.digest());
    let signature = server.key.sign(restored.bytes()).unwrap();
    let transaction = restored.signed(signature).endorse().await.unwrap();

    let restored = gateway.transaction(&transaction.to_bytes()).unwrap();
    let signature = server.key.sign(restored.bytes()).unwrap();
    let commit = restored.signed(signature).submit().await.unwrap();

    let restored = gateway.commit(&commit.to_bytes()).unwrap();
    let signature = server.key.sign(restored.bytes()).unwrap();
    let outcome = restored.signed(signature).status().await.unwrap();
    assert_eq!(outcome.code, TxValidationCode::Valid);

    let wrong = server.key.sign(b"something else").unwrap();
    let refused = unsigned.signed(wrong).endorse().await.unwrap_err();
    assert_eq!(refused.class(), Class::Denied);
    assert!(gateway.proposal(b"nonsense").is_err());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_resume_behind_the_last_one_seen() {
    let server = Running::start().await;
    let network = server.connect().await.network("care");
    let mut events = network.chaincode_events("ehr", Start::Block(5)).await.unwrap();
    let first = events.next().await.unwrap();
    assert_eq!((first.block, first.tx_id.as_str(), first.name.as_str()), (7, "a", "Granted"));
    let second = events.next().await.unwrap();
    assert!(events.next().await.is_err());
    events.resume().await.unwrap();
    assert_eq!(events.next().await.unwrap().tx_id, "c");
    assert_eq!(server.seen.lock().unwrap().after, ["", "b"]);

    let again = network.chaincode_events("ehr", Start::After(second.checkpoint())).await;
    assert_eq!(again.unwrap().next().await.unwrap().block, 8);
}
