//! One transaction while it is simulated: finds the chaincode, runs it, and keeps what the calls
//! of all chaincodes in it have in common.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use channel::{Bundle, SignedData};
use ledger::Simulator;
use msp::Identity;
use proto::peer::{Response, SignedProposal};
use proto::transaction::PeeledProposal;
use runtime::Invocation;

use super::Inner;
use super::collections::Membership;
use super::stub::CallStub;
use crate::channels::Channel;
use crate::lifecycle::state::{LEGACY, NAMESPACE, NAMESPACES, field_key};
use crate::lifecycle::{self, Definition};
use crate::system::{self, Context};

/// Key under which the version a chaincode was initialized for is kept in its namespace.
const INITIALIZED: &str = "\u{0}\u{10ffff}initialized";

/// What does not change while a proposal is worked on.
pub(super) struct Proposal<'a> {
    pub(super) endorser: &'a Inner,
    pub(super) signed: &'a SignedProposal,
    pub(super) peeled: &'a PeeledProposal,
    /// The same as [`SignedData`], for access checks.
    pub(super) request: &'a SignedData,
    pub(super) creator: &'a Identity,
}

impl Proposal<'_> {
    pub(super) fn tx_id(&self) -> &str {
        &self.peeled.channel_header.tx_id
    }
}

/// Why a call has no response.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallError {
    /// The chaincode cannot be run here.
    #[error("{0}")]
    Undefined(#[from] lifecycle::Error),
    /// The call breaks a rule.
    #[error("{0}")]
    Refused(String),
    /// The chaincode, or this peer under it, failed.
    #[error(transparent)]
    Runtime(#[from] runtime::Error),
    /// The state could not be read.
    #[error("simulate")]
    Simulator(#[from] ledger::simulator::Error),
}

/// What came of one call.
pub(super) struct Called {
    pub(super) response: Response,
    pub(super) event: Option<(String, Bytes)>,
    pub(super) version: String,
}

/// One transaction on one channel. Calls to chaincode on another channel get another one.
pub(super) struct Transaction<'a> {
    pub(super) proposal: &'a Proposal<'a>,
    pub(super) channel: Arc<Channel>,
    pub(super) bundle: Arc<Bundle>,
    pub(super) simulator: Simulator,
    /// What was found out about collections, by chaincode and name.
    pub(super) collections: BTreeMap<(String, String), Membership>,
    /// Ranges and histories open in all calls.
    pub(super) iterators: usize,
}

impl<'a> Transaction<'a> {
    pub(super) fn new(
        proposal: &'a Proposal<'a>,
        channel: Arc<Channel>,
    ) -> Result<Self, ledger::Error> {
        let simulator = channel.ledger().simulator(proposal.tx_id())?;
        let bundle = channel.bundle();
        let collections = BTreeMap::new();
        Ok(Self { proposal, channel, bundle, simulator, collections, iterators: 0 })
    }

    /// Calls `chaincode`, which may be part of the peer. `nested` says that another one does.
    pub(super) fn call(
        &mut self,
        chaincode: &str,
        invocation: &Invocation,
        nested: bool,
    ) -> Result<Called, CallError> {
        match self.proposal.endorser.system.get(chaincode).cloned() {
            Some(system) => {
                let mut context = Context {
                    channel: Some(&self.channel),
                    simulator: is_simulated(chaincode).then_some(&mut self.simulator),
                    tx_id: self.proposal.tx_id(),
                    proposal: self.proposal.request,
                    access: &self.proposal.endorser.access,
                    nested,
                };
                let response = system.invoke(&mut context, &invocation.args);
                Ok(Called { response, event: None, version: system::VERSION.to_owned() })
            }
            None => self.call_contract(chaincode, invocation),
        }
    }

    fn call_contract(
        &mut self,
        chaincode: &str,
        invocation: &Invocation,
    ) -> Result<Called, CallError> {
        let sequence = field_key(NAMESPACES, chaincode, "Sequence");
        if self.simulator.get_state(NAMESPACE, &sequence)?.is_none() {
            self.simulator.get_state(LEGACY, chaincode)?;
        }
        let lifecycle = &self.proposal.endorser.lifecycle;
        let runnable = lifecycle.resolve(self.channel.id(), self.simulator.view(), chaincode)?;
        self.initialize(chaincode, &runnable.definition, invocation.is_init)?;
        let mut stub = CallStub::new(self, chaincode);
        let response = runnable.chaincode.invoke(&mut stub, invocation)?;
        let event = stub.into_event();
        Ok(Called { response, event, version: runnable.definition.version().to_owned() })
    }

    /// A chaincode that wants it is initialized once for each version, before anything else.
    fn initialize(
        &mut self,
        chaincode: &str,
        definition: &Definition,
        is_init: bool,
    ) -> Result<(), CallError> {
        let refuse = |text: String| Err(CallError::Refused(format!("invalid invocation: {text}")));
        let mut is_due = false;
        if definition.init_required() {
            let done = self.simulator.get_state(chaincode, INITIALIZED)?;
            is_due = done.as_deref() != Some(definition.version().as_bytes());
        }
        match (is_init, is_due) {
            (true, true) => {
                let version = Bytes::copy_from_slice(definition.version().as_bytes());
                Ok(self.simulator.put_state(chaincode, INITIALIZED, version)?)
            }
            (true, false) if !definition.init_required() => refuse(format!(
                "chaincode '{chaincode}' does not require initialization but called as init"
            )),
            (true, false) => {
                refuse(format!("chaincode '{chaincode}' is already initialized but called as init"))
            }
            (false, true) => refuse(format!(
                "chaincode '{chaincode}' has not been initialized for this version, must call as \
                 init first"
            )),
            (false, false) => Ok(()),
        }
    }
}

/// Whether a system chaincode takes part in transactions.
pub(super) fn is_simulated(system_chaincode: &str) -> bool {
    !matches!(system_chaincode, "qscc" | "cscc")
}
