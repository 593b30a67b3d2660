//! From a call's arguments to one function of a contract.

use crate::error::{Error, Result};
use crate::host::Host;
use crate::interface::Interface;
use crate::tx::Tx;

/// Name and version of a contract; written by `#[contract]`.
pub trait Named {
    /// The contract's name.
    const NAME: &'static str;
    /// The contract's version.
    const VERSION: &'static str;
    /// The doc comment.
    const DOC: &'static str;
}

/// A contract's functions; written by `#[transactions]`.
pub trait Contract {
    /// What clients may know about it.
    const INTERFACE: Interface;
    /// [`INTERFACE`](Self::INTERFACE) as Fabric's contract metadata.
    const INTERFACE_JSON: &'static [u8];

    /// Calls the function with this name; `None` if there is none.
    fn call(tx: &mut Tx<'_>, function: &str, arguments: &[Vec<u8>]) -> Option<Result<Vec<u8>>>;
}

/// What goes back to the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// 200, or 400 and above for errors.
    pub status: i32,
    /// The error's text.
    pub message: String,
    /// The result.
    pub payload: Vec<u8>,
}

/// The status of success.
pub const OK: i32 = 200;

const SYSTEM_CONTRACT: &str = "org.hyperledger.fabric";

/// Runs one call of a contract.
pub fn dispatch<C: Contract>(host: &dyn Host, args: &[Vec<u8>]) -> Response {
    match call::<C>(host, args) {
        Ok(payload) => Response { status: OK, message: String::new(), payload },
        Err(e) => Response { status: e.status(), message: e.to_string(), payload: Vec::new() },
    }
}

fn call<C: Contract>(host: &dyn Host, args: &[Vec<u8>]) -> Result<Vec<u8>> {
    let (function, arguments) =
        args.split_first().ok_or_else(|| Error::plain("Blank function name passed"))?;
    let function = std::str::from_utf8(function)
        .map_err(|_| Error::plain("function name is not valid UTF-8"))?;
    let name = C::INTERFACE.name;
    let function = match function.rsplit_once(':') {
        Some((SYSTEM_CONTRACT, "GetMetadata")) => return Ok(C::INTERFACE_JSON.to_vec()),
        Some((contract, function)) if contract == name => function,
        Some((contract, _)) => {
            return Err(Error::plain(format!("Contract not found with name {contract}")));
        }
        None => function,
    };
    if function.is_empty() {
        return Err(Error::plain("Blank function name passed"));
    }
    C::call(&mut Tx::new(host), function, arguments).unwrap_or_else(|| {
        Err(Error::plain(format!(
            "You've asked to invoke a function that does not exist: {function}"
        )))
    })
}
