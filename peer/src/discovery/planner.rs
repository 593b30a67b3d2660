//! Who can endorse a call: the policies of everything it touches, turned into groups of live peers
//! and the layouts that satisfy them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use channel::{Bundle, Policy};
use ledger::View;
use prost::Message;
use proto::common::{MspPrincipal, SignaturePolicyEnvelope, signature_policy};
use proto::peer::{ChaincodeCall, ChaincodeInterest, StaticCollectionConfig};

use super::layouts::{self, Layout};
use super::{Membership, PeerInfo};
use crate::channels::Channel;
use crate::lifecycle::state::NAMESPACE;
use crate::lifecycle::{self, Definition, approvals, definitions};
use crate::system::is_system;

/// The policy of changes of definitions, if the channel has it.
const LIFECYCLE_POLICY: &str = "/Channel/Application/LifecycleEndorsement";

/// Calls of one question.
const CALLS_MAX: usize = 256;

/// Why no peers can be named.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The question names no chaincode.
    #[error("chaincode interest must contain at least one chaincode")]
    NoChaincode,
    /// The question is too long.
    #[error("chaincode interest contains more than {CALLS_MAX} calls, collections or policies")]
    TooLong,
    /// A chaincode is not defined on the channel.
    #[error("chaincode {0} is not defined")]
    NotDefined(String),
    /// A chaincode has no such collection.
    #[error("collection {collection} of chaincode {chaincode} is not defined")]
    NoCollection {
        /// The chaincode.
        chaincode: String,
        /// The collection.
        collection: String,
    },
    /// A policy cannot be used.
    #[error("policy of {subject}")]
    Policy {
        /// Whose policy.
        subject: String,
        /// What is wrong with it.
        #[source]
        source: channel::policy::Error,
    },
    /// The policies are too complex or malformed.
    #[error("combine endorsement policies")]
    Layouts(#[from] layouts::Error),
    /// The live peers do not suffice.
    #[error("no peer combination can satisfy the endorsement policy")]
    Unsatisfiable,
    /// Definitions cannot be read.
    #[error("read definitions")]
    Lifecycle(#[from] lifecycle::Error),
    /// The ledger failed.
    #[error("ledger")]
    Ledger(#[from] ledger::Error),
}

/// How a call can be endorsed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Descriptor {
    /// The first chaincode of the question.
    pub chaincode: String,
    /// Peers that can stand in for each other, the highest first.
    pub groups: BTreeMap<String, Vec<PeerInfo>>,
    /// How many of each group are needed; any of these will do.
    pub layouts: Vec<Layout>,
}

/// Plans endorsements from the ledger, the channel's configuration and who is alive.
#[derive(Clone)]
pub struct Planner {
    membership: Arc<dyn Membership>,
}

impl std::fmt::Debug for Planner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Planner")
    }
}

impl Planner {
    /// A planner for the peers `membership` knows.
    pub fn new(membership: Arc<dyn Membership>) -> Self {
        Self { membership }
    }

    /// Who is alive.
    pub fn membership(&self) -> &Arc<dyn Membership> {
        &self.membership
    }

    /// How the calls of `interest`, as one transaction, can be endorsed.
    pub fn plan(
        &self,
        channel: &Channel,
        interest: &ChaincodeInterest,
    ) -> Result<Descriptor, Error> {
        let first = interest.chaincodes.first().ok_or(Error::NoChaincode)?;
        check_length(interest)?;
        let (view, bundle) = (channel.ledger().view()?, channel.bundle());
        let question = Question { view: &view, bundle: &bundle };
        let policies = question.policies(interest)?;
        let peers = self.eligible(channel, &question, interest)?;
        let (groups, layouts) =
            layouts::layouts(&policies, |principal| satisfying(&bundle, &peers, principal))?;
        if layouts.is_empty() {
            return Err(Error::Unsatisfiable);
        }
        let peer = |index: usize| peers.get(index).cloned();
        let groups = groups
            .into_iter()
            .map(|(name, indices)| (name, indices.into_iter().filter_map(peer).collect()))
            .collect();
        Ok(Descriptor { chaincode: first.name.clone(), groups, layouts })
    }

    /// The live peers that run all chaincodes of `interest` and may hold the collections it reads,
    /// the highest first.
    pub fn eligible_for(
        &self,
        channel: &Channel,
        interest: &ChaincodeInterest,
    ) -> Result<Vec<PeerInfo>, Error> {
        check_length(interest)?;
        let (view, bundle) = (channel.ledger().view()?, channel.bundle());
        self.eligible(channel, &Question { view: &view, bundle: &bundle }, interest)
    }

    fn eligible(
        &self,
        channel: &Channel,
        question: &Question<'_>,
        interest: &ChaincodeInterest,
    ) -> Result<Vec<PeerInfo>, Error> {
        let mut peers = self.membership.peers(channel.id());
        peers.sort_by(by_height);
        for call in &interest.chaincodes {
            if !is_system(&call.name) {
                let version = question.definition(&call.name)?.version().to_owned();
                peers.retain(|peer| peer.chaincodes.get(&call.name) == Some(&version));
            }
            if !call.no_private_reads {
                for name in &call.collection_names {
                    let principals = question.members(&call.name, name)?;
                    peers.retain(|peer| satisfies_any(question.bundle, peer, &principals));
                }
            }
        }
        Ok(peers)
    }
}

/// Clients write questions as long as they like.
fn check_length(interest: &ChaincodeInterest) -> Result<(), Error> {
    let parts = |call: &ChaincodeCall| 1 + call.collection_names.len() + call.key_policies.len();
    let length: usize = interest.chaincodes.iter().map(parts).sum();
    if length > CALLS_MAX { Err(Error::TooLong) } else { Ok(()) }
}

/// The highest first; of equals, this peer first, which costs no connection.
pub fn by_height(left: &PeerInfo, right: &PeerInfo) -> std::cmp::Ordering {
    let key = |peer: &PeerInfo| (std::cmp::Reverse(peer.height), !peer.is_local);
    key(left).cmp(&key(right)).then_with(|| left.endpoint.cmp(&right.endpoint))
}

/// Indices of the peers that satisfy a principal.
fn satisfying(bundle: &Bundle, peers: &[PeerInfo], principal: &MspPrincipal) -> Vec<usize> {
    let wanted = std::slice::from_ref(principal);
    let satisfies = |(_, peer): &(usize, &PeerInfo)| satisfies_any(bundle, peer, wanted);
    peers.iter().enumerate().filter(satisfies).map(|(index, _)| index).collect()
}

fn satisfies_any(bundle: &Bundle, peer: &PeerInfo, principals: &[MspPrincipal]) -> bool {
    bundle
        .msps()
        .deserialize(&peer.identity)
        .is_ok_and(|identity| principals.iter().any(|principal| identity.satisfies(principal)))
}

/// What the channel says about the chaincodes of a question.
struct Question<'a> {
    view: &'a View,
    bundle: &'a Bundle,
}

impl Question<'_> {
    fn definition(&self, chaincode: &str) -> Result<Definition, Error> {
        definitions::get(self.view, chaincode)?
            .ok_or_else(|| Error::NotDefined(chaincode.to_owned()))
    }

    /// The different policies of all calls.
    fn policies(
        &self,
        interest: &ChaincodeInterest,
    ) -> Result<Vec<SignaturePolicyEnvelope>, Error> {
        let (mut policies, mut seen) = (Vec::new(), BTreeSet::new());
        for call in &interest.chaincodes {
            for policy in self.policies_of_call(call)? {
                if seen.insert(policy.encode_to_vec()) {
                    policies.push(policy);
                }
            }
        }
        Ok(policies)
    }

    fn policies_of_call(
        &self,
        call: &ChaincodeCall,
    ) -> Result<Vec<SignaturePolicyEnvelope>, Error> {
        let mut policies = call.key_policies.clone();
        if call.disregard_namespace_policy && !policies.is_empty() {
            return Ok(policies);
        }
        for name in &call.collection_names {
            policies.push(self.collection_policy(&call.name, name)?);
        }
        if call.collection_names.is_empty() {
            policies.push(self.chaincode_policy(&call.name)?);
        }
        Ok(policies)
    }

    fn chaincode_policy(&self, chaincode: &str) -> Result<SignaturePolicyEnvelope, Error> {
        if chaincode == NAMESPACE {
            return Ok(match self.bundle.policy(LIFECYCLE_POLICY) {
                Ok(policy) => policy.to_signature_policy(),
                Err(_) => majority(&approvals::organizations(self.bundle)),
            });
        }
        let definition = self.definition(chaincode)?;
        let policy = self.bundle.application_policy_bytes(definition.validation_parameter());
        compiled(chaincode, policy)
    }

    fn collection_policy(
        &self,
        chaincode: &str,
        collection: &str,
    ) -> Result<SignaturePolicyEnvelope, Error> {
        if let Some(msp_id) = definitions::implicit_organization(collection) {
            return Ok(self.organization_policy(msp_id));
        }
        match self.collection(chaincode, collection)?.endorsement_policy {
            Some(policy) => {
                let policy = self.bundle.application_policy_bytes(&policy.encode_to_vec());
                compiled(collection, policy)
            }
            None => self.chaincode_policy(chaincode),
        }
    }

    /// An organization's implicit collection is endorsed by its own policy or any member.
    fn organization_policy(&self, msp_id: &str) -> SignaturePolicyEnvelope {
        let orgs = self.bundle.application().map(|application| &application.orgs);
        let group = orgs.and_then(|orgs| orgs.iter().find(|(_, org)| org.msp_id == msp_id));
        let policy = group.and_then(|(name, _)| {
            self.bundle.policy(&format!("/Channel/Application/{name}/Endorsement")).ok()
        });
        match policy {
            Some(policy) => policy.to_signature_policy(),
            None => n_of_members(1, std::slice::from_ref(&msp_id)),
        }
    }

    fn collection(
        &self,
        chaincode: &str,
        collection: &str,
    ) -> Result<StaticCollectionConfig, Error> {
        definitions::collection(self.view, chaincode, collection)?.ok_or_else(|| {
            Error::NoCollection { chaincode: chaincode.into(), collection: collection.into() }
        })
    }

    /// Whose peers hold a collection.
    fn members(&self, chaincode: &str, collection: &str) -> Result<Vec<MspPrincipal>, Error> {
        let config = self.collection(chaincode, collection)?;
        let policy = definitions::member_policy(&config);
        Ok(policy.map(|policy| policy.identities.clone()).unwrap_or_default())
    }
}

fn compiled(
    subject: &str,
    policy: Result<Policy, channel::policy::Error>,
) -> Result<SignaturePolicyEnvelope, Error> {
    policy
        .map(|policy| policy.to_signature_policy())
        .map_err(|source| Error::Policy { subject: subject.to_owned(), source })
}

/// More than half of the organizations, each by any member.
fn majority(msp_ids: &[String]) -> SignaturePolicyEnvelope {
    n_of_members(msp_ids.len() / 2 + 1, msp_ids)
}

fn n_of_members(n: usize, msp_ids: &[impl AsRef<str>]) -> SignaturePolicyEnvelope {
    use proto::common::SignaturePolicy;
    use signature_policy::{NOutOf, Type};
    let small = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
    let signed_by = |index| SignaturePolicy { r#type: Some(Type::SignedBy(small(index))) };
    let rules = (0..msp_ids.len()).map(signed_by).collect();
    let gate = Type::NOutOf(NOutOf { n: small(n), rules });
    SignaturePolicyEnvelope {
        version: 0,
        rule: Some(SignaturePolicy { r#type: Some(gate) }),
        identities: msp_ids.iter().map(|id| msp::principal::member(id.as_ref())).collect(),
    }
}
