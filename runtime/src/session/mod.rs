//! One call of one chaincode: the rules of the shim and the meter between a guest and a [`Stub`].
//!
//! The Wasm host passes each import through a session, and native tests do the same, so that a
//! contract meets the same refusals and limits in both.

mod calls;
mod context;
mod state;

use crate::chaincode::{Budget, Invocation, Usage};
use crate::error::{Error, Limit};
use crate::rules;
use crate::stub::{Stub, StubError};
use crate::wasm::Config;
use bytes::Bytes;
use proto::peer::Response;

/// What host calls cost, in fuel. One unit is about a nanosecond of guest code; what touches the
/// database is charged far above what it costs here, since it costs the same on a slower disk.
mod cost {
    pub(super) const CONTEXT: u64 = 200;
    pub(super) const READ: u64 = 5_000;
    pub(super) const WRITE: u64 = 2_000;
    pub(super) const RANGE: u64 = 10_000;
    pub(super) const ENTRY: u64 = 500;
    pub(super) const INVOKE: u64 = 20_000;
    pub(super) const LOG: u64 = 500;
    pub(super) const BYTE: u64 = 1;
}

/// Why a host call has no result.
#[derive(Debug)]
pub enum Stop {
    /// The guest is told and goes on.
    Refused(String),
    /// The call ends.
    Abort(Error),
}

impl From<StubError> for Stop {
    fn from(error: StubError) -> Self {
        match error {
            StubError::Refused(text) => Self::Refused(text),
            StubError::Failed(text) => Self::Abort(Error::Host(text)),
        }
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Abort(error)
    }
}

impl From<String> for Stop {
    fn from(text: String) -> Self {
        Self::Refused(text)
    }
}

/// A host call's result.
pub type Outcome<T> = Result<T, Stop>;

/// The keys a range covers.
#[derive(Clone, Copy, Debug)]
pub enum Span<'a> {
    /// Plain keys in `[start, end)`; empty is open.
    Plain(&'a str, &'a str),
    /// Composite keys of a type that begin with these attributes.
    Composite(&'a str, &'a [String]),
    /// All composite keys.
    AllComposite,
}

impl Span<'_> {
    fn bounds(self) -> Result<(String, String), String> {
        match self {
            Self::Plain(start, end) => rules::range(start, end),
            Self::Composite(object_type, attributes) => {
                rules::composite_range(object_type, attributes)
            }
            Self::AllComposite => Ok(rules::all_composite()),
        }
    }
}

/// One call's access to the ledger, metered.
pub struct Session<'a> {
    stub: &'a mut dyn Stub,
    config: &'a Config,
    budget: Budget,
    is_init: bool,
    /// Fuel left to this call, and how much there was when it was last settled with the budget.
    fuel: u64,
    settled: u64,
    open_iterators: u64,
}

impl std::fmt::Debug for Session<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("fuel", &self.fuel).finish_non_exhaustive()
    }
}

impl<'a> Session<'a> {
    /// Begins a call: checks its depth and arguments and takes the fuel that is left.
    pub fn begin(
        stub: &'a mut dyn Stub,
        config: &'a Config,
        invocation: &Invocation,
    ) -> Result<Self, Error> {
        let budget = invocation.budget.clone();
        if budget.depth() >= config.call_depth_max {
            return Err(limit("call_depth_max", u64::from(config.call_depth_max)));
        }
        let args = invocation.args.iter().map(|arg| arg.len() as u64).sum();
        at_most(args, "args_bytes_max", config.args_bytes_max)?;
        let fuel = budget.fill(config.fuel);
        let is_init = invocation.is_init;
        Ok(Self { stub, config, budget, is_init, fuel, settled: fuel, open_iterators: 0 })
    }

    /// Ends the call: settles the fuel and checks the size of the response.
    pub fn end(mut self, response: Response) -> Result<Response, Error> {
        self.settle();
        let size = response.payload.len() + response.message.len();
        at_most(size as u64, "response_bytes_max", self.config.response_bytes_max)?;
        Ok(response)
    }

    /// Fuel left.
    pub fn fuel(&self) -> u64 {
        self.fuel
    }

    /// Takes over the guest's own meter.
    pub fn set_fuel(&mut self, fuel: u64) {
        self.fuel = fuel;
    }

    /// Tells the budget what this call consumed since the last time.
    pub fn settle(&mut self) {
        self.budget.spend(self.settled.saturating_sub(self.fuel));
        self.settled = self.fuel;
    }

    fn charge(&mut self, fuel: u64) -> Outcome<()> {
        match self.fuel.checked_sub(fuel) {
            Some(left) => self.fuel = left,
            None => {
                self.fuel = 0;
                return Err(limit("fuel", self.budget.limit()).into());
            }
        }
        Ok(())
    }

    fn charge_bytes(&mut self, base: u64, bytes: usize) -> Outcome<()> {
        self.charge(base.saturating_add(bytes as u64 * cost::BYTE))
    }

    fn count(&self, usage: Usage, amount: u64) -> Outcome<()> {
        let (name, max) = match usage {
            Usage::Reads => ("reads_max", self.config.reads_max),
            Usage::ReadBytes => ("read_bytes_max", self.config.read_bytes_max),
            Usage::Writes => ("writes_max", self.config.writes_max),
            Usage::WriteBytes => ("write_bytes_max", self.config.write_bytes_max),
            Usage::LogBytes => ("log_bytes_max", self.config.log_bytes_max),
        };
        Ok(at_most(self.budget.count(usage, amount), name, max)?)
    }

    fn check_key(&self, collection: Option<&str>, key: &str) -> Outcome<()> {
        rules::key(key)?;
        collection.map_or(Ok(()), rules::collection)?;
        Ok(at_most(key.len() as u64, "key_bytes_max", self.config.key_bytes_max)?)
    }

    fn before_read(&mut self, collection: Option<&str>, key: &str) -> Outcome<()> {
        self.check_key(collection, key)?;
        self.charge_bytes(cost::READ, key.len())?;
        self.count(Usage::Reads, 1)
    }

    fn after_read(&mut self, value: Option<Bytes>) -> Outcome<Option<Bytes>> {
        let size = value.as_ref().map_or(0, Bytes::len);
        self.charge_bytes(0, size)?;
        self.count(Usage::ReadBytes, size as u64)?;
        Ok(value)
    }

    fn before_write(&mut self, collection: Option<&str>, key: &str, value: usize) -> Outcome<()> {
        self.check_key(collection, key)?;
        at_most(value as u64, "value_bytes_max", self.config.value_bytes_max)?;
        let size = key.len() + value;
        self.charge_bytes(cost::WRITE, size)?;
        self.count(Usage::Writes, 1)?;
        self.count(Usage::WriteBytes, size as u64)
    }
}

fn limit(name: &'static str, value: u64) -> Error {
    Error::Limit(Limit { name, value })
}

fn at_most(amount: u64, name: &'static str, max: u64) -> Result<(), Error> {
    if amount > max { Err(limit(name, max)) } else { Ok(()) }
}
