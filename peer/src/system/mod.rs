//! System chaincodes: what the peer itself answers when it is invoked like a chaincode.
//!
//! `_lifecycle`, `qscc`, `cscc` and `lscc` are reached through the endorser as any chaincode is,
//! but are functions of the peer, not of a contract. Each implements [`SystemChaincode`]; the
//! [`Registry`] is the list of those this peer has. Who may call what is decided by [`Access`].

mod access;
mod cscc;
mod lscc;
mod qscc;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use ledger::Simulator;
use proto::peer::Response;

use crate::channels::{self, Channel, Channels};

pub use access::{Access, Denied};
pub use cscc::Cscc;
pub use lscc::Lscc;
pub use qscc::Qscc;

/// Version of every system chaincode, as it stands in endorsed actions.
pub const VERSION: &str = "syscc";

/// A chaincode that is part of the peer.
pub trait SystemChaincode: Send + Sync {
    /// Its name, which is also its namespace.
    fn name(&self) -> &'static str;

    /// Answers one call; failures are responses with a status of 400 or more. May block.
    fn invoke(&self, context: &mut Context<'_>, args: &[Bytes]) -> Response;
}

/// What one call of a system chaincode is given besides its arguments.
#[derive(Debug)]
pub struct Context<'a> {
    /// The channel of the proposal; absent for calls that are about the peer as a whole.
    pub channel: Option<&'a Arc<Channel>>,
    /// Reads and writes of the transaction; absent without a channel, and always for `qscc` and
    /// `cscc`, which are never part of a transaction.
    pub simulator: Option<&'a mut Simulator>,
    /// The transaction's id.
    pub tx_id: &'a str,
    /// The proposal with its creator and signature, for access checks.
    pub proposal: &'a channel::SignedData,
    /// Who may call what.
    pub access: &'a Access,
    /// Whether another chaincode makes this call, instead of a client.
    pub nested: bool,
}

impl Context<'_> {
    /// The channel's id, empty without a channel.
    pub fn channel_id(&self) -> &str {
        self.channel.map_or("", |channel| channel.id())
    }

    /// Whether the creator of the proposal may use `resource` on the call's own channel.
    pub fn authorize(&self, resource: &str) -> Result<(), Denied> {
        self.access.check(resource, self.channel.map(AsRef::as_ref), self.proposal)
    }

    /// Whether the creator of the proposal may use `resource` on `channel`.
    pub fn authorize_on(&self, resource: &str, channel: &Channel) -> Result<(), Denied> {
        self.access.check(resource, Some(channel), self.proposal)
    }
}

/// The system chaincodes of this peer, by name.
#[derive(Clone, Default)]
pub struct Registry(BTreeMap<&'static str, Arc<dyn SystemChaincode>>);

impl Registry {
    /// A registry of `chaincodes`; of two with one name the last stays.
    pub fn new(chaincodes: impl IntoIterator<Item = Arc<dyn SystemChaincode>>) -> Self {
        Self(chaincodes.into_iter().map(|chaincode| (chaincode.name(), chaincode)).collect())
    }

    /// The system chaincode called `name`, if this peer has it.
    pub fn get(&self, name: &str) -> Option<&Arc<dyn SystemChaincode>> {
        self.0.get(name)
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Whether `name` belongs to a system chaincode, whether or not this peer has it.
pub fn is_system(name: &str) -> bool {
    matches!(name, "_lifecycle" | "lscc" | "qscc" | "cscc")
}

/// A response with status 200.
pub fn success(payload: impl Into<Bytes>) -> Response {
    Response { status: 200, message: String::new(), payload: payload.into() }
}

/// A response without payload.
pub fn failure(status: i32, message: impl Into<String>) -> Response {
    Response { status, message: message.into(), payload: Bytes::new() }
}

/// The answer to a question about a channel that is not served now.
fn closed(channels: &Channels, id: &Bytes) -> Option<Response> {
    match channels.find(std::str::from_utf8(id).ok()?) {
        Err(channels::Error::Unavailable(reason)) => Some(failure(503, reason)),
        _ => None,
    }
}
