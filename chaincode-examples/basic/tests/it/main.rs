//! The same stories on the contract compiled into the test and on the component a peer runs.

#![allow(clippy::unwrap_used, reason = "a test that fails here says where")]

mod measure;
mod stories;

use std::path::Path;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use basic::Basic;
use bytes::Bytes;
use gauze_testing::Network;
use runtime::wasm::{Config, Engine};
use runtime::{ChaincodeRuntime, Invocation, Package, conformance};

/// The contract's package, built once.
static PACKAGE: LazyLock<Bytes> = LazyLock::new(|| {
    gauze_testing::build::package(Path::new(env!("CARGO_MANIFEST_DIR")), "basic_1.0").unwrap()
});

#[test]
fn native() {
    stories::all(|| Network::new().orgs(["OneMSP", "TwoMSP"]).deploy::<Basic>("basic"));
}

#[test]
fn wasm() {
    let net = || Network::new().orgs(["OneMSP", "TwoMSP"]).deploy_package("basic", &PACKAGE);
    stories::all(net);
}

#[test]
fn both_describe_themselves_alike() {
    let native = Network::new().deploy::<Basic>("basic").interface("basic");
    let wasm = Network::new().deploy_package("basic", &PACKAGE).interface("basic");
    assert!(native.is_some());
    assert_eq!(native, wasm);
}

#[test]
fn the_wasm_runtime_conforms() {
    let limits = Config { fuel: 200_000_000, writes_max: 2_000, ..Config::default() };
    let engine = Engine::new(limits.clone()).unwrap();
    let package = Package::parse(PACKAGE.clone()).unwrap();
    conformance::run(&engine, &package, &limits);
}

#[test]
fn a_deadline_ends_what_fuel_does_not() {
    let limits =
        Config { fuel: u64::MAX / 4, deadline: Duration::from_millis(50), ..Config::default() };
    let engine = Engine::new(limits).unwrap();
    let package = Package::parse(PACKAGE.clone()).unwrap();
    engine.install(&package).unwrap();
    let chaincode = engine.load(package.id()).unwrap();
    let start = Instant::now();
    let invocation = Invocation::new([&b"loop"[..]]);
    let mut stub = conformance::MemoryStub::new();
    let error = chaincode.invoke(&mut stub, &invocation).unwrap_err();
    assert_eq!(error.to_string(), "chaincode ran longer than deadline_ms of 50 on this peer");
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_panic_is_logged_before_the_trap() {
    let engine = Engine::new(Config::default()).unwrap();
    let package = Package::parse(PACKAGE.clone()).unwrap();
    engine.install(&package).unwrap();
    let chaincode = engine.load(package.id()).unwrap();
    let mut stub = conformance::MemoryStub::new();
    chaincode.invoke(&mut stub, &Invocation::new([&b"trap"[..]])).unwrap_err();
    assert!(
        stub.log().iter().any(|line| line.contains("the contract gave up")),
        "{:?}",
        stub.log()
    );
}

#[test]
fn the_module_tells_nothing_of_the_machine_that_built_it() {
    let package = Package::parse(PACKAGE.clone()).unwrap();
    let module = package.module().unwrap();
    let here = env!("CARGO_MANIFEST_DIR").as_bytes();
    assert!(!module.windows(here.len()).any(|window| window == here));
}
