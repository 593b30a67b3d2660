//! From source to a committed definition: package, install, approve, commit, and wait until it
//! answers.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use bytes::Bytes;
use client::admin::{Definition, Orderer, Parties, Peer};
use futures::future::try_join_all;
use prost::Message;

use crate::artifacts;
use crate::context::{Context, admin_of};
use crate::failure::{Exit, Explain, Failure, Result};
use crate::inventory::Node;
use crate::output::short;
use crate::topology::Chaincode;
use crate::up::blocking;

/// How long a lifecycle transaction may take to be in a block.
pub(crate) const COMMIT_WITHIN: Duration = Duration::from_secs(60);
/// How long peers may take to find each other and the chaincode.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// What deploying did.
#[derive(Clone, Debug)]
pub(crate) struct Deployed {
    pub(crate) channel: String,
    pub(crate) name: String,
    pub(crate) sequence: i64,
    pub(crate) package_id: String,
    /// Block of the commit; `None` when the definition was committed before.
    pub(crate) block: Option<u64>,
}

/// The label of a chaincode's package.
pub(crate) fn label(name: &str, described: &Chaincode) -> String {
    format!("{name}_{}", described.version)
}

/// The encoded endorsement policy of a definition; empty for the channel's default.
fn validation_parameter(described: &Chaincode) -> Result<Bytes> {
    let Some(text) = &described.endorsement else { return Ok(Bytes::new()) };
    if text.starts_with('/') {
        return Ok(channel::policy::reference(text).encode_to_vec().into());
    }
    let policy = channel::policy::dsl::parse(text)
        .map_err(|error| Failure::usage(format!("endorsement policy `{text}`")).because(error))?;
    Ok(channel::policy::signature_policy(policy).encode_to_vec().into())
}

/// Compiles and packages every chaincode of the description that has no package yet; returns the
/// labels of those.
pub(super) async fn prepare(context: &Context) -> Result<BTreeSet<String>> {
    let all = context.topology.channels.values().flat_map(|described| &described.chaincode);
    let missing = |(name, described): &(&String, &Chaincode)| {
        !context.layout.package(&label(name, described)).exists()
    };
    let missing: Vec<_> = all.filter(missing).collect();
    let prepared = missing.iter().map(|(name, described)| label(name, described)).collect();
    if missing.is_empty() {
        return Ok(prepared);
    }
    let step = context.progress.step("Compile chaincode");
    for (name, described) in &missing {
        step.detail(name.as_str());
        package(context, name, described).await?;
    }
    step.done(missing.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", "));
    Ok(prepared)
}

/// Compiles as needed and packages.
pub(crate) async fn package(context: &Context, name: &str, described: &Chaincode) -> Result<Bytes> {
    let (layout, folder) = (context.layout.clone(), context.folder.clone());
    let (label, source) = (label(name, described), described.source.clone());
    blocking(move || artifacts::package(&layout, &folder, &label, &source)).await
}

/// The package made last; made now, if there is none.
async fn kept_package(context: &Context, name: &str, described: &Chaincode) -> Result<Bytes> {
    match std::fs::read(context.layout.package(&label(name, described))) {
        Ok(bytes) => Ok(bytes.into()),
        Err(_) => package(context, name, described).await,
    }
}

/// Deploys a chaincode of the description. With `upgrade`, a changed package or definition
/// becomes the next sequence; without, a committed definition is left as it is. Packages whose
/// labels are `prepared` have just been made.
pub(crate) async fn deploy(
    context: &Context,
    channel: &str,
    name: &str,
    upgrade: bool,
    prepared: &BTreeSet<String>,
) -> Result<Deployed> {
    let step = context.progress.step(format!("Deploy chaincode {name} on {channel}"));
    let described = context.topology.chaincode(name, Some(channel))?.1;
    let peers = connect_peers(context, channel).await?;
    let what = || format!("deploy chaincode {name} on {channel}");
    let committed = peers[0].1[0].committed(channel, name).await.explain(what)?;

    step.detail("packaging");
    let keep = (committed.is_some() && !upgrade) || prepared.contains(&label(name, described));
    let package = match keep {
        true => kept_package(context, name, described).await?,
        false => package(context, name, described).await?,
    };
    step.detail("installing");
    let installing = peers.iter().flat_map(|(_, peers)| peers);
    let installing = installing.map(|peer| peer.install(package.clone()));
    let ids = try_join_all(installing).await.explain(what)?;
    let package_id = ids.first().cloned().unwrap_or_default();

    let mut definition = definition(name, described)?;
    let mut block = None;
    let current = committed.map(|approval| approval.definition);
    let settled = match &current {
        None => false,
        Some(_) if !upgrade => true,
        Some(found) => {
            definition.sequence = found.sequence;
            same(found, &definition) && all_run(&peers, channel, found, &package_id).await?
        }
    };
    if !settled {
        definition.sequence = current.as_ref().map_or(1, |found| found.sequence + 1);
        step.detail("agreeing");
        block = Some(agree(context, channel, &peers, &definition, &package_id).await?);
    }
    step.detail("waiting for it to answer");
    until_answering(context, channel, name).await?;
    let sequence = if settled { current.map_or(1, |it| it.sequence) } else { definition.sequence };
    let hash = short(package_id.rsplit(':').next().unwrap_or_default()).to_owned();
    step.done(match block {
        Some(block) => format!("{hash}, block {block}"),
        None => format!("sequence {sequence} is committed already"),
    });
    let (channel, name) = (channel.to_owned(), name.to_owned());
    Ok(Deployed { channel, name, sequence, package_id, block })
}

/// The definition in `gauze.toml`, as a first one.
pub(crate) fn definition(name: &str, described: &Chaincode) -> Result<Definition> {
    let mut definition = Definition::new(name, &described.version);
    definition.init_required = described.init_required;
    definition.endorsement_policy = validation_parameter(described)?;
    Ok(definition)
}

/// Whether a committed definition says what the wanted one says.
fn same(committed: &Definition, wanted: &Definition) -> bool {
    let default = channel::policy::reference(channel::policy::DEFAULT_ENDORSEMENT);
    let same_policy = committed.endorsement_policy == wanted.endorsement_policy
        || (wanted.endorsement_policy.is_empty()
            && committed.endorsement_policy == default.encode_to_vec());
    committed.version == wanted.version
        && committed.init_required == wanted.init_required
        && same_policy
}

/// Whether every organization has approved the committed definition with this package.
async fn all_run(
    peers: &[(String, Vec<Peer>)],
    channel: &str,
    committed: &Definition,
    package_id: &str,
) -> Result<bool> {
    for (organization, peers) in peers {
        let approved = peers[0]
            .approved_package(channel, &committed.name, committed.sequence)
            .await
            .explain(|| format!("ask what {organization} has approved"))?;
        if approved.as_deref() != Some(package_id) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Approves in the name of every organization, then commits; returns the block.
async fn agree(
    context: &Context,
    channel: &str,
    peers: &[(String, Vec<Peer>)],
    definition: &Definition,
    package_id: &str,
) -> Result<u64> {
    let what = || format!("agree on chaincode {} on {channel}", definition.name);
    let orderers = connect_orderers(context, channel).await?;
    approve(peers, &orderers, channel, definition, package_id).await.explain(what)?;
    commit(peers, &orderers, channel, definition).await.explain(what)
}

/// Connections to a channel's peers as the admin of each organization.
pub(crate) async fn connect_peers(
    context: &Context,
    channel: &str,
) -> Result<Vec<(String, Vec<Peer>)>> {
    let connecting = context.peers_of(channel)?.into_iter().map(|(member, nodes)| async move {
        let admin = admin_of(member);
        let peers = try_join_all(nodes.iter().map(|node| context.peer(node, &admin))).await?;
        Ok::<_, Failure>((member.to_owned(), peers))
    });
    let peers = try_join_all(connecting).await?;
    if peers.iter().any(|(_, peers)| peers.is_empty()) {
        return Err(Failure::new(Exit::Unavailable, format!("channel {channel} lacks peers"))
            .next("gauze network up"));
    }
    Ok(peers)
}

pub(crate) async fn connect_orderers(context: &Context, channel: &str) -> Result<Vec<Orderer>> {
    let admin = context.actor(channel)?;
    let nodes: Vec<&Node> = context.orderers_of(channel)?;
    // One that is down does not matter as long as another answers.
    let mut orderers = Vec::new();
    let mut last = None;
    for node in nodes {
        match context.orderer(node, &admin).await {
            Ok(orderer) => orderers.push(orderer),
            Err(failure) => last = Some(failure),
        }
    }
    match last {
        Some(failure) if orderers.is_empty() => Err(failure),
        _ => Ok(orderers),
    }
}

/// Approves in the name of every organization that has not approved this already.
async fn approve(
    peers: &[(String, Vec<Peer>)],
    orderers: &[Orderer],
    channel: &str,
    definition: &Definition,
    package_id: &str,
) -> std::result::Result<(), client::Error> {
    let approving = peers.iter().map(|(_, peers)| async move {
        let peer = &peers[0];
        let sequence = definition.sequence;
        let approved = peer.approved_package(channel, &definition.name, sequence).await?;
        if approved.as_deref() == Some(package_id) {
            return Ok(());
        }
        let endorsers = std::slice::from_ref(peer);
        let parties = Parties { endorsers, orderers, timeout: COMMIT_WITHIN };
        parties.approve(channel, definition, Some(package_id)).await.map(drop)
    });
    try_join_all(approving).await.map(drop)
}

async fn commit(
    peers: &[(String, Vec<Peer>)],
    orderers: &[Orderer],
    channel: &str,
    definition: &Definition,
) -> std::result::Result<u64, client::Error> {
    // One peer of each organization endorses; each must have seen all approvals before.
    let endorsers: Vec<Peer> = peers.iter().map(|(_, peers)| peers[0].clone()).collect();
    let begin = Instant::now();
    for peer in &endorsers {
        loop {
            let approvals = peer.readiness(channel, definition).await?;
            if approvals.values().all(|approved| *approved) || begin.elapsed() > COMMIT_WITHIN {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    let parties = Parties { endorsers: &endorsers, orderers, timeout: COMMIT_WITHIN };
    Ok(parties.commit(channel, definition).await?.block)
}

/// Waits until every organization's gateway finds peers enough to endorse the chaincode: it takes
/// peers a moment to know of each other. What is endorsed here is never submitted.
async fn until_answering(context: &Context, channel: &str, name: &str) -> Result<()> {
    for (member, _) in context.peers_of(channel)? {
        let gateway = context.gateway(channel, &admin_of(member)).await?;
        let contract = gateway.network(channel).contract(name);
        let begin = Instant::now();
        loop {
            let asked = contract.call("org.hyperledger.fabric:GetMetadata").proposal();
            let Err(error) = asked.endorse().await else { break };
            if begin.elapsed() > ANSWER_WITHIN {
                let what = format!("chaincode {name} does not answer at {member}");
                return Err(Failure::new(Exit::Timeout, what)
                    .because(error)
                    .next(format!("gauze network logs peer0.{member}")));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    Ok(())
}
