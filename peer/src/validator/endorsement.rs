//! Is what a transaction writes in one namespace endorsed as the policies there ask?
//!
//! A key with a policy of its own is under that one; other keys of a collection under the
//! collection's, if it has one; all others under the chaincode's. A transaction that writes nothing
//! is under the chaincode's policy, too.

use bytes::Bytes;
use channel::Policy;
use msp::Identity;

use super::definitions::{CollectionPolicy, Rules};
use super::effects::Writes;
use super::{Before, Halt, Policies};

/// A key as key-level policies know it: its name, or its hash if it is in a collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key<'a> {
    pub(super) namespace: &'a str,
    pub(super) collection: Option<&'a str>,
    pub(super) key: &'a [u8],
}

/// What the check of one namespace needs.
pub(super) struct Check<'a> {
    pub(super) namespace: &'a str,
    pub(super) writes: Option<&'a Writes>,
    pub(super) rules: &'a Rules,
    pub(super) endorsers: &'a [Identity],
    pub(super) before: &'a Before<'a>,
    pub(super) policies: &'a Policies,
}

impl Check<'_> {
    /// Whether the endorsements suffice. `changed` tells whether an earlier transaction of the
    /// block changes the policy of a key: then no endorsement can be right.
    pub(super) fn passes(&self, changed: impl Fn(&Key<'_>) -> bool) -> Result<bool, Halt> {
        let Some(writes) = self.writes else {
            return Ok(self.satisfies(self.rules.chaincode.as_ref()));
        };
        let keys = writes.keys.iter().map(String::as_bytes);
        let mut chaincode_policy = match self.keys(None, keys, &changed)? {
            Keys::Refused => return Ok(false),
            Keys::OwnPolicies => false,
            Keys::SomeWithout => true,
        };
        for (collection, hashed) in &writes.collections {
            let keys = hashed.keys.iter().map(AsRef::as_ref);
            match self.keys(Some(collection), keys, &changed)? {
                Keys::Refused => return Ok(false),
                Keys::OwnPolicies => {}
                Keys::SomeWithout => match self.rules.collection(collection, self.policies) {
                    CollectionPolicy::Unsatisfiable => return Ok(false),
                    CollectionPolicy::Own(policy) if self.satisfies(Some(&policy)) => {}
                    CollectionPolicy::Own(_) => return Ok(false),
                    CollectionPolicy::Chaincode => chaincode_policy = true,
                },
            }
        }
        Ok(!chaincode_policy || self.satisfies(self.rules.chaincode.as_ref()))
    }

    /// Checks the keys that have policies of their own.
    fn keys<'k>(
        &self,
        collection: Option<&str>,
        keys: impl Iterator<Item = &'k [u8]>,
        changed: &impl Fn(&Key<'_>) -> bool,
    ) -> Result<Keys, Halt> {
        let mut outcome = Keys::OwnPolicies;
        for key in keys {
            let key = Key { namespace: self.namespace, collection, key };
            if changed(&key) {
                return Ok(Keys::Refused);
            }
            match self.before.key_policy(&key)? {
                None => outcome = Keys::SomeWithout,
                Some(bytes) if self.satisfies_key_policy(&bytes) => {}
                Some(_) => return Ok(Keys::Refused),
            }
        }
        Ok(outcome)
    }

    fn satisfies_key_policy(&self, bytes: &Bytes) -> bool {
        self.satisfies(self.policies.key(bytes).as_ref())
    }

    fn satisfies(&self, policy: Option<&Policy>) -> bool {
        policy.is_some_and(|policy| policy.evaluate_identities(self.endorsers).is_ok())
    }
}

/// What the keys of a namespace or collection have in common.
enum Keys {
    /// A key's own policy is not satisfied, or was changed in this block.
    Refused,
    /// Each key has a policy of its own, and it is satisfied.
    OwnPolicies,
    /// At least one key has none; the others' are satisfied.
    SomeWithout,
}
