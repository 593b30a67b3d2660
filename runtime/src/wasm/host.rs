//! A store's data: the session of one call, and the limits wasmtime asks about.

use wasmtime::{ResourceLimiter, StoreContextMut};

use super::check::TABLE_ELEMENTS_MAX;
use crate::error::{Error, Limit};
use crate::session::{Outcome, Session, Stop};

pub(super) struct Host {
    pub(super) session: Session<'static>,
    pub(super) memory_bytes_max: u64,
}

impl ResourceLimiter for Host {
    fn memory_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if desired as u64 <= self.memory_bytes_max {
            return Ok(true);
        }
        // An error ends the call here, with the reason; refusing would end it a little later in a
        // trap of the guest's allocator, which tells nothing.
        let limit = Limit { name: "memory_bytes_max", value: self.memory_bytes_max };
        Err(wasmtime::Error::new(Error::Limit(limit)))
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired as u64 <= TABLE_ELEMENTS_MAX)
    }
}

/// Runs one host call with the guest's fuel. `Err` outside ends the guest, `Err` inside is the
/// refusal it receives.
pub(super) fn serve<T>(
    mut store: StoreContextMut<'_, Host>,
    call: impl FnOnce(&mut Session<'static>) -> Outcome<T>,
) -> wasmtime::Result<Result<T, String>> {
    let fuel = store.get_fuel()?;
    let session = &mut store.data_mut().session;
    session.set_fuel(fuel);
    let outcome = call(session);
    let fuel = session.fuel();
    store.set_fuel(fuel)?;
    match outcome {
        Ok(value) => Ok(Ok(value)),
        Err(Stop::Refused(text)) => Ok(Err(text)),
        Err(Stop::Abort(error)) => Err(wasmtime::Error::new(error)),
    }
}

/// The same for functions without a refusal in their type.
pub(super) fn tell<T>(
    store: StoreContextMut<'_, Host>,
    call: impl FnOnce(&mut Session<'static>) -> Outcome<T>,
) -> wasmtime::Result<(T,)> {
    match serve(store, call)? {
        Ok(value) => Ok((value,)),
        Err(text) => Err(wasmtime::Error::new(Error::Host(text))),
    }
}
