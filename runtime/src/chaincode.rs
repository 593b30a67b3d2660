//! The two traits a kind of chaincode implements, and what one call is given.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use bytes::Bytes;
use proto::peer::Response;

use crate::error::Error;
use crate::package::Package;
use crate::stub::Stub;

/// A way to execute one type of package.
pub trait ChaincodeRuntime: Send + Sync {
    /// The package type of `metadata.json` this runtime executes, such as `wasm`.
    fn package_type(&self) -> &str;

    /// Checks and compiles a package, so that [`load`](Self::load) only has to look it up.
    ///
    /// Installing a package again does nothing. Nothing is written to disk: whoever keeps the
    /// packages installs them again at start.
    fn install(&self, package: &Package) -> Result<(), Error>;

    /// The chaincode of an installed package.
    fn load(&self, package_id: &str) -> Result<Arc<dyn Chaincode>, Error>;

    /// Forgets an installed package; calls already running finish.
    fn remove(&self, package_id: &str);
}

/// One installed chaincode, callable from many threads at once.
pub trait Chaincode: Send + Sync {
    /// Runs one call in fresh memory, on the caller's thread, which needs the guest's stack
    /// (`stack_bytes_max`) and a megabyte for the host.
    ///
    /// A response with any status is the contract's own answer. `Err` means that there is none:
    /// it trapped, met a [`Limit`](crate::Limit), or the host failed. The text of an error of the
    /// first two kinds is the same on every peer.
    fn invoke(&self, stub: &mut dyn Stub, invocation: &Invocation) -> Result<Response, Error>;

    /// The contract's interface in Fabric's contract metadata schema (JSON), if it embeds one.
    fn metadata(&self) -> Option<Bytes>;
}

/// The arguments of one call and what is left to spend on it.
#[derive(Clone, Debug, Default)]
pub struct Invocation {
    /// The arguments; the first is the function's name.
    pub args: Vec<Bytes>,
    /// Whether the client asked for initialization.
    pub is_init: bool,
    /// What this call, and every call it makes, may still consume.
    pub budget: Budget,
}

impl Invocation {
    /// A client's call with a fresh budget.
    pub fn new(args: impl IntoIterator<Item = impl Into<Bytes>>) -> Self {
        Self { args: args.into_iter().map(Into::into).collect(), ..Self::default() }
    }
}

/// Fuel and depth of a tree of calls: one chaincode calling another shares its caller's budget.
///
/// The runtime sets the amount when it meets a fresh budget; others only pass it on.
#[derive(Clone, Debug, Default)]
pub struct Budget {
    depth: u32,
    tank: Arc<Tank>,
}

/// Counters only grow, and one tree of calls runs on one thread at a time.
#[derive(Debug, Default)]
struct Tank {
    limit: AtomicU64,
    used: AtomicU64,
    usage: [AtomicU64; Usage::COUNT],
}

/// What is counted over the whole tree of calls, besides fuel.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Usage {
    Reads,
    ReadBytes,
    Writes,
    WriteBytes,
    LogBytes,
}

impl Usage {
    const COUNT: usize = Self::LogBytes as usize + 1;
}

impl Budget {
    /// How many calls stand above this one; 0 for the client's.
    pub fn depth(&self) -> u32 {
        self.depth
    }

    /// Fuel consumed so far by the whole tree of calls.
    pub fn fuel_used(&self) -> u64 {
        self.tank.used.load(Relaxed)
    }

    /// The budget of a call made by this one.
    pub(crate) fn nested(&self) -> Self {
        Self { depth: self.depth + 1, tank: Arc::clone(&self.tank) }
    }

    /// Fills a fresh budget, then tells what is left.
    pub(crate) fn fill(&self, limit: u64) -> u64 {
        let filled = self.tank.limit.compare_exchange(0, limit, Relaxed, Relaxed);
        filled.map_or_else(|already| already, |_| limit).saturating_sub(self.fuel_used())
    }

    /// The amount the tree of calls was given.
    pub(crate) fn limit(&self) -> u64 {
        self.tank.limit.load(Relaxed)
    }

    /// Records fuel consumed by this call alone.
    pub(crate) fn spend(&self, fuel: u64) {
        self.tank.used.fetch_add(fuel, Relaxed);
    }

    /// Counts something and tells the sum.
    pub(crate) fn count(&self, usage: Usage, amount: u64) -> u64 {
        self.tank.usage[usage as usize].fetch_add(amount, Relaxed).saturating_add(amount)
    }
}
