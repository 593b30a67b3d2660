//! Figures, on demand: `cargo test -p basic --test it -- --ignored --nocapture`.

use std::time::Instant;

use runtime::conformance::MemoryStub;
use runtime::wasm::{Config, Engine};
use runtime::{Chaincode, ChaincodeRuntime, Invocation, Package};

const CALLS: u32 = 5_000;

#[test]
#[ignore = "measures, and proves nothing"]
fn calls_per_second() {
    let package = Package::parse(super::PACKAGE.clone()).unwrap();
    let engine = Engine::new(Config::default()).unwrap();
    let start = Instant::now();
    engine.install(&package).unwrap();
    println!("package {} bytes, install {:?}", package.bytes().len(), start.elapsed());
    let chaincode = engine.load(package.id()).unwrap();
    let start = Instant::now();
    let fuel = call(&*chaincode);
    println!("first call {:?}, fuel {fuel}", start.elapsed());
    for threads in [1, 2, 4] {
        let start = Instant::now();
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| (0..CALLS).for_each(|_| assert_ne!(call(&*chaincode), 0)));
            }
        });
        let each = start.elapsed() / (threads * CALLS);
        println!("{threads} threads: {each:?} for each call, fresh instance, transfer of an asset");
    }
}

fn call(chaincode: &dyn Chaincode) -> u64 {
    let mut stub = MemoryStub::new();
    let asset = br#"{"AppraisedValue":300,"Color":"blue","ID":"a1","Owner":"Ana","Size":5}"#;
    stub.set("a1", asset);
    let invocation = Invocation::new(["TransferAsset", "a1", "Ben"].map(str::as_bytes));
    let response = chaincode.invoke(&mut stub, &invocation).unwrap();
    assert_eq!(response.status, 200);
    invocation.budget.fuel_used()
}
