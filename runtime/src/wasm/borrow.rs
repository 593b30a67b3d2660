//! The one place of the runtime with `unsafe`: a stub inside a wasmtime store.
//!
//! wasmtime demands that a store's data be `'static`, while a stub is borrowed for one call. The
//! store of a call is created and dropped inside that call, so the borrow outlives it.

#![allow(unsafe_code, reason = "a store's data must be 'static; see the module's documentation")]

use crate::chaincode::Invocation;
use crate::error::Error;
use crate::session::Session;
use crate::stub::Stub;
use crate::wasm::Config;

/// Begins a session, lets `run` put it into a store, and returns only when that store is gone.
///
/// `run` is a plain function: it captures nothing it could hide the session in, and its result
/// cannot hold one.
pub(super) fn with_session<M, R: 'static>(
    module: M,
    stub: &mut dyn Stub,
    config: &Config,
    invocation: &Invocation,
    run: fn(M, Session<'static>, &Invocation) -> R,
) -> Result<R, Error> {
    let session = Session::begin(stub, config, invocation)?;
    // SAFETY: only the lifetime changes. `run` consumes the session; it is the function of
    // `wasm::call`, which moves it into a store it drops before returning, and neither starts
    // threads that outlive it nor leaks the store.
    let session = unsafe { std::mem::transmute::<Session<'_>, Session<'static>>(session) };
    Ok(run(module, session, invocation))
}
