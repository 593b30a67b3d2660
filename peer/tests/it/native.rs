//! A contract in Rust instead of Wasm, one instance for each peer.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use proto::peer::Response;
use runtime::{
    Chaincode, ChaincodeRuntime, Error, Invocation, NestedCall, Package, Stub, StubError,
};

/// Runs the contract for every package.
pub struct Native {
    /// The peer it runs on, which a contract should not know.
    pub peer: String,
}

impl ChaincodeRuntime for Native {
    fn package_type(&self) -> &str {
        "wasm"
    }

    fn install(&self, _package: &Package) -> Result<(), Error> {
        Ok(())
    }

    fn load(&self, _package_id: &str) -> Result<Arc<dyn Chaincode>, Error> {
        Ok(Arc::new(Contract { peer: self.peer.clone() }))
    }

    fn remove(&self, _package_id: &str) {}
}

struct Contract {
    peer: String,
}

impl Chaincode for Contract {
    fn invoke(&self, stub: &mut dyn Stub, invocation: &Invocation) -> Result<Response, Error> {
        let text = |arg: &Bytes| String::from_utf8_lossy(arg).into_owned();
        let args: Vec<String> = invocation.args.iter().map(text).collect();
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        match self.call(stub, &args) {
            Ok(response) => Ok(response),
            Err(StubError::Refused(message)) => {
                Ok(Response { status: 500, message, payload: Bytes::new() })
            }
            Err(StubError::Failed(text)) => Err(Error::Host(text)),
        }
    }

    fn metadata(&self) -> Option<Bytes> {
        None
    }
}

impl Contract {
    fn call(&self, stub: &mut dyn Stub, args: &[&str]) -> Result<Response, StubError> {
        let bytes = |text: &str| Bytes::copy_from_slice(text.as_bytes());
        let payload = match args {
            ["init"] => Bytes::new(),
            ["get", key] => stub.get_state(key)?.unwrap_or_default(),
            ["put", key, value] => {
                stub.put_state(key, bytes(value))?;
                stub.set_event("put", bytes(key))?;
                bytes(value)
            }
            ["put-secret", collection, key] => {
                let value = stub.transient()["value"].clone();
                stub.put_private_data(collection, key, value)?;
                Bytes::new()
            }
            ["get-secret", collection, key] => {
                stub.get_private_data(collection, key)?.unwrap_or_default()
            }
            ["lock", key, msp_id] => {
                let text = format!("OR('{msp_id}.peer')");
                let policy = channel::policy::dsl::parse(&text).unwrap();
                let policy = prost::Message::encode_to_vec(&policy);
                stub.set_state_validation_parameter(key, policy.into())?;
                Bytes::new()
            }
            ["who"] => {
                let caller = stub.caller()?;
                bytes(&format!("{} {}", caller.msp_id, caller.subject))
            }
            ["where"] => {
                stub.put_state("where", bytes(&self.peer))?;
                Bytes::new()
            }
            ["sleep"] => {
                std::thread::sleep(Duration::from_millis(700));
                Bytes::new()
            }
            ["fail", status, message] => {
                let status = status.parse().unwrap();
                return Ok(Response { status, message: (*message).into(), payload: Bytes::new() });
            }
            ["call", chaincode, channel, rest @ ..] => {
                let args = rest.iter().map(|arg| bytes(arg));
                return stub.invoke_chaincode(NestedCall {
                    chaincode: (*chaincode).into(),
                    channel: (*channel).into(),
                    invocation: Invocation::new(args.collect::<Vec<_>>()),
                });
            }
            _ => return Err(StubError::Refused("unknown function".into())),
        };
        Ok(Response { status: 200, message: String::new(), payload })
    }
}
