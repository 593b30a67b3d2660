//! One call: a fresh instance, its fuel, its deadline, and what became of it.

use proto::peer::Response;
use wasmtime::component::InstancePre;
use wasmtime::{Store, Trap};

use super::compile::TICK;
use super::host::Host;
use super::imports::WireResponse;
use super::{Module, borrow};
use crate::chaincode::Invocation;
use crate::error::{Error, Limit};
use crate::session::Session;
use crate::stub::Stub;

const EXPORT: &str = "gauze:chaincode/chaincode@0.1.0";
const INVOKE: &str = "invoke";

/// The export's arguments and result.
type Params = (Vec<Vec<u8>>,);
type Results = (WireResponse,);

pub(super) fn run(
    module: &Module,
    stub: &mut dyn Stub,
    invocation: &Invocation,
) -> Result<Response, Error> {
    borrow::with_session(module, stub, &module.shared.config, invocation, in_store)?
}

fn in_store(
    module: &Module,
    session: Session<'static>,
    invocation: &Invocation,
) -> Result<Response, Error> {
    let config = &module.shared.config;
    let (fuel, fuel_limit) = (session.fuel(), invocation.budget.limit());
    let host = Host { session, memory_bytes_max: config.memory_bytes_max };
    let mut store = Store::new(&module.shared.engine, host);
    store.limiter(|host| host);
    let ticks = config.deadline.as_millis().div_ceil(TICK.as_millis());
    store.set_epoch_deadline(u64::try_from(ticks).unwrap_or(u64::MAX / 2));
    let outcome = match store.set_fuel(fuel) {
        Ok(()) => invoke(module, &mut store, invocation),
        Err(e) => Err(e),
    };
    let left = store.get_fuel().unwrap_or_default();
    let Host { mut session, .. } = store.into_data();
    session.set_fuel(left);
    match outcome {
        Ok(WireResponse { status, message, payload }) => {
            session.end(Response { status, message, payload: payload.into() })
        }
        Err(e) => {
            session.settle();
            Err(reason(e, fuel_limit, config.deadline.as_millis()))
        }
    }
}

fn invoke(
    module: &Module,
    store: &mut Store<Host>,
    invocation: &Invocation,
) -> wasmtime::Result<WireResponse> {
    let instance = module.instances.instantiate(&mut *store)?;
    let interface = instance.get_export_index(&mut *store, None, EXPORT);
    let function = instance
        .get_export_index(&mut *store, interface.as_ref(), INVOKE)
        .ok_or_else(|| wasmtime::Error::msg("export is missing"))?;
    let function = instance.get_typed_func::<Params, Results>(&mut *store, &function)?;
    let args = invocation.args.iter().map(|arg| arg.to_vec()).collect();
    let (response,) = function.call(&mut *store, (args,))?;
    Ok(response)
}

/// Why wasmtime stopped. Texts are constants of wasmtime or ours: equal on every peer of one
/// version.
fn reason(error: wasmtime::Error, fuel_limit: u64, deadline_ms: u128) -> Error {
    match error.downcast_ref::<Trap>() {
        Some(Trap::OutOfFuel) => Error::Limit(Limit { name: "fuel", value: fuel_limit }),
        Some(Trap::Interrupt) => {
            let value = u64::try_from(deadline_ms).unwrap_or(u64::MAX);
            Error::Deadline(Limit { name: "deadline_ms", value })
        }
        Some(trap) => Error::Trap(trap.to_string()),
        None => match error.downcast::<Error>() {
            Ok(own) => own,
            Err(other) => Error::Trap(format!("{:#}", other.root_cause())),
        },
    }
}

/// At install: the component exports what calls need.
pub(super) fn check_export(instances: &InstancePre<Host>) -> Result<(), Error> {
    let component = instances.component();
    let interface = component.get_export_index(None, EXPORT);
    let found = interface.and_then(|i| component.get_export_index(Some(&i), INVOKE));
    match found {
        Some(_) => Ok(()),
        None => Err(Error::Module(format!("it does not export {EXPORT}"))),
    }
}
