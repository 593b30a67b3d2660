//! Decides which envelopes may be ordered: a row of rules, cheap ones first.
//!
//! To add a rule: a file here with a function that returns a [`Rejection`], and one line in
//! [`Processor::check`]. What a transaction says is none of the orderer's business.

mod config;
mod empty;
mod expiry;
mod maintenance;
mod signature;
mod size;

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use channel::Bundle;
use msp::SigningIdentity;
use proto::common::{self, HeaderType, Status};
use proto::envelope::{self, Envelope};

use crate::channels::Consenters;
use crate::consensus::{Change, NodeId};

/// What a consenter answers that did not order because it does not lead.
const NOT_LEADER: &str = "this node is not the leader";

/// Why an envelope is not ordered, as the client is told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{info}")]
pub struct Rejection {
    /// Fabric's status.
    pub status: Status,
    /// The reason in words.
    pub info: String,
}

impl Rejection {
    /// A rejection with this status and reason.
    pub fn new(status: Status, info: impl Into<String>) -> Self {
        Self { status, info: info.into() }
    }

    pub(crate) fn bad_request(info: impl std::fmt::Display) -> Self {
        Self::new(Status::BadRequest, info.to_string())
    }

    /// Another consenter leads: nothing was ordered, the envelope may be taken there.
    pub(crate) fn not_leader() -> Self {
        Self::unavailable(NOT_LEADER)
    }

    pub(crate) fn is_not_leader(&self) -> bool {
        self.status == Status::ServiceUnavailable && self.info == NOT_LEADER
    }

    /// The service cannot order anything now; trying again later makes sense.
    pub(crate) fn unavailable(info: impl Into<String>) -> Self {
        Self::new(Status::ServiceUnavailable, info)
    }
}

/// An envelope that may be ordered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The envelope in the one form blocks hold.
    pub envelope: Bytes,
    /// What it counts towards block sizes: payload and signature.
    pub size: usize,
    /// It changes the configuration.
    pub config: bool,
    /// The configuration it was checked against.
    pub sequence: u64,
}

/// Checks envelopes of one orderer's clients.
#[derive(Debug, Clone)]
pub struct Processor {
    signer: SigningIdentity,
    check_expiry: bool,
}

impl Processor {
    /// A processor that signs configurations as `signer`.
    pub fn new(signer: SigningIdentity, check_expiry: bool) -> Self {
        Self { signer, check_expiry }
    }

    /// Checks a client's envelope, peeled, and turns a config update into the config it leads to.
    pub fn process(&self, bundle: &Bundle, peeled: &Envelope) -> Result<Accepted, Rejection> {
        match HeaderType::try_from(peeled.channel_header.r#type) {
            Ok(HeaderType::Config) => {
                Err(Rejection::bad_request("message is of type that cannot be processed directly"))
            }
            Ok(HeaderType::OrdererTransaction) => {
                Err(Rejection::bad_request("message of type ORDERER_TRANSACTION is not supported"))
            }
            Ok(HeaderType::ConfigUpdate) => {
                self.check(bundle, peeled)?;
                let update = common::Envelope {
                    payload: peeled.payload.clone(),
                    signature: peeled.signature.clone(),
                };
                let config = config::propose(bundle, &self.signer, &update)?;
                self.check(bundle, &config)?;
                Ok(accept(bundle, &config, true))
            }
            _ => {
                maintenance::check_normal(bundle)?;
                self.check(bundle, peeled)?;
                Ok(accept(bundle, peeled, false))
            }
        }
    }

    /// Checks again what an orderer, this one or another, accepted under an older configuration.
    pub fn recheck(&self, bundle: &Bundle, peeled: &Envelope) -> Result<Accepted, Rejection> {
        if peeled.channel_header.r#type == HeaderType::Config as i32 {
            return self.process(bundle, &config::update_within(peeled)?);
        }
        self.process(bundle, peeled)
    }

    /// Checks a config envelope right before it is ordered: it must be what its update leads to,
    /// and not cost the consenters their quorum. Says how it changes the consenter set.
    pub(crate) fn check_config(
        &self,
        bundle: &Bundle,
        consenters: &Consenters,
        alive: &[NodeId],
        peeled: &Envelope,
    ) -> Result<Option<Change>, Rejection> {
        self.check(bundle, peeled)?;
        config::check(bundle, consenters, alive, peeled)
    }

    /// The rules every envelope must satisfy.
    fn check(&self, bundle: &Bundle, peeled: &Envelope) -> Result<(), Rejection> {
        empty::check(peeled)?;
        size::check(bundle, peeled)?;
        if self.check_expiry {
            expiry::check(peeled, now())?;
        }
        signature::check(bundle, peeled)
    }
}

fn accept(bundle: &Bundle, peeled: &Envelope, config: bool) -> Accepted {
    Accepted {
        envelope: envelope::encode(&peeled.payload, &peeled.signature),
        size: size::of(peeled),
        config,
        sequence: bundle.sequence(),
    }
}

/// Seconds since 1970.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
