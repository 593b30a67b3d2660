//! All policies of a configuration, by name.

use std::collections::BTreeMap;
use std::sync::Arc;

use proto::common::policy::PolicyType;
use proto::common::{self, ConfigGroup, SignaturePolicyEnvelope};

use super::{Error, ImplicitMeta, Kind, Policy};

/// Name of the root group.
const ROOT: &str = "/Channel";

/// The policies of a configuration tree. A policy's full name is its path, as in
/// `/Channel/Application/Writers`.
#[derive(Debug)]
pub struct Manager {
    policies: BTreeMap<String, Policy>,
}

/// A policy of the tree that does not compile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("policy {path} did not compile")]
pub struct CompileError {
    /// Full name of the policy.
    pub path: String,
    /// What is wrong with it.
    #[source]
    pub source: Error,
}

impl Manager {
    /// Compiles the policies of a tree. The caller has bounded the depth of the tree.
    pub fn new(root: &ConfigGroup, msps: &Arc<msp::Manager>) -> Result<Self, CompileError> {
        let mut manager = Self { policies: BTreeMap::new() };
        manager.add(ROOT, root, msps)?;
        Ok(manager)
    }

    fn add(
        &mut self,
        path: &str,
        group: &ConfigGroup,
        msps: &Arc<msp::Manager>,
    ) -> Result<(), CompileError> {
        for (name, sub_group) in &group.groups {
            self.add(&format!("{path}/{name}"), sub_group, msps)?;
        }
        for (name, policy) in &group.policies {
            let policy_path = format!("{path}/{name}");
            let policy = self
                .compile(path, group, policy.policy.as_ref(), msps)
                .map_err(|source| CompileError { path: policy_path.clone(), source })?;
            self.policies.insert(policy_path, policy);
        }
        Ok(())
    }

    fn compile(
        &self,
        path: &str,
        group: &ConfigGroup,
        policy: Option<&common::Policy>,
        msps: &Arc<msp::Manager>,
    ) -> Result<Policy, Error> {
        let policy = policy.ok_or(Error::EmptyRule)?;
        match PolicyType::try_from(policy.r#type) {
            Ok(PolicyType::Signature) => {
                let envelope: SignaturePolicyEnvelope = proto::decode(policy.value.clone())
                    .map_err(|_| Error::Decode("signature policy"))?;
                if envelope.version != 0 {
                    return Err(Error::Version(envelope.version));
                }
                Policy::signature(&envelope, msps)
            }
            Ok(PolicyType::ImplicitMeta) => {
                let find = |name: &str| {
                    let at = |sub_group| self.get(path, &format!("{sub_group}/{name}"));
                    group.groups.keys().map(at).collect()
                };
                let implicit = ImplicitMeta::compile(&policy.value, find)?;
                Ok(Policy::new(Kind::ImplicitMeta(implicit), msps.clone()))
            }
            _ => Err(Error::UnknownType(policy.r#type)),
        }
    }

    /// The policy called `name` as seen from the group at `path`: absolute names are looked up as
    /// they are, others below the group.
    pub fn get(&self, path: &str, name: &str) -> Option<Policy> {
        if name.starts_with('/') {
            return self.policies.get(name).cloned();
        }
        self.policies.get(&format!("{path}/{name}")).cloned()
    }

    /// The policy of a name, absolute or relative to the root.
    pub fn policy(&self, name: &str) -> Result<Policy, Error> {
        self.get(ROOT, name).ok_or_else(|| Error::Unknown(name.to_owned()))
    }

    /// The full names of all policies.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.policies.keys().map(String::as_str)
    }
}
