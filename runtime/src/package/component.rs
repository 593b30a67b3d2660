//! From the core module a compiler makes to the component a peer runs.

use wit_component::ComponentEncoder;

use super::Error;

/// Wraps a core module for `wasm32-unknown-unknown`, built with `chaincode-sdk`, as a component.
///
/// The module says in a custom section which interfaces it was compiled against. A module that
/// imports anything else, WASI for example, has no component. Bytes that are a component already
/// are returned as they are.
pub fn encode_component(core: &[u8]) -> Result<Vec<u8>, Error> {
    if wasmparser::Parser::is_component(core) {
        return Ok(core.to_vec());
    }
    fn failed(e: impl std::fmt::Display) -> Error {
        Error::Component(format!("{e:#}"))
    }
    ComponentEncoder::default()
        .module(core)
        .map_err(failed)?
        .validate(true)
        .encode()
        .map_err(failed)
}
