//! Heights, blocks and transactions, as a running peer answers for them.

use clap::Args;
use client::admin::{Peer, Position};
use proto::envelope::Envelope;
use serde_json::json;

use crate::commands::channel::first_peer;
use crate::context::Context;
use crate::describe::{block_json, block_text, transaction_json, transaction_text};
use crate::failure::{Exit, Explain, Failure, Result};

#[derive(Debug, Args)]
pub(crate) struct Height {
    /// The channel.
    channel: String,
}

#[derive(Debug, Args)]
pub(crate) struct BlockFlags {
    /// The channel.
    channel: String,
    /// A number, `newest` or `oldest`.
    #[arg(default_value = "newest", value_parser = position)]
    block: Position,
}

#[derive(Debug, Args)]
pub(crate) struct Tx {
    /// The channel.
    channel: String,
    /// The transaction's id.
    tx_id: String,
}

fn position(text: &str) -> std::result::Result<Position, String> {
    match text {
        "newest" => Ok(Position::Newest),
        "oldest" => Ok(Position::Oldest),
        number => number
            .parse()
            .map(Position::Number)
            .map_err(|_| "expected a number, `newest` or `oldest`".to_owned()),
    }
}

pub(super) async fn connect(context: &Context, channel: &str) -> Result<Peer> {
    let node = first_peer(context, channel)?;
    context.peer(node, &context.actor(channel)?).await
}

pub(super) async fn height(context: &Context, flags: &Height) -> Result<()> {
    let channel = flags.channel.as_str();
    let peer = connect(context, channel).await?;
    let info = peer.chain_info(channel).await.explain(|| format!("height of channel {channel}"))?;
    let json = json!({
        "channel": channel, "height": info.height,
        "currentHash": hex::encode(&info.current_hash),
        "previousHash": hex::encode(&info.previous_hash),
    });
    context.output.show(json, || {
        format!("{} blocks, the last is {}", info.height, hex::encode(&info.current_hash))
    });
    Ok(())
}

pub(super) async fn block(context: &Context, flags: &BlockFlags) -> Result<()> {
    let peer = connect(context, &flags.channel).await?;
    let what = || format!("read a block of channel {}", flags.channel);
    let block = peer.block(&flags.channel, flags.block).await.explain(what)?;
    context.output.show(block_json(&block), || block_text(&block));
    Ok(())
}

pub(super) async fn transaction(context: &Context, flags: &Tx) -> Result<()> {
    let peer = connect(context, &flags.channel).await?;
    let what = || format!("read transaction {} of channel {}", flags.tx_id, flags.channel);
    let found = peer.transaction(&flags.channel, &flags.tx_id).await.explain(what)?;
    let block = peer.block_of(&flags.channel, &flags.tx_id).await.explain(what)?;
    let unreadable = |why: String| Failure::new(Exit::Failed, what()).because(why);
    let envelope = found
        .transaction_envelope
        .ok_or_else(|| unreadable("the peer sent no envelope".to_owned()))?;
    let envelope = Envelope::peel(envelope).map_err(|error| unreadable(error.to_string()))?;
    let code = u8::try_from(found.validation_code).ok();
    let mut json = transaction_json(&envelope, code);
    json["block"] = proto::block::number(&block).into();
    context.output.show(json.clone(), || {
        format!("{}\n  in block {}", transaction_text(&json), json["block"])
    });
    Ok(())
}
