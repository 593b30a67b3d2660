//! Which sets of endorsers satisfy several policies at once.
//!
//! Each policy is turned into its minimal sets of principals, the sets of all policies are merged
//! pairwise, and each principal becomes a group: the peers that satisfy it. One endorsement serves
//! every policy it satisfies, so merging takes the larger count, not the sum. Principals no live
//! peer satisfies are left out from the beginning, and of very many sets the first are kept: each
//! of them is sufficient.

use std::collections::{BTreeMap, BTreeSet};

use prost::Message;
use proto::common::msp_principal::Classification;
use proto::common::msp_role::MspRoleType;
use proto::common::{MspPrincipal, MspRole};
use proto::common::{SignaturePolicy, SignaturePolicyEnvelope, signature_policy::Type};

/// Sets of principals kept at a time.
const COMBINATIONS_MAX: usize = 256;
/// Steps taken for one question: clients may send policies of their own.
const STEPS_MAX: usize = 500_000;

/// How many endorsements are needed of each group.
pub type Layout = BTreeMap<String, u32>;

/// Groups of peers by their indices, and the layouts over them.
pub type Plan = (BTreeMap<String, Vec<usize>>, Vec<Layout>);

/// Principals by index, each with how many different endorsers must satisfy it.
type Requirement = BTreeMap<usize, u32>;

/// Why no layout can be told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A policy is malformed.
    #[error("policy is malformed: {0}")]
    Malformed(&'static str),
    /// The policies take more than a moment to combine.
    #[error("policies are too complex to plan with")]
    TooComplex,
}

/// The groups and layouts that satisfy all `policies`, where `satisfying` gives the indices of the
/// peers that satisfy a principal. Only layouts that have enough peers are told.
pub fn layouts(
    policies: &[SignaturePolicyEnvelope],
    satisfying: impl FnMut(&MspPrincipal) -> Vec<usize>,
) -> Result<Plan, Error> {
    let mut search = Search { principals: Principals::new(satisfying), steps: STEPS_MAX };
    let mut merged = vec![Requirement::new()];
    for policy in policies {
        let sets = search.minimal_sets(policy)?;
        let mut next = BTreeSet::new();
        for (left, right) in merged.iter().flat_map(|left| sets.iter().map(move |s| (left, s))) {
            search.step()?;
            if next.len() < COMBINATIONS_MAX {
                next.insert(search.principals.merge(left, right));
            }
        }
        merged = without_supersets(next);
    }
    Ok(search.principals.plan(&merged))
}

/// A principal that occurs in the policies.
struct Principal {
    /// The peers that satisfy it.
    peers: Vec<usize>,
    /// The organization and the role, if it is one.
    role: Option<MspRole>,
}

impl Principal {
    fn is_member(&self) -> bool {
        self.role.as_ref().is_some_and(|role| role.role == MspRoleType::Member as i32)
    }

    /// Whether everyone who satisfies this principal is a member `other` asks for.
    fn implies(&self, other: &Self) -> bool {
        let msp_id =
            |principal: &Self| principal.role.as_ref().map(|role| role.msp_identifier.clone());
        other.is_member() && !self.is_member() && msp_id(self) == msp_id(other)
    }
}

/// The principals met so far.
struct Principals<F> {
    satisfying: F,
    indices: BTreeMap<Vec<u8>, usize>,
    known: Vec<Principal>,
}

impl<F: FnMut(&MspPrincipal) -> Vec<usize>> Principals<F> {
    fn new(satisfying: F) -> Self {
        Self { satisfying, indices: BTreeMap::new(), known: Vec::new() }
    }

    fn index(&mut self, principal: &MspPrincipal) -> usize {
        let encoded = principal.encode_to_vec();
        if let Some(index) = self.indices.get(&encoded) {
            return *index;
        }
        let is_role = principal.principal_classification == Classification::Role as i32;
        let role = is_role.then(|| MspRole::decode(principal.principal.clone()).ok()).flatten();
        let peers = (self.satisfying)(principal);
        self.known.push(Principal { peers, role });
        self.indices.insert(encoded, self.known.len() - 1);
        self.known.len() - 1
    }

    /// Between policies an endorser counts for both; a role of an organization implies membership.
    fn merge(&self, left: &Requirement, right: &Requirement) -> Requirement {
        let mut merged = left.clone();
        for (index, count) in right {
            let entry = merged.entry(*index).or_insert(0);
            *entry = (*entry).max(*count);
        }
        let implied = |index: usize| -> u32 {
            let implies = |other: &usize| match (self.known.get(*other), self.known.get(index)) {
                (Some(other), Some(this)) => other.implies(this),
                _ => false,
            };
            merged.iter().filter(|(other, _)| implies(other)).map(|(_, count)| *count).sum()
        };
        let left_over = merged.iter().map(|(i, count)| (*i, count.saturating_sub(implied(*i))));
        left_over.filter(|(_, count)| *count > 0).collect()
    }

    /// Turns principals into groups. Principals satisfied by the same peers are one group.
    fn plan(&self, requirements: &[Requirement]) -> Plan {
        let mut names: BTreeMap<&Vec<usize>, String> = BTreeMap::new();
        let mut layouts = BTreeSet::new();
        for requirement in requirements {
            let mut layout = Layout::new();
            for (index, count) in requirement {
                let Some(principal) = self.known.get(*index) else { continue };
                let next = format!("G{}", names.len());
                let name = names.entry(&principal.peers).or_insert(next);
                *layout.entry(name.clone()).or_insert(0) += count;
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
        (groups.map(|(name, peers)| (name.clone(), peers.clone())).collect(), layouts)
    }
}

/// The search for sets of principals, and what is left to spend on it.
struct Search<F> {
    principals: Principals<F>,
    steps: usize,
}

impl<F: FnMut(&MspPrincipal) -> Vec<usize>> Search<F> {
    fn step(&mut self) -> Result<(), Error> {
        self.steps = self.steps.checked_sub(1).ok_or(Error::TooComplex)?;
        Ok(())
    }

    /// The minimal sets of principals that satisfy one policy.
    fn minimal_sets(
        &mut self,
        policy: &SignaturePolicyEnvelope,
    ) -> Result<Vec<Requirement>, Error> {
        let rule = policy.rule.as_ref().ok_or(Error::Malformed("no rule"))?;
        Ok(without_supersets(self.sets(rule, &policy.identities)?))
    }

    fn sets(
        &mut self,
        rule: &SignaturePolicy,
        identities: &[MspPrincipal],
    ) -> Result<BTreeSet<Requirement>, Error> {
        self.step()?;
        match rule.r#type.as_ref().ok_or(Error::Malformed("empty rule"))? {
            Type::SignedBy(index) => {
                let principal = usize::try_from(*index)
                    .ok()
                    .and_then(|index| identities.get(index))
                    .ok_or(Error::Malformed("no such principal"))?;
                let index = self.principals.index(principal);
                let is_alive =
                    self.principals.known.get(index).is_some_and(|p| !p.peers.is_empty());
                Ok(is_alive.then(|| Requirement::from([(index, 1)])).into_iter().collect())
            }
            Type::NOutOf(inner) => {
                let wanted = usize::try_from(inner.n).unwrap_or(0);
                let rules = inner.rules.iter().map(|rule| self.sets(rule, identities));
                let mut rules = rules.collect::<Result<Vec<_>, _>>()?;
                rules.retain(|sets| !sets.is_empty());
                self.choose(wanted, &rules)
            }
        }
    }

    /// All ways to satisfy `wanted` of `rules`. The n-th element of the table holds the ways to
    /// have satisfied n of the rules seen so far.
    fn choose(
        &mut self,
        wanted: usize,
        rules: &[BTreeSet<Requirement>],
    ) -> Result<BTreeSet<Requirement>, Error> {
        if wanted > rules.len() {
            return Ok(BTreeSet::new());
        }
        let mut ways = vec![BTreeSet::new(); wanted + 1];
        if let Some(none) = ways.first_mut() {
            none.insert(Requirement::new());
        }
        for rule in rules {
            for satisfied in (0..wanted).rev() {
                self.step()?;
                let (fewer, more) = ways.split_at_mut(satisfied + 1);
                let (Some(fewer), Some(target)) = (fewer.last(), more.first_mut()) else {
                    continue;
                };
                for (left, right) in fewer.iter().flat_map(|l| rule.iter().map(move |r| (l, r))) {
                    self.step()?;
                    if target.len() < COMBINATIONS_MAX {
                        target.insert(sum(left, right));
                    }
                }
            }
        }
        Ok(ways.pop().unwrap_or_default())
    }
}

/// Within one policy each principal needs an endorser of its own.
fn sum(left: &Requirement, right: &Requirement) -> Requirement {
    let mut sum = left.clone();
    for (index, count) in right {
        *sum.entry(*index).or_insert(0) += count;
    }
    sum
}

/// Drops what asks for everything another one asks for, and more.
fn without_supersets<K: Ord + Clone>(sets: BTreeSet<BTreeMap<K, u32>>) -> Vec<BTreeMap<K, u32>> {
    let covers = |large: &BTreeMap<K, u32>, small: &BTreeMap<K, u32>| {
        large != small
            && small.iter().all(|(key, count)| large.get(key).is_some_and(|has| has >= count))
    };
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
        let (groups, layouts) = layouts(&policies, |wanted| {
            let satisfies = |peer: &str| {
                let org = peer[..1].to_uppercase();
                *wanted == principal(&format!("{org}.peer"))
                    || *wanted == principal(&format!("{org}.member"))
            };
            (0..peers.len()).filter(|index| satisfies(peers[*index])).collect()
        })
        .unwrap();
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
    fn of_very_many_layouts_some_are_told() {
        let orgs = [
            "A.peer", "B.peer", "C.peer", "D.peer", "E.peer", "F.peer", "G.peer", "H.peer",
            "I.peer", "J.peer", "K.peer", "L.peer", "M.peer", "N.peer", "O.peer", "P.peer",
        ];
        let peers = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o"];
        let wide = || Of(9, orgs.into_iter().map(By).collect());
        assert_eq!(plan(&[wide()], &peers).len(), COMBINATIONS_MAX);
        // The organizations with a live peer are few enough.
        assert_eq!(plan(&[wide()], &peers[..10]).len(), 10);
    }

    #[test]
    fn hostile_policies_are_refused() {
        let all = |_: &MspPrincipal| vec![0];
        let long = Of(2000, (0..2000).map(|_| By("A.peer")).collect());
        assert_eq!(layouts(&[envelope(&long)], all), Err(Error::TooComplex));
        let huge = Of(i32::MAX, vec![By("A.peer")]);
        assert_eq!(layouts(&[envelope(&huge)], all), Ok((BTreeMap::new(), vec![])));
    }
}
