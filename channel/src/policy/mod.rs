//! Policies: who must have signed.
//!
//! A [`Policy`] is compiled once, against the organizations of one configuration, and evaluated
//! often. [`SignaturePolicy`] counts principals, [`ImplicitMeta`] counts the satisfied policies of
//! the groups below. [`Manager`] finds policies by name, [`dsl`] reads and writes their text form.

mod application;
pub mod dsl;
mod implicit_meta;
mod manager;
mod merge;
mod print;
mod signature;

use std::fmt;
use std::sync::Arc;

use msp::Identity;
use proto::common::SignaturePolicyEnvelope;

use crate::SignedData;

pub use application::{DEFAULT_ENDORSEMENT, reference, signature_policy};
pub use implicit_meta::ImplicitMeta;
pub use manager::{CompileError, Manager};
pub use print::print;
pub use signature::{SignaturePolicy, verified_identities};

/// Deepest nesting of a policy's rules.
pub const DEPTH_MAX: usize = 64;

/// Why a policy does not compile or is not satisfied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The signatures do not satisfy a signature policy.
    #[error("signature set did not satisfy policy")]
    NotSatisfied,
    /// Too few policies of the groups below are satisfied.
    #[error(
        "implicit policy evaluation failed - {satisfied} sub-policies were satisfied, but this \
         policy requires {required} of the '{sub_policy}' sub-policies to be satisfied"
    )]
    ImplicitNotSatisfied {
        /// How many are.
        satisfied: usize,
        /// How many must be.
        required: usize,
        /// Their name.
        sub_policy: String,
    },
    /// There is no policy of that name.
    #[error("no such policy: '{0}'")]
    Unknown(String),
    /// The bytes are not those of a policy.
    #[error("decode {0}")]
    Decode(&'static str),
    /// Only version 0 of signature policies exists.
    #[error("signature policy has version {0}, only version 0 is understood")]
    Version(i32),
    /// A rule names a principal that is not listed.
    #[error("identity index out of range, requested {index}, but identities length is {length}")]
    IdentityIndex {
        /// The index named.
        index: i32,
        /// How many principals are listed.
        length: usize,
    },
    /// A rule or a part of it is absent.
    #[error("policy has an empty rule")]
    EmptyRule,
    /// The rules are nested deeper than [`DEPTH_MAX`].
    #[error("policy is nested deeper than {DEPTH_MAX} levels")]
    TooDeep,
    /// Neither a signature policy nor an implicit meta policy.
    #[error("unknown policy type {0}")]
    UnknownType(i32),
    /// Neither ANY, ALL nor MAJORITY.
    #[error("unknown implicit meta policy rule {0}")]
    UnknownRule(i32),
}

/// A policy of one of the kinds, with the organizations it was compiled against. Cheap to clone.
#[derive(Clone)]
pub struct Policy {
    kind: Arc<Kind>,
    msps: Arc<msp::Manager>,
}

/// The kinds of policy.
#[derive(Debug)]
pub enum Kind {
    /// Counts principals.
    Signature(SignaturePolicy),
    /// Counts satisfied policies of the groups below.
    ImplicitMeta(ImplicitMeta),
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)
    }
}

/// The policy as a reader would write it.
impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.kind {
            Kind::Signature(policy) => f.write_str(&print(&policy.to_envelope())),
            Kind::ImplicitMeta(policy) => policy.fmt(f),
        }
    }
}

impl Policy {
    pub(crate) fn new(kind: Kind, msps: Arc<msp::Manager>) -> Self {
        Self { kind: Arc::new(kind), msps }
    }

    /// Compiles a signature policy.
    pub fn signature(
        envelope: &SignaturePolicyEnvelope,
        msps: &Arc<msp::Manager>,
    ) -> Result<Self, Error> {
        Ok(Self::new(Kind::Signature(SignaturePolicy::compile(envelope)?), msps.clone()))
    }

    /// Which kind it is.
    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    /// Verifies the signatures and evaluates the policy on those who signed.
    pub fn evaluate(&self, signatures: &[SignedData]) -> Result<(), Error> {
        self.evaluate_identities(&verified_identities(&self.msps, signatures))
    }

    /// Evaluates the policy on identities whose signatures are known to be good. They must be
    /// distinct, as those of [`verified_identities`] are.
    pub fn evaluate_identities(&self, identities: &[Identity]) -> Result<(), Error> {
        match &*self.kind {
            Kind::Signature(policy) => policy.evaluate(identities),
            Kind::ImplicitMeta(policy) => policy.evaluate(identities),
        }
    }

    /// The same requirement as a signature policy: what discovery plans with. Principals of the
    /// groups below are merged without duplicates.
    pub fn to_signature_policy(&self) -> SignaturePolicyEnvelope {
        match &*self.kind {
            Kind::Signature(policy) => policy.to_envelope(),
            Kind::ImplicitMeta(policy) => policy.to_envelope(),
        }
    }
}
