//! Signature policies as text: what [`super::dsl`] reads, as far as it has words for it.

use prost::Message;
use proto::common::msp_principal::Classification;
use proto::common::msp_role::MspRoleType;
use proto::common::signature_policy::Type;
use proto::common::{
    CombinedPrincipal, MspPrincipal, MspRole, OrganizationUnit, SignaturePolicy,
    SignaturePolicyEnvelope,
};
use proto::msp::SerializedIdentity;

use super::DEPTH_MAX;

/// The policy as text. Principals that are not roles, empty gates and unreadable parts are
/// described in angle brackets, which [`super::dsl::parse`] refuses.
pub fn print(policy: &SignaturePolicyEnvelope) -> String {
    match &policy.rule {
        Some(rule) => print_rule(rule, &policy.identities, DEPTH_MAX),
        None => "<empty>".into(),
    }
}

fn print_rule(rule: &SignaturePolicy, principals: &[MspPrincipal], depth: usize) -> String {
    let Some(depth) = depth.checked_sub(1) else { return "<too deep>".into() };
    match &rule.r#type {
        None => "<empty>".into(),
        Some(Type::SignedBy(index)) => usize::try_from(*index)
            .ok()
            .and_then(|at| principals.get(at))
            .map_or_else(|| "<unknown>".into(), |principal| print_principal(principal, depth)),
        Some(Type::NOutOf(gate)) => {
            let count = i32::try_from(gate.rules.len()).unwrap_or(i32::MAX);
            if count == 0 {
                return if gate.n <= 0 { "<anyone>".into() } else { "<nobody>".into() };
            }
            let rules: Vec<_> =
                gate.rules.iter().map(|rule| print_rule(rule, principals, depth)).collect();
            let rules = rules.join(", ");
            match gate.n {
                1 => format!("OR({rules})"),
                n if n == count => format!("AND({rules})"),
                n => format!("OutOf({n}, {rules})"),
            }
        }
    }
}

fn print_principal(principal: &MspPrincipal, depth: usize) -> String {
    let described = match Classification::try_from(principal.principal_classification) {
        Ok(Classification::Role) => print_role(&principal.principal),
        Ok(Classification::OrganizationUnit) => {
            OrganizationUnit::decode(principal.principal.clone()).ok().map(|unit| {
                format!("<{} unit {}>", unit.msp_identifier, unit.organizational_unit_identifier)
            })
        }
        Ok(Classification::Identity) => {
            SerializedIdentity::decode(principal.principal.clone()).ok().map(|identity| {
                let hash = hex::encode(proto::sha256(&identity.id_bytes));
                format!("<{} identity {}>", identity.mspid, hash.get(..16).unwrap_or_default())
            })
        }
        Ok(Classification::Combined) => print_combined(principal, depth),
        Ok(Classification::Anonymity) => Some("<anonymity>".into()),
        Err(_) => None,
    };
    described.unwrap_or_else(|| "<unreadable>".into())
}

fn print_role(bytes: &bytes::Bytes) -> Option<String> {
    let role = MspRole::decode(bytes.clone()).ok()?;
    let name = match MspRoleType::try_from(role.role).ok()? {
        MspRoleType::Member => "member",
        MspRoleType::Admin => "admin",
        MspRoleType::Client => "client",
        MspRoleType::Peer => "peer",
        MspRoleType::Orderer => "orderer",
    };
    Some(format!("'{}.{name}'", role.msp_identifier))
}

fn print_combined(principal: &MspPrincipal, depth: usize) -> Option<String> {
    let depth = depth.checked_sub(1)?;
    let combined = CombinedPrincipal::decode(principal.principal.clone()).ok()?;
    let parts: Vec<_> =
        combined.principals.iter().map(|part| print_principal(part, depth)).collect();
    Some(format!("<all of {}>", parts.join(", ")))
}
