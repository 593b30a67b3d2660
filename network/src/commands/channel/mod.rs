//! `gauze channel`: look at channels, and let peers join them.

mod join;

use channel::Bundle;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::cli::Globals;
use crate::context::{Context, admin_of};
use crate::failure::{Exit, Explain, Failure, Result};
use crate::inventory::{Kind, Node};
use crate::output::{bold, table};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the channels of the network.
    #[command(after_help = "Examples:\n  gauze channel list\n  gauze channel list --output json")]
    List,
    /// Show members, policies and limits of a channel, as its ledger has them.
    #[command(
        after_help = "Examples:\n  gauze channel show care\n  gauze --as pharmacy channel show care"
    )]
    Show(Show),
    /// Make a peer join a channel: by its first block, or by a snapshot of another peer.
    #[command(
        after_help = "Examples:\n  gauze channel join care --peer peer1.hospital\n  gauze channel join care --peer peer1.hospital --snapshot gauze/nodes/peer0.hospital/data/snapshots/completed/care/120"
    )]
    Join(join::Join),
}

#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The channel.
    channel: String,
}

pub(crate) async fn run(command: Command, globals: &Globals) -> Result<()> {
    let context = Context::load(globals)?;
    match command {
        Command::List => list(&context).await,
        Command::Show(flags) => show(&context, &flags.channel).await,
        Command::Join(flags) => join::run(&context, &flags).await,
    }
}

async fn list(context: &Context) -> Result<()> {
    let mut rows = Vec::new();
    for (name, described) in &context.topology.channels {
        let height = match first_peer(context, name) {
            Ok(node) => height(context, node, name).await.ok(),
            Err(_) => None,
        };
        let chaincode: Vec<_> = described.chaincode.keys().cloned().collect();
        rows.push((name.clone(), described.organizations.clone(), chaincode, height));
    }
    let json = rows.iter().map(|(name, organizations, chaincode, height)| {
        json!({
            "channel": name, "organizations": organizations,
            "chaincode": chaincode, "height": height,
        })
    });
    context.output.show(Value::from(json.collect::<Vec<_>>()), || {
        let row = |(name, organizations, chaincode, height): &(
            String,
            Vec<String>,
            Vec<String>,
            Option<u64>,
        )| {
            let height =
                height.map_or_else(|| "not running".to_owned(), |height| height.to_string());
            vec![name.clone(), organizations.join(", "), chaincode.join(", "), height]
        };
        let headings = ["CHANNEL", "ORGANIZATIONS", "CHAINCODE", "HEIGHT"];
        table(&headings, &rows.iter().map(row).collect::<Vec<_>>())
    });
    Ok(())
}

/// A peer of the caller's organization if it is a member, otherwise of the first one.
pub(crate) fn first_peer<'a>(context: &'a Context, channel: &str) -> Result<&'a Node> {
    let actor = context.actor(channel)?;
    let members = &context.topology.channel(channel)?.organizations;
    let mut peers: Vec<&Node> = members
        .iter()
        .flat_map(|member| context.inventory.of_organization(Kind::Peer, member))
        .collect();
    peers.sort_by_key(|node| node.organization != actor.organization);
    peers.first().copied().ok_or_else(|| {
        Failure::new(Exit::Unavailable, format!("no peer of channel `{channel}` has been started"))
            .next("gauze network up")
    })
}

async fn height(context: &Context, node: &Node, channel: &str) -> Result<u64> {
    let peer = context.peer(node, &admin_of(&node.organization)).await?;
    let info = peer.chain_info(channel).await.explain(|| format!("height of {channel}"))?;
    Ok(info.height)
}

async fn show(context: &Context, channel: &str) -> Result<()> {
    let node = first_peer(context, channel)?;
    let peer = context.peer(node, &context.actor(channel)?).await?;
    let what = || format!("read the configuration of channel {channel}");
    let config = peer.channel_config(channel).await.explain(what)?;
    // A peer that joined by a snapshot may not hold the block.
    let block = peer.config_block(channel).await.ok().map(|block| proto::block::number(&block));
    let info = peer.chain_info(channel).await.explain(what)?;
    let bundle = Bundle::new(channel, config)
        .map_err(|error| Failure::new(Exit::Failed, what()).because(error))?;
    let json = describe(&bundle, block, info.height);
    context.output.show(json.clone(), || text(&json));
    Ok(())
}

fn describe(bundle: &Bundle, config_block: Option<u64>, height: u64) -> Value {
    let application = bundle.application();
    let members = application.into_iter().flat_map(|application| &application.orgs);
    let members = members.map(|(name, organization)| {
        let anchors = organization.anchor_peers.iter();
        json!({
            "name": name, "mspId": organization.msp_id,
            "anchorPeers": anchors.map(|(host, port)| format!("{host}:{port}")).collect::<Vec<_>>(),
        })
    });
    let orderer = bundle.orderer();
    let orderers = orderer.into_iter().flat_map(|orderer| &orderer.orgs);
    let orderers = orderers.map(|(name, organization)| {
        json!({
            "name": name, "mspId": organization.msp_id, "endpoints": organization.endpoints,
        })
    });
    let paths = [
        "/Channel/Readers",
        "/Channel/Writers",
        "/Channel/Admins",
        "/Channel/Application/Readers",
        "/Channel/Application/Writers",
        "/Channel/Application/Admins",
        "/Channel/Application/Endorsement",
        "/Channel/Application/LifecycleEndorsement",
        "/Channel/Orderer/BlockValidation",
    ];
    let policies = paths.iter().filter_map(|path| {
        let policy = bundle.policy(path).ok()?.to_signature_policy();
        Some(((*path).to_owned(), Value::from(channel::policy::print(&policy))))
    });
    json!({
        "channel": bundle.channel_id(), "height": height,
        "configBlock": config_block, "sequence": bundle.sequence(),
        "organizations": members.collect::<Vec<_>>(),
        "orderers": orderers.collect::<Vec<_>>(),
        "consensus": orderer.map(|orderer| orderer.consensus_type.clone()),
        "batch": orderer.map(|orderer| json!({
            "timeoutMs": orderer.batch_timeout.as_millis() as u64,
            "maxMessages": orderer.batch_size.max_message_count,
            "preferredBytes": orderer.batch_size.preferred_max_bytes,
            "absoluteBytes": orderer.batch_size.absolute_max_bytes,
        })),
        "policies": policies.collect::<serde_json::Map<_, _>>(),
    })
}

fn text(json: &Value) -> String {
    let string = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let mut lines = vec![
        format!("{} {}", bold("Channel"), bold(string(&json["channel"]))),
        format!("  height        {}", json["height"]),
        match json["configBlock"].as_u64() {
            Some(block) => format!("  configuration {} (block {block})", json["sequence"]),
            None => format!("  configuration {} (before the snapshot)", json["sequence"]),
        },
        format!("  consensus     {}", string(&json["consensus"])),
        format!("  batch         {}", json["batch"]),
        bold("Organizations"),
    ];
    for (kind, places) in [("organizations", "anchorPeers"), ("orderers", "endpoints")] {
        for member in json[kind].as_array().into_iter().flatten() {
            let at: Vec<_> = member[places].as_array().into_iter().flatten().map(string).collect();
            lines.push(format!(
                "  {:<12}  {:<14}  {}",
                string(&member["name"]),
                string(&member["mspId"]),
                at.join(", ")
            ));
        }
        if kind == "organizations" {
            lines.push(bold("Ordered by"));
        }
    }
    lines.push(bold("Policies"));
    for (path, policy) in json["policies"].as_object().into_iter().flatten() {
        lines.push(format!("  {path:<44}{}", string(policy)));
    }
    lines.join("\n")
}
