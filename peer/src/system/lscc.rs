//! `lscc`, the lifecycle of Fabric 1: nothing was ever deployed with it here.
//!
//! The command line still asks for its two lists, which are empty; everything else is refused.

use bytes::Bytes;
use prost::Message;
use proto::peer::{ChaincodeQueryResponse, Response};

use super::{Context, SystemChaincode, failure, success};

/// The legacy lifecycle system chaincode.
#[derive(Debug, Clone, Copy, Default)]
pub struct Lscc;

impl SystemChaincode for Lscc {
    fn name(&self) -> &'static str {
        "lscc"
    }

    fn invoke(&self, context: &mut Context<'_>, args: &[Bytes]) -> Response {
        let function = args.first().map_or(&[][..], |arg| arg.as_ref());
        let resource = match function {
            b"getchaincodes" | b"GetChaincodes" => "lscc/GetInstantiatedChaincodes",
            b"getinstalledchaincodes" | b"GetInstalledChaincodes" => "lscc/GetInstalledChaincodes",
            _ => {
                return failure(500, "legacy chaincode lifecycle is not supported, use _lifecycle");
            }
        };
        match context.authorize(resource) {
            Ok(()) => success(ChaincodeQueryResponse::default().encode_to_vec()),
            Err(denied) => failure(500, format!("access denied for [{resource}]: {denied}")),
        }
    }
}
