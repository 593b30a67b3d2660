//! What every chaincode runtime must do, as one suite.
//!
//! The suite drives the example chaincode `basic`, which has a function for each thing a contract
//! may do and for each it should not. An implementation's tests call [`run`] with `basic` as a
//! package of its type.

#![expect(clippy::panic, clippy::missing_panics_doc, reason = "this is a test suite")]

mod memory;

use std::sync::Arc;

use proto::peer::Response;

pub use memory::MemoryStub;

use crate::chaincode::{Chaincode, ChaincodeRuntime, Invocation};
use crate::error::Error;
use crate::package::Package;

/// Everything below. `fuel` is the runtime's limit, which endless functions must meet.
pub fn run(runtime: &dyn ChaincodeRuntime, basic: &Package, limits: &crate::wasm::Config) {
    installs(runtime, basic);
    let chaincode = runtime.load(basic.id()).unwrap_or_else(|e| panic!("load: {e}"));
    describes_itself(&*chaincode);
    answers(&chaincode);
    reads_and_writes(&chaincode);
    refuses(&chaincode);
    calls_chaincode(&chaincode, limits);
    ends(&chaincode, limits);
    repeats(&chaincode);
}

/// A package is there after it was installed, once or twice, until it is removed.
fn installs(runtime: &dyn ChaincodeRuntime, basic: &Package) {
    assert!(matches!(runtime.load(basic.id()), Err(Error::NotInstalled(_))));
    for _ in 0..2 {
        runtime.install(basic).unwrap_or_else(|e| panic!("install: {e}"));
        assert!(runtime.load(basic.id()).is_ok());
    }
    runtime.remove(basic.id());
    assert!(matches!(runtime.load(basic.id()), Err(Error::NotInstalled(_))));
    runtime.install(basic).unwrap_or_else(|e| panic!("install again: {e}"));
}

fn describes_itself(chaincode: &dyn Chaincode) {
    let json = chaincode.metadata().unwrap_or_else(|| panic!("no interface description"));
    let interface: serde_json::Value =
        serde_json::from_slice(&json).unwrap_or_else(|e| panic!("interface description: {e}"));
    let transactions = &interface["contracts"]["basic"]["transactions"];
    let names: Vec<_> =
        transactions.as_array().into_iter().flatten().map(|t| t["name"].as_str()).collect();
    assert!(names.contains(&Some("CreateAsset")), "{names:?}");
    let mut stub = MemoryStub::new();
    let answer = call(chaincode, &mut stub, &["org.hyperledger.fabric:GetMetadata"]);
    assert_eq!(answer.payload, json);
}

fn answers(chaincode: &Arc<dyn Chaincode>) {
    let mut stub = MemoryStub::new();
    let create = ["CreateAsset", "a1", "blue", "5", "Ana", "300"];
    let created = r#"{"AppraisedValue":300,"Color":"blue","ID":"a1","Owner":"Ana","Size":5}"#;
    check(&call(&**chaincode, &mut stub, &create), 200, "", created);
    assert_eq!(stub.event(), Some(("CreateAsset", created.as_bytes())));
    stub.commit();
    let mut expect = |args: &[&str], status, message: &str, payload: &str| {
        check(&call(&**chaincode, &mut stub, args), status, message, payload);
    };
    expect(&["ReadAsset", "a1"], 200, "", created);
    expect(&["basic:ReadAsset", "a1"], 200, "", created);
    expect(&["AssetExists", "a2"], 200, "", "false");
    expect(&["TransferAsset", "a1", "Ben"], 200, "", "Ana");
    expect(&create, 500, "ASSET_EXISTS: the asset a1 already exists", "");
    expect(&["ReadAsset", "a2"], 500, "ASSET_NOT_FOUND: the asset a2 does not exist", "");
    expect(&["ReadAsset"], 500, "Expected 1 parameters, but 0 have been supplied", "");
    expect(&["Nope"], 500, "You've asked to invoke a function that does not exist: Nope", "");
    expect(&["other:ReadAsset", "a1"], 500, "Contract not found with name other", "");
    expect(&[], 500, "Blank function name passed", "");
}

fn reads_and_writes(chaincode: &Arc<dyn Chaincode>) {
    let mut stub = MemoryStub::new();
    let expect = |stub: &mut MemoryStub, args: &[&str], payload: &str| {
        check(&call(&**chaincode, stub, args), 200, "", payload);
    };
    expect(&mut stub, &["put", "k1", "v1"], "");
    expect(&mut stub, &["get", "k1"], "");
    stub.commit();
    expect(&mut stub, &["get", "k1"], "v1");
    expect(&mut stub, &["put", "k2", "v2"], "");
    expect(&mut stub, &["put", "k3", "v3"], "");
    expect(&mut stub, &["putComposite", r#"{"town":"Ulm","guest":"Eva","nights":2}"#], "");
    stub.commit();
    expect(&mut stub, &["range", "", "", "10"], r#"["k1","k2","k3"]"#);
    expect(&mut stub, &["range", "k2", "", "1"], r#"["k2"]"#);
    expect(&mut stub, &["page", "", "", "2", ""], r#"{"records":["k1","k2"],"bookmark":"k3"}"#);
    expect(&mut stub, &["composite", "Ulm"], r#"[{"town":"Ulm","guest":"Eva","nights":2}]"#);
    expect(&mut stub, &["composite", "Bonn"], "[]");
    expect(&mut stub, &["del", "k2"], "");
    stub.commit();
    expect(&mut stub, &["range", "", "k3", "10"], r#"["k1"]"#);
    for i in 0..250 {
        stub.set(&format!("n{i:03}"), b"x");
    }
    expect(&mut stub, &["countRange", "n", "o", "count"], "250");
}

/// Refusals of the host reach the contract as errors, in Fabric's words where there are any.
fn refuses(chaincode: &Arc<dyn Chaincode>) {
    let mut stub = MemoryStub::new();
    let mut expect = |args: &[&str], message: &str| {
        check(&call(&**chaincode, &mut stub, args), 500, message, "");
    };
    expect(&["put", "", "v"], "key must not be an empty string");
    expect(&["event", "", "v"], "event name can not be empty string");
    expect(
        &["range", "\0a", "", "1"],
        "first character of the key [\\u{0}a] contains a null character which is not allowed",
    );
    expect(&["getPrivate", "", "k"], "collection must not be an empty string");
}

fn calls_chaincode(chaincode: &Arc<dyn Chaincode>, limits: &crate::wasm::Config) {
    let mut stub = MemoryStub::new().with_chaincode("basic", chaincode);
    let nested = ["invoke", "basic", "", "put", r#"["k","v"]"#];
    check(&call(&**chaincode, &mut stub, &nested), 200, "", "");
    stub.commit();
    check(&call(&**chaincode, &mut stub, &["get", "k"]), 200, "", "v");
    let missing = ["invoke", "basic", "", "ReadAsset", r#"["a"]"#];
    let text = "ASSET_NOT_FOUND: the asset a does not exist";
    check(&call(&**chaincode, &mut stub, &missing), 500, text, "");
    let invocation = Invocation::new(["recurse"].map(str::as_bytes));
    let answer = chaincode.invoke(&mut stub, &invocation);
    let text = format!("call_depth_max of {}", limits.call_depth_max);
    assert!(describe(&answer).contains(&text), "{}", describe(&answer));
}

/// Whatever a contract does, the call ends with a reason, and the next one works.
fn ends(chaincode: &Arc<dyn Chaincode>, limits: &crate::wasm::Config) {
    let too_many = limits.writes_max + 1;
    let too_big = limits.response_bytes_max + 1;
    let cases: [(&[&str], String); 6] = [
        (&["loop"], format!("chaincode exceeded fuel of {}", limits.fuel)),
        (
            &["memory"],
            format!("chaincode exceeded memory_bytes_max of {}", limits.memory_bytes_max),
        ),
        (&["stack"], "chaincode trapped: ".to_owned()),
        (&["trap"], "chaincode trapped: ".to_owned()),
        (
            &["bigResponse", &too_big.to_string()],
            format!("chaincode exceeded response_bytes_max of {}", limits.response_bytes_max),
        ),
        (
            &["manyWrites", &too_many.to_string()],
            format!("chaincode exceeded writes_max of {}", limits.writes_max),
        ),
    ];
    for (args, reason) in cases {
        let mut stub = MemoryStub::new();
        let invocation = Invocation::new(args.iter().map(|arg| arg.as_bytes().to_vec()));
        let answer = chaincode.invoke(&mut stub, &invocation);
        assert!(describe(&answer).starts_with(&reason), "{args:?}: {}", describe(&answer));
        check(&call(&**chaincode, &mut stub, &["AssetExists", "a"]), 200, "", "false");
    }
}

/// The same call consumes the same, alone and among others.
fn repeats(chaincode: &Arc<dyn Chaincode>) {
    let once = || {
        let invocation =
            Invocation::new(["CreateAsset", "a", "red", "1", "Ana", "2"].map(str::as_bytes));
        let mut stub = MemoryStub::new();
        let answer = chaincode.invoke(&mut stub, &invocation);
        (describe(&answer), invocation.budget.fuel_used(), stub.take_writes())
    };
    let first = once();
    assert!(first.1 > 0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..25).for_each(|_| assert_eq!(once(), first)));
        }
    });
}

fn call(chaincode: &dyn Chaincode, stub: &mut MemoryStub, args: &[&str]) -> Response {
    let invocation = Invocation::new(args.iter().map(|arg| arg.as_bytes().to_vec()));
    chaincode.invoke(stub, &invocation).unwrap_or_else(|e| panic!("{args:?}: {e}"))
}

#[track_caller]
fn check(answer: &Response, status: i32, message: &str, payload: &str) {
    let got = (answer.status, answer.message.as_str(), String::from_utf8_lossy(&answer.payload));
    assert_eq!(got, (status, message, payload.into()));
}

fn describe(answer: &Result<Response, Error>) -> String {
    match answer {
        Ok(response) => format!("{} {} {:?}", response.status, response.message, response.payload),
        Err(e) => e.to_string(),
    }
}
