//! Who the consenters of a channel are, under which Raft ids.
//!
//! A consenter is the key of its client TLS certificate: a certificate renewed for the same key is
//! the same consenter. Ids are given out in the order of the genesis block, then one by one; they
//! stand in every block's metadata, so that whoever has the last block knows them.

use bytes::Bytes;
use channel::Bundle;
use msp::Certificate;
use proto::etcdraft::{self, BlockMetadata};

use crate::consensus::{Change, NodeId};

/// Why a consenter set cannot be read from a configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is no Raft metadata in the configuration.
    #[error("configuration has no Raft consenters")]
    Missing,
    /// A consenter's certificate is not one.
    #[error("TLS certificate of consenter {0} cannot be read")]
    Certificate(String),
    /// The ids in a block are not those of its configuration.
    #[error("block names {ids} consenters, its configuration {consenters}")]
    Count {
        /// How many ids the block has.
        ids: usize,
        /// How many consenters the configuration has.
        consenters: usize,
    },
    /// More than one consenter comes or goes.
    #[error("update of more than one consenter at a time is not supported")]
    TooManyChanges,
}

/// A consenter.
#[derive(Debug, Clone)]
pub struct Consenter {
    /// Its Raft id.
    pub id: NodeId,
    /// Where it is reached, as `host:port`.
    pub address: String,
    /// Its client TLS certificate.
    pub certificate: Certificate,
}

/// The consenter set of one configuration.
#[derive(Debug, Clone)]
pub struct Consenters {
    members: Vec<Consenter>,
    next: NodeId,
}

impl Consenters {
    /// The set of a genesis block.
    pub fn genesis(bundle: &Bundle) -> Result<Self, Error> {
        let count = consenters(bundle)?.len() as u64;
        Self::with_ids(bundle, &(1..=count).collect::<Vec<_>>(), count + 1)
    }

    /// The set a block names, under the configuration in force at that block.
    pub fn of_block(bundle: &Bundle, metadata: &BlockMetadata) -> Result<Self, Error> {
        Self::with_ids(bundle, &metadata.consenter_ids, metadata.next_consenter_id)
    }

    fn with_ids(bundle: &Bundle, ids: &[NodeId], next: NodeId) -> Result<Self, Error> {
        let consenters = consenters(bundle)?;
        if ids.len() != consenters.len() {
            return Err(Error::Count { ids: ids.len(), consenters: consenters.len() });
        }
        let members = ids.iter().zip(consenters).map(|(id, consenter)| read(*id, consenter));
        Ok(Self { members: members.collect::<Result<_, _>>()?, next })
    }

    /// The set after a configuration, and how it differs. One consenter may come, or one may go,
    /// or one may take the place of another and with it its id.
    pub fn advance(&self, bundle: &Bundle) -> Result<(Self, Option<Change>), Error> {
        let listed = consenters(bundle)?
            .iter()
            .map(|consenter| read(0, consenter))
            .collect::<Result<Vec<_>, _>>()?;
        let find =
            |of: &Consenter| self.members.iter().find(|m| same(&m.certificate, &of.certificate));
        let added = listed.iter().filter(|consenter| find(consenter).is_none()).count();
        let gone: Vec<NodeId> = (self.members.iter())
            .filter(|m| !listed.iter().any(|c| same(&m.certificate, &c.certificate)))
            .map(|m| m.id)
            .collect();
        let (new_id, change) = match (added, gone.as_slice()) {
            (0, []) => (0, None),
            (1, []) => (self.next, Some(Change::Add(self.next))),
            (0, [id]) => (0, Some(Change::Remove(*id))),
            (1, [id]) => (*id, None),
            _ => return Err(Error::TooManyChanges),
        };
        let members = listed.into_iter().map(|consenter| {
            let id = find(&consenter).map_or(new_id, |member| member.id);
            Consenter { id, ..consenter }
        });
        let next = self.next + u64::from(matches!(change, Some(Change::Add(_))));
        Ok((Self { members: members.collect(), next }, change))
    }

    /// What a block written at this log index says.
    pub fn metadata(&self, raft_index: u64) -> BlockMetadata {
        let consenter_ids = self.ids().collect();
        BlockMetadata { consenter_ids, next_consenter_id: self.next, raft_index }
    }

    /// All ids, in the order of the configuration.
    pub fn ids(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.members.iter().map(|member| member.id)
    }

    /// Whether the id is in the set.
    pub fn contains(&self, id: NodeId) -> bool {
        self.get(id).is_some()
    }

    /// The consenter with this id.
    pub fn get(&self, id: NodeId) -> Option<&Consenter> {
        self.members.iter().find(|member| member.id == id)
    }

    /// The consenter who holds the key of this client TLS certificate.
    pub fn by_certificate(&self, der: &Bytes) -> Option<&Consenter> {
        let certificate = Certificate::from_der(der.clone()).ok()?;
        self.members.iter().find(|member| same(&member.certificate, &certificate))
    }
}

fn consenters(bundle: &Bundle) -> Result<&[etcdraft::Consenter], Error> {
    let consenters = bundle.orderer().map_or(&[][..], channel::Orderer::consenters);
    if consenters.is_empty() { Err(Error::Missing) } else { Ok(consenters) }
}

fn read(id: NodeId, consenter: &etcdraft::Consenter) -> Result<Consenter, Error> {
    let address = format!("{}:{}", consenter.host, consenter.port);
    let certificate = Certificate::from_pem(&consenter.client_tls_cert)
        .map_err(|_| Error::Certificate(address.clone()))?;
    Ok(Consenter { id, address, certificate })
}

fn same(one: &Certificate, other: &Certificate) -> bool {
    one.public_key() == other.public_key()
}
