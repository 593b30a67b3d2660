//! What a definition must look like before it is approved or committed.

use std::collections::BTreeSet;

use channel::Bundle;
use prost::Message;
use proto::common::{SignaturePolicy, signature_policy};
use proto::peer::{ApplicationPolicy, StaticCollectionConfig};

use super::definition::{Definition, Parameters, static_collections};
use super::definitions;

/// Names no chaincode may have.
const RESERVED: [&str; 5] = ["cscc", "escc", "lscc", "qscc", "vscc"];

/// Checks name and parameters on their own.
pub(super) fn alone(name: &str, parameters: &Parameters, bundle: &Bundle) -> Result<(), String> {
    chaincode_name(name)?;
    version(&parameters.endorsement.version)?;
    policy(&parameters.validation.validation_parameter)?;
    let collections: Vec<_> = static_collections(&parameters.collections).collect();
    if collections.len() != parameters.collections.config.len() {
        return Err("collection configuration is not a static one".into());
    }
    collections_alone(&collections, bundle)
}

/// Checks parameters against the committed definition they are to replace.
pub(super) fn against(committed: &Definition, parameters: &Parameters) -> Result<(), String> {
    for old in committed.collections() {
        let name = &old.name;
        let Some(new) = static_collections(&parameters.collections).find(|new| new.name == *name)
        else {
            return Err(format!(
                "existing collection [{name}] missing in the proposed collection configuration"
            ));
        };
        if new.block_to_live != old.block_to_live {
            return Err(format!(
                "the BlockToLive in an existing collection [{name}] modified. Existing value [{}]",
                old.block_to_live
            ));
        }
    }
    Ok(())
}

fn chaincode_name(name: &str) -> Result<(), String> {
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric());
    if !name.split(['-', '_']).all(is_word) {
        return Err(format!(
            "invalid chaincode name '{name}'. Names can only consist of alphanumerics, '_', and \
             '-' and can only begin with alphanumerics"
        ));
    }
    if RESERVED.contains(&name) {
        return Err(format!("chaincode name '{name}' is the name of a system chaincode"));
    }
    Ok(())
}

fn version(version: &str) -> Result<(), String> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'+' | b'-');
    if !version.is_empty() && version.bytes().all(allowed) {
        return Ok(());
    }
    Err(format!(
        "invalid chaincode version '{version}'. Versions can only consist of alphanumerics, '_', \
         '-', '+', and '.'"
    ))
}

fn policy(parameter: &[u8]) -> Result<(), String> {
    match ApplicationPolicy::decode(parameter) {
        _ if parameter.is_empty() => Ok(()),
        Ok(ApplicationPolicy { r#type: Some(_) }) => Ok(()),
        _ => Err("validation parameter is not an application policy".into()),
    }
}

fn collections_alone(
    collections: &[&StaticCollectionConfig],
    bundle: &Bundle,
) -> Result<(), String> {
    let mut names = BTreeSet::new();
    for collection in collections {
        let name = &collection.name;
        collection_name(name)?;
        if !names.insert(name) {
            return Err(format!(
                "collection-name: {name} -- found duplicate in collection configuration"
            ));
        }
        let (required, maximum) = (collection.required_peer_count, collection.maximum_peer_count);
        if maximum < required {
            return Err(format!(
                "collection-name: {name} -- maximum peer count ({maximum}) cannot be less than \
                 the required peer count ({required})"
            ));
        }
        if required < 0 {
            return Err(format!(
                "collection-name: {name} -- required peer count ({required}) cannot be less than \
                 zero"
            ));
        }
        member_policy(collection, bundle)?;
    }
    Ok(())
}

fn collection_name(name: &str) -> Result<(), String> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
    if !name.is_empty() && !name.starts_with('_') && name.bytes().all(allowed) {
        return Ok(());
    }
    Err(format!(
        "invalid collection name '{name}'. Names can only consist of alphanumerics, '_', and '-' \
         and cannot begin with '_'"
    ))
}

fn member_policy(collection: &StaticCollectionConfig, bundle: &Bundle) -> Result<(), String> {
    let name = &collection.name;
    let Some(policy) = definitions::member_policy(collection) else {
        return Err(format!("collection-name: {name} -- collection member policy is not set"));
    };
    let rule = policy
        .rule
        .as_ref()
        .ok_or_else(|| format!("collection-name: {name} -- collection member policy is empty"))?;
    only_or(rule).map_err(|error| {
        format!("collection-name: {name} -- error in member org policy: {error}")
    })?;
    for principal in &policy.identities {
        let msp_id = msp::principal::msp_id(principal).ok_or_else(|| {
            format!("collection-name: {name} -- contains a principal that is not understood")
        })?;
        if bundle.msps().msp(&msp_id).is_none() {
            return Err(format!(
                "collection-name: {name} -- contains an identity that is not part of the channel"
            ));
        }
    }
    Ok(())
}

fn only_or(rule: &SignaturePolicy) -> Result<(), String> {
    use signature_policy::Type;
    match &rule.r#type {
        Some(Type::SignedBy(_)) => Ok(()),
        Some(Type::NOutOf(inner)) if inner.n == 1 => inner.rules.iter().try_for_each(only_or),
        Some(Type::NOutOf(inner)) => {
            Err(format!("signature policy is not an OR concatenation, NOutOf {}", inner.n))
        }
        None => Err("signature policy has an empty rule".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_name(name: &str, good: bool) {
        assert_eq!(chaincode_name(name).is_ok(), good, "{name}");
    }

    #[test]
    fn chaincode_names() {
        for good in ["a", "basic", "a-b_c", "0x"] {
            check_name(good, true);
        }
        for bad in ["", "-a", "a-", "a--b", "a_-b", "a.b", "é", "cscc", "a b"] {
            check_name(bad, false);
        }
    }

    #[test]
    fn versions_and_collection_names() {
        for (text, as_version, as_collection) in [
            ("1.0", true, false),
            ("1.0+sha-a_b", true, false),
            ("_x", true, false),
            ("-x_y", true, true),
            ("", false, false),
            ("$", false, false),
        ] {
            assert_eq!(version(text).is_ok(), as_version, "{text}");
            assert_eq!(collection_name(text).is_ok(), as_collection, "{text}");
        }
    }
}
