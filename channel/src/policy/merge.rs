//! Several signature policies as one.

use proto::common::MspPrincipal;
use proto::common::signature_policy::{NOutOf, Type};
use proto::common::{SignaturePolicy, SignaturePolicyEnvelope};

/// A rule that asks for `n` of `rules`.
pub(super) fn gate(n: i32, rules: Vec<SignaturePolicy>) -> SignaturePolicy {
    SignaturePolicy { r#type: Some(Type::NOutOf(NOutOf { n, rules })) }
}

/// The policy nobody satisfies.
pub(super) fn reject_all() -> SignaturePolicyEnvelope {
    SignaturePolicyEnvelope { version: 0, rule: Some(gate(1, vec![])), identities: vec![] }
}

/// A policy that asks for `n` of the given ones. Equal principals are listed once.
pub(super) fn n_out_of(
    n: usize,
    policies: impl Iterator<Item = SignaturePolicyEnvelope>,
) -> SignaturePolicyEnvelope {
    let mut identities: Vec<MspPrincipal> = Vec::new();
    let mut rules = Vec::new();
    for policy in policies {
        let places: Vec<i32> = policy
            .identities
            .into_iter()
            .map(|principal| place(&mut identities, principal))
            .collect();
        rules.push(policy.rule.map_or_else(|| gate(1, vec![]), |rule| renumber(rule, &places)));
    }
    let n = i32::try_from(n).unwrap_or(i32::MAX);
    SignaturePolicyEnvelope { version: 0, rule: Some(gate(n, rules)), identities }
}

fn place(identities: &mut Vec<MspPrincipal>, principal: MspPrincipal) -> i32 {
    let at = identities.iter().position(|known| *known == principal).unwrap_or_else(|| {
        identities.push(principal);
        identities.len() - 1
    });
    i32::try_from(at).unwrap_or(i32::MAX)
}

fn renumber(rule: SignaturePolicy, places: &[i32]) -> SignaturePolicy {
    let r#type = rule.r#type.map(|r#type| match r#type {
        Type::SignedBy(index) => {
            let place = usize::try_from(index).ok().and_then(|at| places.get(at));
            Type::SignedBy(place.copied().unwrap_or(index))
        }
        Type::NOutOf(NOutOf { n, rules }) => {
            let rules = rules.into_iter().map(|rule| renumber(rule, places)).collect();
            Type::NOutOf(NOutOf { n, rules })
        }
    });
    SignaturePolicy { r#type }
}
