//! Chaincode that misbehaves, and chaincode that is not there.

use client::Error;
use tonic::Code;

use super::Lab;
use crate::harness::LAB;

/// What each call of `basic` is told, whether it is evaluated or endorsed.
const MISBEHAVIOUR: &[(&str, &[&str], &str)] = &[
    ("loop", &[], "chaincode exceeded fuel of 1000000000"),
    ("memory", &[], "chaincode exceeded memory_bytes_max of 67108864"),
    // Rust's stack lies in linear memory and runs out before the engine's own.
    ("stack", &[], "chaincode trapped: wasm trap: out of bounds memory access"),
    ("trap", &[], "chaincode trapped"),
    ("bigResponse", &["17000000"], "chaincode exceeded response_bytes_max of 16777216"),
    ("manyWrites", &["20001"], "chaincode exceeded writes_max of 20000"),
    ("put", &["key"], "chaincode response 500, Expected 2 parameters, but 1 have been supplied"),
    ("nonsense", &[], "nonsense"),
    ("ReadAsset", &["nothing"], "chaincode response 500, ASSET_NOT_FOUND"),
];

#[tokio::test(flavor = "multi_thread")]
async fn misbehaving_chaincode_is_stopped_and_named() {
    let lab = Lab::enter().await;
    let contract = lab.basic();
    for (function, arguments, expected) in MISBEHAVIOUR {
        let evaluated = contract.evaluate(function, *arguments).await.unwrap_err();
        let submitted = contract.submit(function, *arguments).await.unwrap_err();
        for error in [evaluated, submitted] {
            let Error::Gateway(failure) = &error else { panic!("{function}: {error}") };
            let [detail] = &failure.details[..] else { panic!("{function}: {error}") };
            assert!(detail.message.contains(expected), "{function}: {error}");
            assert_eq!(detail.msp_id, "AlphaMSP", "{function}");
            assert_eq!(detail.address, lab.peer.address(), "{function}");
        }
    }
    let trapped = contract.evaluate("get", ["trapped"]).await.unwrap();
    assert!(trapped.is_empty(), "a failed call has written");
    lab.leave(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_endless_loop_does_not_delay_others() {
    let lab = Lab::enter().await;
    let contract = lab.basic();
    let (looping, answered) = tokio::join!(
        contract.evaluate("loop", [""; 0]),
        tokio::time::timeout(super::FAST, contract.evaluate("AssetExists", ["x"])),
    );
    assert!(looping.is_err());
    assert_eq!(answered.unwrap().unwrap(), "false");
    lab.leave(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_channels_and_chaincode_are_named() {
    let lab = Lab::enter().await;
    let unknown = lab.gateway.network(LAB).contract("unknown");
    let nowhere = lab.gateway.network("nowhere").contract("basic");
    let cases = [
        (unknown.evaluate("f", [""; 0]).await.unwrap_err(), "unknown"),
        (unknown.submit("f", [""; 0]).await.unwrap_err(), "unknown"),
        (nowhere.evaluate("f", [""; 0]).await.unwrap_err(), "nowhere"),
        (nowhere.submit("f", [""; 0]).await.unwrap_err(), "nowhere"),
    ];
    for (error, name) in cases {
        let Error::Gateway(failure) = &error else { panic!("{error}") };
        assert_eq!(failure.code, Code::FailedPrecondition, "{error}");
        assert!(error.to_string().contains(name), "{error}");
    }
    lab.leave(0).await;
}
