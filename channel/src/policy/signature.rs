//! Signature policies: n-out-of trees over principals.
//!
//! Evaluation is greedy and goes through all rules in order, without backtracking: each principal
//! takes the first identity that satisfies it and is not taken yet. Every peer must come to the
//! same verdict, so neither the order nor the absence of an early exit may change.

use std::collections::BTreeSet;

use msp::Identity;
use proto::common::MspPrincipal;
use proto::common::signature_policy::{NOutOf, Type};
use proto::common::{self, SignaturePolicyEnvelope};

use super::{DEPTH_MAX, Error};
use crate::SignedData;

/// A compiled signature policy: every index is in range, the depth is bounded.
#[derive(Debug, Clone, PartialEq)]
pub struct SignaturePolicy {
    rule: Rule,
    principals: Vec<MspPrincipal>,
}

#[derive(Debug, Clone, PartialEq)]
enum Rule {
    SignedBy(usize),
    NOutOf(i32, Vec<Rule>),
}

impl SignaturePolicy {
    /// Compiles a policy. A count that is negative or beyond the number of rules is no error: the
    /// rule is then always or never satisfied. The version is looked at in channel configurations
    /// only, as in Fabric.
    pub fn compile(envelope: &SignaturePolicyEnvelope) -> Result<Self, Error> {
        let rule = envelope.rule.as_ref().ok_or(Error::EmptyRule)?;
        let rule = compile(rule, envelope.identities.len(), DEPTH_MAX)?;
        Ok(Self { rule, principals: envelope.identities.clone() })
    }

    /// The principals the rules name.
    pub fn principals(&self) -> &[MspPrincipal] {
        &self.principals
    }

    /// Evaluates the policy on distinct identities whose signatures are good.
    pub fn evaluate(&self, identities: &[Identity]) -> Result<(), Error> {
        let mut used = vec![false; identities.len()];
        let mut answers = Answers::new(&self.principals, identities);
        if satisfied(&self.rule, &mut answers, &mut used) {
            Ok(())
        } else {
            Err(Error::NotSatisfied)
        }
    }

    /// The policy as a message again.
    pub fn to_envelope(&self) -> SignaturePolicyEnvelope {
        SignaturePolicyEnvelope {
            version: 0,
            rule: Some(decompile(&self.rule)),
            identities: self.principals.clone(),
        }
    }
}

fn compile(rule: &common::SignaturePolicy, principals: usize, depth: usize) -> Result<Rule, Error> {
    let depth = depth.checked_sub(1).ok_or(Error::TooDeep)?;
    match rule.r#type.as_ref().ok_or(Error::EmptyRule)? {
        Type::SignedBy(index) => match usize::try_from(*index) {
            Ok(at) if at < principals => Ok(Rule::SignedBy(at)),
            _ => Err(Error::IdentityIndex { index: *index, length: principals }),
        },
        Type::NOutOf(gate) => {
            let rules = gate.rules.iter().map(|rule| compile(rule, principals, depth));
            Ok(Rule::NOutOf(gate.n, rules.collect::<Result<_, _>>()?))
        }
    }
}

fn decompile(rule: &Rule) -> common::SignaturePolicy {
    let r#type = match rule {
        Rule::SignedBy(index) => Type::SignedBy(i32::try_from(*index).unwrap_or(i32::MAX)),
        Rule::NOutOf(n, rules) => {
            Type::NOutOf(NOutOf { n: *n, rules: rules.iter().map(decompile).collect() })
        }
    };
    common::SignaturePolicy { r#type: Some(r#type) }
}

fn satisfied(rule: &Rule, answers: &mut Answers<'_>, used: &mut Vec<bool>) -> bool {
    match rule {
        Rule::SignedBy(principal) => {
            let free = (0..used.len()).find(|&at| !used[at] && answers.get(*principal, at));
            if let Some(at) = free {
                used[at] = true;
            }
            free.is_some()
        }
        Rule::NOutOf(n, rules) => {
            let mut successes = 0i32;
            for rule in rules {
                let mut attempt = used.clone();
                if satisfied(rule, answers, &mut attempt) {
                    successes = successes.saturating_add(1);
                    *used = attempt;
                }
            }
            successes >= *n
        }
    }
}

/// Most answers remembered; beyond this, a policy is evaluated without memory.
const ANSWERS_MAX: usize = 1 << 20;

/// Which identity satisfies which principal, asked at most once each.
struct Answers<'a> {
    principals: &'a [MspPrincipal],
    identities: &'a [Identity],
    known: Vec<Option<bool>>,
}

impl<'a> Answers<'a> {
    fn new(principals: &'a [MspPrincipal], identities: &'a [Identity]) -> Self {
        let answers = principals.len().saturating_mul(identities.len());
        let known = if answers <= ANSWERS_MAX { vec![None; answers] } else { Vec::new() };
        Self { principals, identities, known }
    }

    fn get(&mut self, principal: usize, identity: usize) -> bool {
        let ask = || self.identities[identity].satisfies(&self.principals[principal]);
        match self.known.get_mut(principal * self.identities.len() + identity) {
            Some(known) => *known.get_or_insert_with(ask),
            None => ask(),
        }
    }
}

/// The distinct identities whose signatures verify, in order. One that cannot be read or whose
/// signature is bad is left out, and does not block a later good signature of the same identity.
/// Whether an identity is valid is asked by principals, not here.
pub fn verified_identities(msps: &msp::Manager, signatures: &[SignedData]) -> Vec<Identity> {
    let mut seen = BTreeSet::new();
    let mut identities = Vec::with_capacity(signatures.len());
    for signed in signatures {
        let Ok(identity) = msps.deserialize(&signed.identity) else { continue };
        if seen.contains(identity.id()) || identity.verify(&signed.data, &signed.signature).is_err()
        {
            continue;
        }
        seen.insert(identity.id().clone());
        identities.push(identity);
    }
    identities
}
