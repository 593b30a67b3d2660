//! The gRPC service `discovery.Discovery`.

use std::collections::BTreeMap;
use std::sync::Arc;

use channel::{Bundle, SignedData};
use prost::Message;
use proto::discovery::query::Query as Kind;
use proto::discovery::query_result::Result as Answer;
use proto::discovery::{
    AuthInfo, ChaincodeQuery, ChaincodeQueryResult, ConfigResult, EndorsementDescriptor, Endpoint,
    Endpoints, Error as QueryError, Layout, Peer, PeerMembershipQuery, PeerMembershipResult, Peers,
    Query, QueryResult, Request, Response, SignedRequest, discovery_server,
};
use proto::peer::ChaincodeInterest;
use tonic::Status;

use super::{Descriptor, PeerInfo, Planner};
use crate::causes::in_one_line;
use crate::channels::{self, Channel, Channels};
use crate::system::Access;

/// Questions answered in one request.
const QUERIES_MAX: usize = 64;
/// What everyone without access is told.
const DENIED: &str = "access denied";

/// Answers clients that plan for themselves.
#[derive(Debug, Clone)]
pub struct Service {
    channels: Arc<Channels>,
    access: Access,
    planner: Planner,
}

impl Service {
    /// A service for the channels of this peer.
    pub fn new(channels: Arc<Channels>, access: Access, planner: Planner) -> Self {
        Self { channels, access, planner }
    }

    fn answer(&self, query: Query, request: &SignedData) -> QueryResult {
        let answer = self.try_answer(query, request);
        let result = answer.unwrap_or_else(|content| Answer::Error(QueryError { content }));
        QueryResult { result: Some(result) }
    }

    fn try_answer(&self, query: Query, request: &SignedData) -> Result<Answer, String> {
        let kind = query.query.ok_or("unknown or missing request type")?;
        if query.channel.is_empty() {
            let Kind::LocalPeers(_) = kind else { return Err(DENIED.into()) };
            self.access.check_local_admin(request).map_err(|_| DENIED)?;
            return Ok(Answer::Members(members(self.planner.membership().peers(""))));
        }
        let channel = self.channels.find(&query.channel).map_err(|error| match error {
            channels::Error::Unavailable(text) => text,
            _ => DENIED.to_owned(),
        })?;
        let bundle = channel.bundle();
        bundle
            .evaluate(channel::acl::WRITERS, std::slice::from_ref(request))
            .map_err(|_| DENIED)?;
        match kind {
            Kind::ConfigQuery(_) => Ok(Answer::ConfigResult(config(&bundle))),
            Kind::PeerQuery(query) => self.peers(&channel, query).map(Answer::Members),
            Kind::CcQuery(query) => self.endorsers(&channel, query).map(Answer::CcQueryRes),
            Kind::LocalPeers(_) => Err("local peers are not those of a channel".into()),
        }
    }

    fn peers(
        &self,
        channel: &Channel,
        query: PeerMembershipQuery,
    ) -> Result<PeerMembershipResult, String> {
        match query.filter {
            Some(interest) if !interest.chaincodes.is_empty() => {
                let peers = self.planner.eligible_for(channel, &interest);
                peers.map(members).map_err(|error| in_one_line(&error))
            }
            _ => Ok(members(self.planner.membership().peers(channel.id()))),
        }
    }

    fn endorsers(
        &self,
        channel: &Channel,
        query: ChaincodeQuery,
    ) -> Result<ChaincodeQueryResult, String> {
        if query.interests.is_empty() {
            return Err("chaincode query must have at least one chaincode interest".into());
        }
        if query.interests.len() > QUERIES_MAX {
            return Err(format!("chaincode query has more than {QUERIES_MAX} interests"));
        }
        let plan = |interest: &ChaincodeInterest| {
            self.planner.plan(channel, interest).map(descriptor).map_err(|error| {
                format!(
                    "failed constructing descriptor for {}: {}",
                    name(interest),
                    in_one_line(&error)
                )
            })
        };
        let content = query.interests.iter().map(plan).collect::<Result<_, _>>()?;
        Ok(ChaincodeQueryResult { content })
    }
}

/// The calls of a question, the way Fabric prints them.
fn name(interest: &ChaincodeInterest) -> String {
    let calls: Vec<String> =
        interest.chaincodes.iter().map(|call| format!("name:\"{}\"", call.name)).collect();
    format!("chaincodes:{{{}}}", calls.join(" "))
}

fn config(bundle: &Bundle) -> ConfigResult {
    let msps = bundle.msps().msps();
    let msps = msps.map(|msp| (msp.id().to_owned(), msp.definition().clone())).collect();
    let mut orderers: BTreeMap<String, Endpoints> = BTreeMap::new();
    for endpoints in bundle.orderer_endpoints() {
        let parsed: Vec<Endpoint> =
            endpoints.addresses.iter().filter_map(|address| endpoint(address)).collect();
        // Addresses of no organization in particular are told as those of every one.
        let owners =
            if endpoints.msp_id.is_empty() { endpoints.trusted } else { vec![endpoints.msp_id] };
        for msp_id in owners {
            orderers.entry(msp_id).or_default().endpoint.extend(parsed.iter().cloned());
        }
    }
    ConfigResult { msps, orderers }
}

fn endpoint(address: &str) -> Option<Endpoint> {
    let (host, port) = address.rsplit_once(':')?;
    Some(Endpoint { host: host.to_owned(), port: port.parse().ok()? })
}

fn members(peers: Vec<PeerInfo>) -> PeerMembershipResult {
    let mut peers_by_org: BTreeMap<String, Peers> = BTreeMap::new();
    for info in peers {
        let org = peers_by_org.entry(info.msp_id.clone()).or_default();
        org.peers.push(peer(info));
    }
    PeerMembershipResult { peers_by_org }
}

fn peer(info: PeerInfo) -> Peer {
    Peer { state_info: info.state_info, membership_info: Some(info.alive), identity: info.identity }
}

fn descriptor(descriptor: Descriptor) -> EndorsementDescriptor {
    let groups = descriptor.groups.into_iter();
    EndorsementDescriptor {
        chaincode: descriptor.chaincode,
        endorsers_by_groups: groups
            .map(|(name, peers)| (name, Peers { peers: peers.into_iter().map(peer).collect() }))
            .collect(),
        layouts: descriptor
            .layouts
            .into_iter()
            .map(|quantities_by_group| Layout { quantities_by_group })
            .collect(),
    }
}

/// The request must name its sender.
///
/// The hash of the client's TLS certificate in it is not compared with the connection: Fabric's own
/// command line client puts the hash of the certificate's PEM text there, and Fabric's peers let
/// that pass. Nothing is lost, for a request that somebody replays shows him what its sender may
/// see at that time, and only other nodes of the channel ever see requests.
fn authentication(request: &Request) -> Result<&AuthInfo, &'static str> {
    let authentication = request
        .authentication
        .as_ref()
        .ok_or("access denied, no authentication info in request")?;
    if authentication.client_identity.is_empty() {
        return Err("access denied, client identity wasn't supplied");
    }
    Ok(authentication)
}

#[tonic::async_trait]
impl discovery_server::Discovery for Service {
    async fn discover(
        &self,
        request: tonic::Request<SignedRequest>,
    ) -> Result<tonic::Response<Response>, Status> {
        let signed = request.into_inner();
        let parsed = Request::decode(signed.payload.clone())
            .map_err(|error| Status::unknown(format!("failed parsing request: {error}")))?;
        let sender = authentication(&parsed).map_err(Status::unknown)?.clone();
        if parsed.queries.len() > QUERIES_MAX {
            return Err(Status::invalid_argument(format!("more than {QUERIES_MAX} queries")));
        }
        let request = SignedData {
            data: signed.payload,
            identity: sender.client_identity,
            signature: signed.signature,
        };
        let service = self.clone();
        // Verifying and planning read the state and keep a core busy.
        let answers = tokio::task::spawn_blocking(move || {
            let answer = |query| service.answer(query, &request);
            parsed.queries.into_iter().map(answer).collect()
        });
        let results =
            answers.await.map_err(|_| Status::internal("discovery failed on this peer"))?;
        Ok(tonic::Response::new(Response { results }))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[track_caller]
    fn check(info: Option<(&'static str, &'static str)>, expected: &str) {
        let authentication_info = info.map(|(identity, hash)| AuthInfo {
            client_identity: Bytes::from_static(identity.as_bytes()),
            client_tls_cert_hash: Bytes::from_static(hash.as_bytes()),
        });
        let request = Request { authentication: authentication_info, queries: vec![] };
        assert_eq!(authentication(&request).err().unwrap_or_default(), expected);
    }

    #[test]
    fn requests_name_their_sender() {
        check(None, "access denied, no authentication info in request");
        check(Some(("", "hash")), "access denied, client identity wasn't supplied");
        check(Some(("me", "hash of something else")), "");
        check(Some(("me", "")), "");
    }
}
