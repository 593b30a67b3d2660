//! What leaves a contract other than by state: events, calls to other contracts, log lines.

use bytes::Bytes;
use proto::peer::Response;

use super::{Outcome, Session, at_most, cost, limit};
use crate::chaincode::{Invocation, Usage};
use crate::rules;
use crate::stub::{Level, NestedCall, Stub, StubError};
use crate::wasm::Config;

/// Events, other chaincode, the log.
impl Session<'_> {
    /// Sets the transaction's event.
    pub fn set_event(&mut self, name: &str, payload: Bytes) -> Outcome<()> {
        rules::event(name)?;
        let size = name.len() + payload.len();
        at_most(size as u64, "event_bytes_max", self.config.event_bytes_max)?;
        self.charge_bytes(cost::WRITE, size)?;
        Ok(self.stub.set_event(name, payload)?)
    }

    /// Calls another chaincode. It runs on a thread of its own, whose stack is known to suffice:
    /// the caller's frames, native ones included, already lie on this one.
    pub fn invoke(
        &mut self,
        chaincode: &str,
        channel: &str,
        args: Vec<Bytes>,
    ) -> Outcome<Response> {
        let size = args.iter().map(Bytes::len).sum();
        self.charge_bytes(cost::INVOKE, size)?;
        self.settle();
        let budget = self.budget.nested();
        if budget.depth() >= self.config.call_depth_max {
            return Err(limit("call_depth_max", u64::from(self.config.call_depth_max)).into());
        }
        let call = NestedCall {
            chaincode: chaincode.to_owned(),
            channel: channel.to_owned(),
            invocation: Invocation { args, is_init: false, budget },
        };
        let answer = on_own_thread(self.config, self.stub, call);
        self.fuel = self.budget.fill(self.config.fuel);
        self.settled = self.fuel;
        let response = answer?;
        self.charge_bytes(0, response.payload.len())?;
        self.count(Usage::ReadBytes, response.payload.len() as u64)?;
        Ok(response)
    }

    /// Writes to the peer's log.
    pub fn log(&mut self, level: Level, message: &str) -> Outcome<()> {
        self.charge_bytes(cost::LOG, message.len())?;
        self.count(Usage::LogBytes, message.len() as u64)?;
        self.stub.log(level, message);
        Ok(())
    }
}

/// Native frames beside the guest's stack: the host functions and the ledger below them.
const HOST_STACK_BYTES: u64 = 1 << 20;

fn on_own_thread(
    config: &Config,
    stub: &mut dyn Stub,
    call: NestedCall,
) -> Result<Response, StubError> {
    let stack = usize::try_from(config.stack_bytes_max + HOST_STACK_BYTES).unwrap_or(usize::MAX);
    std::thread::scope(|scope| {
        std::thread::Builder::new()
            .name("chaincode".to_owned())
            .stack_size(stack)
            .spawn_scoped(scope, || stub.invoke_chaincode(call))
            .map_err(|e| StubError::Failed(format!("start thread: {e}")))?
            .join()
            .unwrap_or_else(|_| Err(StubError::Failed("nested call panicked".to_owned())))
    })
}
