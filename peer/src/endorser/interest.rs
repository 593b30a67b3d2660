//! What a transaction touched, told to whoever plans its endorsement.

use std::collections::BTreeMap;

use ledger::simulator::{NamespaceUse, Use};
use prost::Message;
use proto::common::SignaturePolicyEnvelope;
use proto::peer::{ChaincodeCall, ChaincodeInterest};

use crate::system::is_system;

/// One call for the public part of each namespace and one for each collection, with the key-level
/// policies of what was written.
pub(super) fn of(used: &BTreeMap<String, NamespaceUse>) -> ChaincodeInterest {
    let namespaces = used.iter().filter(|(name, _)| !is_system(name));
    ChaincodeInterest {
        chaincodes: namespaces.flat_map(|(name, used)| calls(name, used)).collect(),
    }
}

fn calls(name: &str, used: &NamespaceUse) -> Vec<ChaincodeCall> {
    let mut calls = Vec::new();
    let writes_private = used.collections.values().any(|used| !used.writes.is_empty());
    // A namespace that is only read needs its policy; reading beside private writes does not.
    if !used.public.writes.is_empty() || !writes_private {
        calls.push(call(name, &used.public));
    }
    for (collection, used) in &used.collections {
        calls.push(ChaincodeCall {
            collection_names: vec![collection.clone()],
            no_private_reads: !used.reads,
            ..call(name, used)
        });
    }
    calls
}

fn call(name: &str, used: &Use) -> ChaincodeCall {
    let policies = used.writes.values().flatten();
    let key_policies: Vec<_> = policies
        .filter_map(|policy| SignaturePolicyEnvelope::decode(policy.clone()).ok())
        .collect();
    let every_key_has_one = !used.writes.is_empty() && key_policies.len() == used.writes.len();
    ChaincodeCall {
        name: name.to_owned(),
        key_policies,
        disregard_namespace_policy: every_key_has_one,
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn keys(reads: bool, writes: &[(&'static str, bool)]) -> Use {
        let policy = SignaturePolicyEnvelope {
            version: 0,
            rule: None,
            identities: vec![Default::default()],
        };
        let policy = Bytes::from(policy.encode_to_vec());
        let writes = writes
            .iter()
            .map(|(key, has)| (Bytes::from_static(key.as_bytes()), has.then(|| policy.clone())));
        Use { reads, writes: writes.collect() }
    }

    /// A call as text: collection, then `k<n>` for key policies, `d` and `r` for the flags.
    fn text(call: &ChaincodeCall) -> String {
        let flags = [
            (call.disregard_namespace_policy, "d"),
            (!call.collection_names.is_empty() && !call.no_private_reads, "r"),
        ];
        let flags: String = flags.iter().filter(|(set, _)| *set).map(|(_, flag)| *flag).collect();
        format!("{}k{}{flags}", call.collection_names.concat(), call.key_policies.len())
    }

    #[track_caller]
    fn check(public: Use, collections: &[(&str, Use)], expected: &[&str]) {
        let collections = collections.iter().map(|(name, used)| ((*name).to_owned(), used.clone()));
        let used = NamespaceUse { public, collections: collections.collect() };
        let used = BTreeMap::from([("cc".to_owned(), used)]);
        let calls: Vec<_> = of(&used).chaincodes.iter().map(text).collect();
        assert_eq!(calls, expected);
    }

    #[test]
    fn one_call_for_each_policy_that_is_needed() {
        check(keys(true, &[]), &[], &["k0"]);
        check(keys(false, &[("a", false)]), &[], &["k0"]);
        check(keys(false, &[("a", true)]), &[], &["k1d"]);
        check(keys(true, &[("a", true), ("b", false)]), &[], &["k1"]);
        check(keys(true, &[]), &[("c", keys(false, &[("a", false)]))], &["ck0"]);
        check(keys(false, &[]), &[("c", keys(true, &[]))], &["k0", "ck0r"]);
        check(keys(false, &[("x", false)]), &[("c", keys(true, &[("a", true)]))], &["k0", "ck1dr"]);
    }

    #[test]
    fn system_namespaces_are_left_out() {
        let used = NamespaceUse::default();
        let used = ["_lifecycle", "lscc", "cc"].map(|name| (name.to_owned(), used.clone()));
        assert_eq!(of(&BTreeMap::from(used)).chaincodes.len(), 1);
    }
}
