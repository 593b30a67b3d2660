//! Which sets of endorsers satisfy several policies at once.
//!
//! Each policy is turned into its minimal sets of principals, the sets of all policies are merged
//! pairwise, and each principal becomes a group: the peers that satisfy it. One endorsement serves
//! every policy it satisfies, so merging takes the larger count, not the sum.

use std::collections::{BTreeMap, BTreeSet};

use prost::Message;
use proto::common::msp_principal::Classification;
use proto::common::msp_role::MspRoleType;
use proto::common::{MspPrincipal, MspRole};
use proto::common::{SignaturePolicy, SignaturePolicyEnvelope, signature_policy::Type};

/// Combinations considered for one question; a policy with more of them is refused.
const COMBINATIONS_MAX: usize = 10_000;

/// How many endorsements are needed of each group.
pub type Layout = BTreeMap<String, u32>;

/// Principals, each with how many different endorsers must satisfy it. The key is the encoded
/// principal.
pub type Requirement = BTreeMap<Vec<u8>, u32>;

/// Why no layout can be told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A policy is malformed.
    #[error("policy is malformed: {0}")]
    Malformed(&'static str),
    /// A policy allows more combinations than are considered.
    #[error("policy allows more than {COMBINATIONS_MAX} combinations of principals")]
    TooMany,
}

/// The minimal requirements that satisfy all `policies`.
pub fn requirements(policies: &[SignaturePolicyEnvelope]) -> Result<Vec<Requirement>, Error> {
    let mut merged = vec![Requirement::new()];
    for policy in policies {
        let sets = minimal_sets(policy)?;
        let mut next = BTreeSet::new();
        for left in &merged {
            for right in &sets {
                next.insert(merge(left, right));
                bound(next.len())?;
            }
        }
        merged = without_supersets(next);
    }
    Ok(merged)
}

/// The groups and layouts for `requirements`, where `satisfying` gives the indices of the peers
/// that satisfy an encoded principal. Only layouts that have enough peers are kept.
pub fn layouts(
    requirements: &[Requirement],
    mut satisfying: impl FnMut(&[u8]) -> Vec<usize>,
) -> (BTreeMap<String, Vec<usize>>, Vec<Layout>) {
    let mut peers_of: BTreeMap<&[u8], Vec<usize>> = BTreeMap::new();
    for principal in requirements.iter().flat_map(BTreeMap::keys) {
        peers_of.entry(principal).or_insert_with(|| satisfying(principal));
    }
    // Principals satisfied by the same peers are one group.
    let mut names: BTreeMap<&Vec<usize>, String> = BTreeMap::new();
    for peers in peers_of.values() {
        let next = format!("G{}", names.len());
        names.entry(peers).or_insert(next);
    }
    let mut layouts = BTreeSet::new();
    for requirement in requirements {
        let mut layout = BTreeMap::new();
        for (principal, count) in requirement {
            if let Some(name) = peers_of.get(principal.as_slice()).and_then(|p| names.get(p)) {
                *layout.entry(name.clone()).or_insert(0) += count;
            }
        }
        layouts.insert(layout);
    }
    let groups: BTreeMap<String, Vec<usize>> =
        names.into_iter().map(|(peers, name)| (name, peers.clone())).collect();
    let enough = |layout: &Layout| {
        layout.iter().all(|(name, count)| {
            groups.get(name).is_some_and(|peers| peers.len() >= *count as usize)
        })
    };
    let layouts = without_supersets(layouts.into_iter().filter(enough).collect());
    let used: BTreeSet<&String> = layouts.iter().flat_map(BTreeMap::keys).collect();
    let groups = groups.iter().filter(|(name, _)| used.contains(name));
    let groups = groups.map(|(name, peers)| (name.clone(), peers.clone())).collect();
    (groups, layouts)
}

fn bound(count: usize) -> Result<(), Error> {
    if count > COMBINATIONS_MAX { Err(Error::TooMany) } else { Ok(()) }
}

/// The minimal sets of principals that satisfy one policy.
fn minimal_sets(policy: &SignaturePolicyEnvelope) -> Result<Vec<Requirement>, Error> {
    let rule = policy.rule.as_ref().ok_or(Error::Malformed("no rule"))?;
    Ok(without_supersets(sets(rule, &policy.identities)?))
}

fn sets(
    rule: &SignaturePolicy,
    identities: &[MspPrincipal],
) -> Result<BTreeSet<Requirement>, Error> {
    match rule.r#type.as_ref().ok_or(Error::Malformed("empty rule"))? {
        Type::SignedBy(index) => {
            let principal = usize::try_from(*index)
                .ok()
                .and_then(|index| identities.get(index))
                .ok_or(Error::Malformed("no such principal"))?;
            Ok(BTreeSet::from([Requirement::from([(principal.encode_to_vec(), 1)])]))
        }
        Type::NOutOf(inner) => {
            let wanted = usize::try_from(inner.n).unwrap_or(0);
            let rules: Vec<_> =
                inner.rules.iter().map(|rule| sets(rule, identities)).collect::<Result<_, _>>()?;
            choose(wanted, &rules)
        }
    }
}

/// All ways to satisfy `wanted` of `rules`. The n-th element of the table holds the ways to have
/// satisfied n of the rules seen so far.
fn choose(wanted: usize, rules: &[BTreeSet<Requirement>]) -> Result<BTreeSet<Requirement>, Error> {
    let mut ways = vec![BTreeSet::new(); wanted + 1];
    if let Some(none) = ways.first_mut() {
        none.insert(Requirement::new());
    }
    for rule in rules {
        for satisfied in (1..=wanted).rev() {
            let Some(fewer) = ways.get(satisfied - 1).cloned() else { continue };
            let Some(target) = ways.get_mut(satisfied) else { continue };
            for left in &fewer {
                for right in rule {
                    target.insert(sum(left, right));
                    bound(target.len())?;
                }
            }
        }
    }
    Ok(ways.pop().unwrap_or_default())
}

/// Within one policy each principal needs an endorser of its own.
fn sum(left: &Requirement, right: &Requirement) -> Requirement {
    let mut sum = left.clone();
    for (principal, count) in right {
        *sum.entry(principal.clone()).or_insert(0) += count;
    }
    sum
}

/// Between policies an endorser counts for both; a role of an organization implies membership.
fn merge(left: &Requirement, right: &Requirement) -> Requirement {
    let mut merged = left.clone();
    for (principal, count) in right {
        let entry = merged.entry(principal.clone()).or_insert(0);
        *entry = (*entry).max(*count);
    }
    let implied: Vec<(Vec<u8>, u32)> = merged
        .keys()
        .filter_map(|principal| Some((principal, member_of(principal)?)))
        .map(|(principal, msp_id)| {
            let covered = merged
                .iter()
                .filter(|(other, _)| *other != principal && role_of(other) == Some(msp_id.clone()));
            (principal.clone(), covered.map(|(_, count)| *count).sum())
        })
        .collect();
    for (principal, covered) in implied {
        if let Some(count) = merged.get_mut(&principal) {
            *count = count.saturating_sub(covered);
        }
    }
    merged.retain(|_, count| *count > 0);
    merged
}

/// MSP id, if the principal is any member of an organization.
fn member_of(principal: &[u8]) -> Option<String> {
    let role = role(principal)?;
    (role.role == MspRoleType::Member as i32).then_some(role.msp_identifier)
}

/// MSP id, if the principal is a role other than member.
fn role_of(principal: &[u8]) -> Option<String> {
    let role = role(principal)?;
    (role.role != MspRoleType::Member as i32).then_some(role.msp_identifier)
}

fn role(principal: &[u8]) -> Option<MspRole> {
    let principal = MspPrincipal::decode(principal).ok()?;
    let is_role = principal.principal_classification == Classification::Role as i32;
    is_role.then(|| MspRole::decode(principal.principal).ok()).flatten()
}

/// Drops what asks for everything another one asks for, and more.
fn without_supersets<K: Ord + Clone>(sets: BTreeSet<BTreeMap<K, u32>>) -> Vec<BTreeMap<K, u32>> {
    let covers = |large: &BTreeMap<K, u32>, small: &BTreeMap<K, u32>| {
        large != small
            && small.iter().all(|(key, count)| large.get(key).is_some_and(|has| has >= count))
    };
    // Quadratic: beyond this many a few redundant sets cost less than finding them.
    if sets.len() > 1000 {
        return sets.into_iter().collect();
    }
    let all: Vec<_> = sets.into_iter().collect();
    all.iter().filter(|set| !all.iter().any(|other| covers(set, other))).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Principals are written `A.member` or `A.peer`; a policy is nested lists of them.
    enum P {
        By(&'static str),
        Of(i32, Vec<P>),
    }
    use P::{By, Of};

    fn principal(text: &str) -> MspPrincipal {
        let (msp, role) = text.split_once('.').unwrap();
        let role = if role == "peer" { MspRoleType::Peer } else { MspRoleType::Member };
        let role = MspRole { msp_identifier: msp.into(), role: role as i32 };
        MspPrincipal { principal_classification: 0, principal: role.encode_to_vec().into() }
    }

    fn envelope(policy: &P) -> SignaturePolicyEnvelope {
        fn rule(policy: &P, identities: &mut Vec<MspPrincipal>) -> SignaturePolicy {
            use proto::common::signature_policy::NOutOf;
            let kind = match policy {
                By(text) => {
                    identities.push(principal(text));
                    Type::SignedBy(identities.len() as i32 - 1)
                }
                Of(n, rules) => {
                    let rules = rules.iter().map(|inner| rule(inner, identities)).collect();
                    Type::NOutOf(NOutOf { n: *n, rules })
                }
            };
            SignaturePolicy { r#type: Some(kind) }
        }
        let mut identities = Vec::new();
        let rule = Some(rule(policy, &mut identities));
        SignaturePolicyEnvelope { version: 0, rule, identities }
    }

    /// Layouts as text, with groups written as the names of the peers in them.
    fn plan(policies: &[P], peers: &[&str]) -> Vec<String> {
        let policies: Vec<_> = policies.iter().map(envelope).collect();
        let requirements = requirements(&policies).unwrap();
        let (groups, layouts) = layouts(&requirements, |wanted| {
            let wanted = MspPrincipal::decode(wanted).unwrap();
            let satisfies = |peer: &str| {
                let org = peer[..1].to_uppercase();
                wanted == principal(&format!("{org}.peer"))
                    || wanted == principal(&format!("{org}.member"))
            };
            (0..peers.len()).filter(|index| satisfies(peers[*index])).collect()
        });
        let name = |group: &String| groups[group].iter().map(|i| peers[*i]).collect::<String>();
        let mut texts: Vec<String> = layouts
            .iter()
            .map(|layout| {
                let mut parts: Vec<_> =
                    layout.iter().map(|(group, n)| format!("{n}x{}", name(group))).collect();
                parts.sort();
                parts.join("+")
            })
            .collect();
        texts.sort();
        texts
    }

    #[track_caller]
    fn check(policies: &[P], peers: &[&str], expected: &[&str]) {
        assert_eq!(plan(policies, peers), expected);
    }

    fn majority_of_three() -> P {
        Of(2, vec![By("A.peer"), By("B.peer"), By("C.peer")])
    }

    #[test]
    fn one_policy() {
        let peers = ["a0", "a1", "b0", "c0"];
        check(&[By("A.peer")], &peers, &["1xa0a1"]);
        check(&[Of(1, vec![By("A.peer"), By("B.peer")])], &peers, &["1xa0a1", "1xb0"]);
        check(&[Of(2, vec![By("A.peer"), By("B.peer")])], &peers, &["1xa0a1+1xb0"]);
        check(&[majority_of_three()], &peers, &["1xa0a1+1xb0", "1xa0a1+1xc0", "1xb0+1xc0"]);
        check(&[Of(2, vec![By("A.peer"), By("A.peer")])], &peers, &["2xa0a1"]);
    }

    #[test]
    fn layouts_without_enough_peers_are_left_out() {
        check(&[majority_of_three()], &["a0", "c0"], &["1xa0+1xc0"]);
        check(&[Of(2, vec![By("A.peer"), By("A.peer")])], &["a0"], &[]);
        check(&[By("D.peer")], &["a0"], &[]);
    }

    #[test]
    fn larger_layouts_are_left_out() {
        let either = Of(1, vec![By("A.peer"), Of(2, vec![By("A.peer"), By("B.peer")])]);
        check(&[either], &["a0", "b0"], &["1xa0"]);
    }

    #[test]
    fn an_endorsement_serves_several_policies() {
        let peers = ["a0", "b0", "c0"];
        let or = Of(1, vec![By("A.peer"), By("B.peer")]);
        check(&[or, By("B.peer")], &peers, &["1xb0"]);
        check(&[majority_of_three(), By("C.peer")], &peers, &["1xa0+1xc0", "1xb0+1xc0"]);
        check(&[By("A.member"), By("A.peer")], &peers, &["1xa0"]);
        check(&[By("A.peer"), By("A.member")], &peers, &["1xa0"]);
        check(&[By("A.peer"), By("B.member")], &peers, &["1xa0+1xb0"]);
    }

    #[test]
    fn trivial_and_impossible_policies() {
        check(&[], &["a0"], &[""]);
        check(&[Of(0, vec![])], &["a0"], &[""]);
        check(&[Of(1, vec![])], &["a0"], &[]);
    }

    #[test]
    fn explosive_policies_are_refused() {
        let orgs = [
            "A.peer", "B.peer", "C.peer", "D.peer", "E.peer", "F.peer", "G.peer", "H.peer",
            "I.peer", "J.peer", "K.peer", "L.peer", "M.peer", "N.peer", "O.peer", "P.peer",
        ];
        let wide = Of(8, orgs.into_iter().map(By).collect());
        assert_eq!(requirements(&[envelope(&wide)]), Err(Error::TooMany));
    }
}
