//! What is committed: definitions and their collections, as of one view of a ledger.
//!
//! Nothing here is recorded; it serves the validator, the gateway and discovery. Whoever simulates
//! reads through its simulator instead.

use ledger::{Simulator, View};
use proto::common::{SignaturePolicyEnvelope, signature_policy};
use proto::peer::{
    CollectionPolicyConfig, StaticCollectionConfig, collection_policy_config::Payload,
};
use std::collections::BTreeMap;

use super::Error;
use super::definition::{Definition, read_sequence};
use super::state::NAMESPACES;
use super::views::{Public, PublicView};

/// Prefix of the collections every organization has in every chaincode.
const IMPLICIT_PREFIX: &str = "_implicit_org_";

/// The committed definition of `chaincode`.
pub fn get(view: &View, chaincode: &str) -> Result<Option<Definition>, Error> {
    Definition::read(&mut PublicView(view), chaincode)
}

/// The committed definition of `chaincode`, with its reads recorded by a transaction.
pub fn get_recorded(
    simulator: &mut Simulator,
    chaincode: &str,
) -> Result<Option<Definition>, Error> {
    Definition::read(&mut Public(simulator), chaincode)
}

/// Whether a definition of `chaincode` is committed.
pub fn exists(view: &View, chaincode: &str) -> Result<bool, Error> {
    Ok(read_sequence(&mut PublicView(view), chaincode)? > 0)
}

/// All committed definitions, by name.
pub fn list(view: &View) -> Result<BTreeMap<String, Definition>, Error> {
    let mut definitions = BTreeMap::new();
    for name in PublicView(view).names(NAMESPACES)? {
        if let Some(definition) = get(view, &name)? {
            definitions.insert(name, definition);
        }
    }
    Ok(definitions)
}

/// The configuration of a collection of `chaincode`, be it named by the definition or implicit.
pub fn collection(
    view: &View,
    chaincode: &str,
    collection: &str,
) -> Result<Option<StaticCollectionConfig>, Error> {
    if let Some(msp_id) = implicit_organization(collection) {
        return Ok(Some(implicit_collection(msp_id)));
    }
    Ok(get(view, chaincode)?.and_then(|found| found.collection(collection).cloned()))
}

/// The policy that says whose peers hold a collection.
pub fn member_policy(config: &StaticCollectionConfig) -> Option<&SignaturePolicyEnvelope> {
    let Payload::SignaturePolicy(policy) = config.member_orgs_policy.as_ref()?.payload.as_ref()?;
    Some(policy)
}

/// MSP id of the organization whose implicit collection this is.
pub fn implicit_organization(collection: &str) -> Option<&str> {
    collection.strip_prefix(IMPLICIT_PREFIX)
}

/// Name of an organization's implicit collection.
pub fn implicit_collection_name(msp_id: &str) -> String {
    format!("{IMPLICIT_PREFIX}{msp_id}")
}

/// The configuration of an organization's implicit collection: its members hold it, for ever.
pub fn implicit_collection(msp_id: &str) -> StaticCollectionConfig {
    let policy = SignaturePolicyEnvelope {
        version: 0,
        rule: Some(any_of(1)),
        identities: vec![msp::principal::member(msp_id)],
    };
    StaticCollectionConfig {
        name: implicit_collection_name(msp_id),
        member_orgs_policy: Some(CollectionPolicyConfig {
            payload: Some(Payload::SignaturePolicy(policy)),
        }),
        ..Default::default()
    }
}

fn any_of(count: i32) -> proto::common::SignaturePolicy {
    use proto::common::SignaturePolicy;
    use signature_policy::{NOutOf, Type};
    let rules = (0..count).map(|index| SignaturePolicy { r#type: Some(Type::SignedBy(index)) });
    SignaturePolicy { r#type: Some(Type::NOutOf(NOutOf { n: 1, rules: rules.collect() })) }
}
