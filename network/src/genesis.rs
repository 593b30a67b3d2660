//! The genesis blocks of channels, from the description and the organizations' definitions.

use std::time::Duration;

use bytes::Bytes;
use channel::genesis::{Organization, Profile};
use prost::Message;
use proto::common::Block;
use proto::etcdraft::Consenter;
use proto::orderer::BatchSize;

use crate::context::Context;
use crate::failure::{Exit, Explain, Failure, Result};
use crate::inventory::{Kind, write_whole};
use crate::topology::Batch;

/// Writes the genesis block of a channel unless it exists; a second one would be another channel.
pub(crate) fn ensure(context: &Context, name: &str) -> Result<Block> {
    let path = context.layout.genesis(name);
    if let Ok(bytes) = std::fs::read(&path) {
        return proto::block::parse(bytes.into()).map_err(|error| {
            Failure::new(Exit::Failed, format!("{} is damaged", path.display())).because(error)
        });
    }
    let block = profile(context, name)?.block().map_err(|error| {
        let why = std::error::Error::source(&error).map(ToString::to_string);
        Failure::usage(format!("channel `{name}` cannot be made"))
            .because(format!("{error}: {}", why.unwrap_or_default()))
    })?;
    write_whole(&path, &block.encode_to_vec()).explain(|| format!("write {}", path.display()))?;
    Ok(block)
}

fn profile(context: &Context, name: &str) -> Result<Profile> {
    let described = context.topology.channel(name)?;
    let mut profile = Profile::new(name);
    for ordering in &described.ordered_by {
        let organization = ordering_organization(context, ordering)?;
        profile.orderer.organizations.push(organization);
        profile.orderer.raft.consenters.extend(consenters(context, ordering)?);
    }
    profile.orderer.batch_size = batch_size(&described.batch);
    profile.orderer.batch_timeout =
        node::config::duration::parse(&described.batch.timeout).unwrap_or(Duration::from_secs(2));
    profile.orderer.raft.options.tick_interval.clone_from(&described.raft_tick);
    for member in &described.organizations {
        profile.application.organizations.push(using_organization(context, member)?);
    }
    profile.application.policies.extend(described.policies.clone());
    Ok(profile)
}

fn batch_size(batch: &Batch) -> BatchSize {
    BatchSize {
        max_message_count: batch.max_messages,
        absolute_max_bytes: batch.absolute_bytes,
        preferred_max_bytes: batch.preferred_bytes,
    }
}

fn ordering_organization(context: &Context, name: &str) -> Result<Organization> {
    let msp_id = &context.topology.organization(name)?.msp_id;
    let mut organization = Organization::ordering(name, msp_id, definition(context, name)?);
    let orderers = context.inventory.of_organization(Kind::Orderer, name);
    organization.endpoints = orderers.iter().map(|node| context.address(node)).collect();
    Ok(organization)
}

fn using_organization(context: &Context, name: &str) -> Result<Organization> {
    let msp_id = &context.topology.organization(name)?.msp_id;
    let mut organization = Organization::using(name, msp_id, definition(context, name)?);
    let peers = context.inventory.of_organization(Kind::Peer, name);
    let first = peers.iter().take(1).map(|node| (context.topology.host.clone(), node.port));
    organization.anchor_peers = first.collect();
    Ok(organization)
}

fn definition(context: &Context, name: &str) -> Result<proto::msp::MspConfig> {
    let msp_id = &context.topology.organization(name)?.msp_id;
    let folder = context.layout.definition(name);
    msp::directory::load_config(&folder, msp_id).map_err(|error| {
        Failure::new(Exit::Failed, format!("load the definition of {name}")).because(error)
    })
}

/// The orderers of an organization with the certificates they show to each other.
fn consenters(context: &Context, name: &str) -> Result<Vec<Consenter>> {
    let orderers = context.inventory.of_organization(Kind::Orderer, name);
    let consenter = |node: &&crate::inventory::Node| {
        let path = context.layout.node_identity(&node.name).tls_certificate();
        let pem = std::fs::read(&path).explain(|| format!("read {}", path.display()))?;
        let certificate = Bytes::from(pem);
        Ok(Consenter {
            host: context.topology.host.clone(),
            port: u32::from(node.port),
            client_tls_cert: certificate.clone(),
            server_tls_cert: certificate,
        })
    };
    orderers.iter().map(consenter).collect()
}
