//! The single steps of deploying, for organizations that take them one by one.

use super::*;
use crate::up::{COMMIT_WITHIN, connect_orderers};

/// The members a step is for.
fn chosen(context: &Context, channel: &str, org: Option<&str>) -> Result<Vec<String>> {
    let members = &context.topology.channel(channel)?.organizations;
    match org {
        None => Ok(members.clone()),
        Some(name) if members.iter().any(|member| member == name) => Ok(vec![name.to_owned()]),
        Some(name) => {
            context.topology.organization(name)?;
            Err(Failure::usage(format!("{name} is not a member of channel {channel}"))
                .because(format!("members are {}", members.join(", "))))
        }
    }
}

pub(super) async fn install(context: &Context, flags: &PerOrg) -> Result<()> {
    let (channel, _) = find(context, &flags.name)?;
    let members = chosen(context, channel, flags.org.as_deref())?;
    let (id, package) = packaged(context, &flags.name).await?;
    let nodes = members
        .iter()
        .flat_map(|member| context.inventory.of_organization(crate::inventory::Kind::Peer, member));
    let installing = nodes.map(|node| {
        let package = package.clone();
        async move {
            let peer = context.peer(node, &admin_of(&node.organization)).await?;
            peer.install(package).await.explain(|| format!("install on {}", node.name))?;
            Ok::<_, Failure>(node.name.clone())
        }
    });
    let installed = try_join_all(installing).await?;
    let json = json!({ "packageId": id, "peers": installed });
    context.output.show(json, || format!("{id}\ninstalled on {}", installed.join(", ")));
    Ok(())
}

/// The definition in `gauze.toml`, at a sequence or the next one.
async fn definition(
    context: &Context,
    name: &Name,
    sequence: Option<i64>,
) -> Result<(String, Definition)> {
    let (channel, described) = find(context, name)?;
    let mut definition = up::definition(&name.name, described)?;
    definition.sequence = match sequence {
        Some(sequence) => sequence,
        None => {
            let node = crate::commands::channel::first_peer(context, channel)?;
            let peer = context.peer(node, &admin_of(&node.organization)).await?;
            let what = || format!("ask for the definition of {}", name.name);
            let committed = peer.committed(channel, &name.name).await.explain(what)?;
            committed.map_or(1, |found| found.definition.sequence + 1)
        }
    };
    Ok((channel.to_owned(), definition))
}

pub(super) async fn approve(context: &Context, flags: &PerOrg) -> Result<()> {
    let (channel, definition) = definition(context, &flags.name, flags.sequence).await?;
    let members = chosen(context, &channel, flags.org.as_deref())?;
    let (id, _) = packaged(context, &flags.name).await?;
    let orderers = connect_orderers(context, &channel).await?;
    let mut blocks = std::collections::BTreeMap::new();
    for member in &members {
        let nodes = context.inventory.of_organization(crate::inventory::Kind::Peer, member);
        let Some(node) = nodes.first() else { continue };
        let peer = context.peer(node, &admin_of(member)).await?;
        let endorsers = [peer];
        let parties =
            Parties { endorsers: &endorsers, orderers: &orderers, timeout: COMMIT_WITHIN };
        let what = || format!("approve {} in the name of {member}", definition.name);
        let outcome = parties.approve(&channel, &definition, Some(&id)).await.explain(what)?;
        blocks.insert(member.clone(), outcome.block);
    }
    let json = json!({ "sequence": definition.sequence, "packageId": id, "blocks": blocks });
    context.output.show(json, || {
        let who: Vec<_> =
            blocks.iter().map(|(member, block)| format!("{member} (block {block})")).collect();
        let (name, sequence) = (&definition.name, definition.sequence);
        format!("{} sequence {sequence} approved by {}", bold(name), who.join(", "))
    });
    Ok(())
}

pub(super) async fn commit(context: &Context, flags: &Commit) -> Result<()> {
    let (channel, definition) = definition(context, &flags.name, flags.sequence).await?;
    let peers = up::connect_peers(context, &channel).await?;
    let orderers = connect_orderers(context, &channel).await?;
    let what = || format!("commit {} sequence {}", definition.name, definition.sequence);
    let approvals = peers[0].1[0].readiness(&channel, &definition).await.explain(what)?;
    let endorsers: Vec<_> = peers
        .into_iter()
        .filter(|(member, _)| {
            let msp_id = context.topology.organization(member).map(|org| org.msp_id.clone());
            msp_id.is_ok_and(|id| approvals.get(&id).copied().unwrap_or(false))
        })
        .filter_map(|(_, peers)| peers.into_iter().next())
        .collect();
    if endorsers.is_empty() {
        return Err(Failure::new(Exit::Conflict, what())
            .because("no organization has approved this definition")
            .next(format!("gauze chaincode approve {}", definition.name)));
    }
    let parties = Parties { endorsers: &endorsers, orderers: &orderers, timeout: COMMIT_WITHIN };
    let outcome = parties.commit(&channel, &definition).await.explain(what)?;
    let json = json!({
        "sequence": definition.sequence, "txId": outcome.tx_id, "block": outcome.block,
    });
    context.output.show(json, || {
        format!(
            "{} sequence {} committed, {}",
            bold(&definition.name),
            definition.sequence,
            faint(format!("tx {} in block {}", short(&outcome.tx_id), outcome.block))
        )
    });
    Ok(())
}
