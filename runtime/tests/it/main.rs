//! Modules that must never run.

use bytes::Bytes;
use runtime::wasm::{Config, Engine};

/// The start of a component.
const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";
/// The start of a core module.
const MODULE: &[u8] = b"\0asm\x01\0\0\0";

fn section(id: u8, content: &[u8]) -> Vec<u8> {
    [&[id][..], &leb(content.len()), content].concat()
}

fn leb(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

fn component(sections: &[Vec<u8>]) -> Vec<u8> {
    [COMPONENT, &sections.concat()].concat()
}

/// A component around one core module.
fn wrapped(sections: &[Vec<u8>]) -> Vec<u8> {
    component(&[section(1, &[MODULE, &sections.concat()].concat())])
}

/// A component that imports an empty instance under this name.
fn importing(name: &str) -> Vec<u8> {
    let import = [&[1, 0][..], &leb(name.len()), name.as_bytes(), &[5, 0]].concat();
    component(&[section(7, &[1, 0x42, 0]), section(10, &import)])
}

/// One function type, one function of it, and a body.
fn function(body: &[u8]) -> Vec<Vec<u8>> {
    let code = [&[1][..], &leb(body.len()), body].concat();
    vec![section(1, &[1, 0x60, 0, 0]), section(3, &[1, 0]), section(10, &code)]
}

#[test]
fn bad_modules_are_refused_with_a_reason() {
    let engine = Engine::new(Config { module_bytes_max: 1 << 20, ..Config::default() }).unwrap();
    let nested = [&[0][..], &[0x02, 0x40].repeat(3_000), &[0x0b; 3_001]].concat();
    let locals = [&[1][..], &leb(100_000), &[0x7f, 0x0b]].concat();
    let long = [&[0][..], &[0x01; 600_000], &[0x0b]].concat();
    let cases: [(Vec<u8>, &str); 12] = [
        (Vec::new(), "not a WebAssembly component"),
        (b"garbage".to_vec(), "not a WebAssembly component"),
        (MODULE.to_vec(), "not a WebAssembly component"),
        (COMPONENT.to_vec(), "it does not export gauze:chaincode/chaincode@0.1.0"),
        (importing("wasi:clocks/wall-clock@0.2.0"), "it imports wasi:clocks/wall-clock@0.2.0"),
        (importing("env"), "it imports env"),
        (component(&[vec![7, 100, 1]]), "unexpected end"),
        (vec![0; (1 << 20) + 1], "module_bytes_max of 1048576"),
        (wrapped(&[section(5, &[1, 0, 0xff, 0xff, 3])]), "memory_bytes_max"),
        (wrapped(&function(&nested)), "nested blocks in a function"),
        (wrapped(&function(&locals)), "local variables in a function"),
        (wrapped(&function(&long)), "function_bytes_max of 524288"),
    ];
    for (bytes, reason) in cases {
        let text = match engine.compile(Bytes::from(bytes)) {
            Ok(_) => "accepted".to_owned(),
            Err(e) => e.to_string(),
        };
        assert!(text.contains(reason), "expected '{reason}': {text}");
    }
}

#[test]
fn damaged_modules_never_panic() {
    let engine = Engine::new(Config::default()).unwrap();
    let whole = wrapped(&function(&[0, 0x01, 0x0b]));
    for at in 0..whole.len() {
        let _ = engine.compile(Bytes::copy_from_slice(&whole[..at]));
        let mut flipped = whole.clone();
        flipped[at] ^= 1 << (at % 8);
        let _ = engine.compile(Bytes::from(flipped));
    }
}

#[test]
fn limits_are_read_from_configuration_and_unknown_ones_refused() {
    let config: Config = serde_json::from_str(r#"{"fuel": 5, "deadline_ms": 10}"#).unwrap();
    assert_eq!((config.fuel, config.deadline.as_millis()), (5, 10));
    assert!(serde_json::from_str::<Config>(r#"{"fule": 5}"#).is_err());
    let text = serde_json::to_string(&Config::default()).unwrap();
    assert_eq!(serde_json::from_str::<Config>(&text).unwrap(), Config::default());
}
