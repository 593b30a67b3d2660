//! Implicit meta policies: how many of the groups below agree.

use std::fmt;

use bytes::Bytes;
use msp::Identity;
use proto::common::implicit_meta_policy::Rule;
use proto::common::{ImplicitMetaPolicy, SignaturePolicyEnvelope};

use super::{Error, Policy, merge};

/// A compiled implicit meta policy.
#[derive(Debug)]
pub struct ImplicitMeta {
    sub_policy: String,
    rule: Rule,
    required: usize,
    /// One per direct sub-group; none where the group lacks the policy, which then never agrees.
    sub_policies: Vec<Option<Policy>>,
}

impl ImplicitMeta {
    /// Compiles a policy; `find` gives each direct sub-group's policy of a name.
    pub fn compile(
        bytes: &[u8],
        find: impl Fn(&str) -> Vec<Option<Policy>>,
    ) -> Result<Self, Error> {
        let policy: ImplicitMetaPolicy = proto::decode(Bytes::copy_from_slice(bytes))
            .map_err(|_| Error::Decode("implicit meta policy"))?;
        let rule = Rule::try_from(policy.rule).map_err(|_| Error::UnknownRule(policy.rule))?;
        let sub_policies = find(&policy.sub_policy);
        let required = match (rule, sub_policies.len()) {
            (_, 0) => 0,
            (Rule::Any, _) => 1,
            (Rule::All, groups) => groups,
            (Rule::Majority, groups) => groups / 2 + 1,
        };
        Ok(Self { sub_policy: policy.sub_policy, rule, required, sub_policies })
    }

    /// Evaluates the policy; each sub-policy sees all identities.
    pub fn evaluate(&self, identities: &[Identity]) -> Result<(), Error> {
        let agrees = |policy: &Policy| policy.evaluate_identities(identities).is_ok();
        let agreeing = self.sub_policies.iter().flatten().filter(|policy| agrees(policy));
        let satisfied = agreeing.take(self.required).count();
        if satisfied == self.required {
            return Ok(());
        }
        Err(Error::ImplicitNotSatisfied {
            satisfied,
            required: self.required,
            sub_policy: self.sub_policy.clone(),
        })
    }

    /// The same requirement as a signature policy.
    pub fn to_envelope(&self) -> SignaturePolicyEnvelope {
        let sub_policies = self.sub_policies.iter().map(|policy| {
            policy.as_ref().map_or_else(merge::reject_all, Policy::to_signature_policy)
        });
        merge::n_out_of(self.required, sub_policies)
    }
}

impl fmt::Display for ImplicitMeta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.rule.as_str_name(), self.sub_policy)
    }
}
