//! Who can endorse a call: the policies of everything it touches, turned into groups of live peers
//! and the layouts that satisfy them.

use std::collections::BTreeMap;
use std::sync::Arc;

use channel::Bundle;
use proto::common::MspPrincipal;
use proto::peer::{ChaincodeCall, ChaincodeInterest};

use super::layouts::{self, Layout};
use super::question::Question;
use super::{Membership, PeerInfo};
use crate::channels::Channel;
use crate::lifecycle;
use crate::system::is_system;

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
                let sequence = question.definition(&call.name)?.sequence.to_string();
                peers.retain(|peer| peer.chaincodes.get(&call.name) == Some(&sequence));
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
