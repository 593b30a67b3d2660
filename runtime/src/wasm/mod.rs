//! Chaincode as WebAssembly components, executed by wasmtime in the peer's own process.
//!
//! Everything the guest can reach is in `runtime/wit`; a component that imports anything else is
//! refused at install, which is also when it is checked ([`check`]) and compiled. A call gets a
//! fresh instance from a pool, fuel that decides, and an epoch deadline should fuel not suffice.
//!
//! Compiled code is kept in memory only. Reading it back from disk would be `unsafe` and saves a
//! few hundred milliseconds at start.

mod borrow;
mod call;
mod check;
mod compile;
mod config;
mod host;
mod imports;
mod places;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::{Mutex, RwLock};
use proto::peer::Response;
use wasmtime::component::{InstancePre, Linker};

pub use config::Config;

use crate::chaincode::{Chaincode, ChaincodeRuntime, Invocation};
use crate::error::Error;
use crate::package::{self, Package};
use crate::stub::Stub;
use host::Host;
use places::Places;

/// Compiles packages of type `wasm` and keeps them ready.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
    installed: Arc<RwLock<BTreeMap<String, Arc<Module>>>>,
}

/// What all modules of an engine share.
struct Shared {
    config: Config,
    engine: wasmtime::Engine,
    linker: Linker<Host>,
    places: Places,
    /// One module compiles at a time, so that installing cannot take the whole machine.
    compiler: Arc<Mutex<()>>,
}

/// One installed package.
struct Module {
    shared: Arc<Shared>,
    instances: InstancePre<Host>,
    interface: Option<Bytes>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("config", &self.shared.config).finish_non_exhaustive()
    }
}

impl Engine {
    /// An engine with the given limits.
    pub fn new(config: Config) -> Result<Self, Error> {
        let failed = |e: wasmtime::Error| Error::Host(format!("start Wasm engine: {e:#}"));
        let engine = compile::engine(&config).map_err(failed)?;
        let mut linker = Linker::new(&engine);
        imports::define(&mut linker).map_err(failed)?;
        compile::tick(&engine).map_err(|e| Error::Host(format!("start Wasm clock: {e}")))?;
        let places = Places::new(config.calls_max);
        let shared = Shared { config, engine, linker, places, compiler: Arc::default() };
        Ok(Self { shared: Arc::new(shared), installed: Arc::default() })
    }

    /// The limits.
    pub fn config(&self) -> &Config {
        &self.shared.config
    }

    /// Checks and compiles a component that is in no package.
    pub fn compile(&self, component: Bytes) -> Result<Arc<dyn Chaincode>, Error> {
        Ok(Arc::new(self.module(component)?))
    }

    fn module(&self, component: Bytes) -> Result<Module, Error> {
        let interface = check::component(&component, &self.shared.config)?;
        let compiled = compile::component(&self.shared, component)?;
        let instances = self
            .shared
            .linker
            .instantiate_pre(&compiled)
            .map_err(|e| Error::Module(format!("{e:#}")))?;
        call::check_export(&instances)?;
        Ok(Module { shared: Arc::clone(&self.shared), instances, interface })
    }
}

impl ChaincodeRuntime for Engine {
    fn package_type(&self) -> &str {
        package::WASM
    }

    fn install(&self, package: &Package) -> Result<(), Error> {
        if self.installed.read().contains_key(package.id()) {
            return Ok(());
        }
        let module = Arc::new(self.module(package.module()?)?);
        self.installed.write().insert(package.id().to_owned(), module);
        Ok(())
    }

    fn load(&self, package_id: &str) -> Result<Arc<dyn Chaincode>, Error> {
        match self.installed.read().get(package_id) {
            Some(module) => Ok(Arc::clone(module) as Arc<dyn Chaincode>),
            None => Err(Error::NotInstalled(package_id.to_owned())),
        }
    }

    fn remove(&self, package_id: &str) {
        self.installed.write().remove(package_id);
    }
}

impl Chaincode for Module {
    fn invoke(&self, stub: &mut dyn Stub, invocation: &Invocation) -> Result<Response, Error> {
        // A nested call never waits, or callers could wait for each other's nested calls; the pool
        // has room for all of them.
        let _place = (invocation.budget.depth() == 0).then(|| self.shared.places.take());
        call::run(self, stub, invocation)
    }

    fn metadata(&self) -> Option<Bytes> {
        self.interface.clone()
    }
}
