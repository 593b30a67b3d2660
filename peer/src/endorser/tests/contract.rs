//! The contract of the recorded network (`peer/tests/contract`), built and run as peers run any
//! contract: as a component in the Wasm engine.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use runtime::wasm::{Config, Engine};
use runtime::{Chaincode, ChaincodeRuntime, Error, Package};

/// Runs the contract under whatever package id.
pub(super) struct Recorded;

impl ChaincodeRuntime for Recorded {
    fn package_type(&self) -> &str {
        "wasm"
    }

    fn install(&self, _package: &Package) -> Result<(), Error> {
        Ok(())
    }

    fn load(&self, _package_id: &str) -> Result<Arc<dyn Chaincode>, Error> {
        static CONTRACT: OnceLock<Arc<dyn Chaincode>> = OnceLock::new();
        Ok(CONTRACT.get_or_init(build).clone())
    }

    fn remove(&self, _package_id: &str) {}
}

fn build() -> Arc<dyn Chaincode> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/contract");
    let core = gauze_testing::build::core_module(&folder).unwrap();
    let component = runtime::package::encode_component(&core).unwrap();
    Engine::new(Config::default()).unwrap().compile(Bytes::from(component)).unwrap()
}
