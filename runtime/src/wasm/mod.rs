//! Chaincode as WebAssembly components, executed by wasmtime in the peer's own process.

mod config;

use std::sync::Arc;

pub use config::Config;

use crate::chaincode::{Chaincode, ChaincodeRuntime};
use crate::error::Error;
use crate::package::{self, Package};

/// Compiles packages of type `wasm` and keeps them ready.
#[derive(Clone, Debug)]
pub struct Engine {
    config: Config,
}

impl Engine {
    /// An engine with the given limits.
    pub fn new(config: Config) -> Result<Self, Error> {
        Ok(Self { config })
    }
}

impl ChaincodeRuntime for Engine {
    fn package_type(&self) -> &str {
        package::WASM
    }

    fn install(&self, _package: &Package) -> Result<(), Error> {
        todo!("{:?}", self.config)
    }

    fn load(&self, _package_id: &str) -> Result<Arc<dyn Chaincode>, Error> {
        todo!()
    }

    fn remove(&self, _package_id: &str) {
        todo!()
    }
}
