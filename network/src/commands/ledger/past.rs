//! Keys: their history, their value at a height, what changed between two heights.

use clap::{ArgGroup, Args};
use client::admin::{
    DiffRequest, Entry, HistoryRequest, KeyName, Place, RangeRequest, StateRequest,
};
use serde_json::json;

use super::read::connect;
use super::writes::{change_json, change_text, entry_json, entry_row, write_json, write_text};
use crate::context::Context;
use crate::failure::{Explain, Failure, Result};
use crate::keys;
use crate::output::{faint, table};

#[derive(Debug, Args)]
pub(crate) struct History {
    /// The channel.
    channel: String,
    /// The chaincode, whose namespace holds the key.
    chaincode: String,
    /// The key.
    key: String,
    /// The key is composite, written TYPE/ATTRIBUTE/…
    #[arg(long, short)]
    composite: bool,
    /// How many writes to show.
    #[arg(long, short = 'n', default_value_t = 20)]
    limit: u32,
    /// Only writes before this place: BLOCK or BLOCK:TRANSACTION.
    #[arg(long, value_name = "BLOCK[:TX]", value_parser = place)]
    before: Option<Place>,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("keys").required(true).args(["key", "prefix", "from", "all"]))]
pub(crate) struct State {
    /// The channel.
    channel: String,
    /// The chaincode, whose namespace holds the key.
    chaincode: String,
    /// The key.
    key: Option<String>,
    /// Keys and prefixes are composite, written TYPE/ATTRIBUTE/…
    #[arg(long, short)]
    composite: bool,
    /// The number of blocks the ledger had.
    #[arg(long, value_name = "HEIGHT", conflicts_with_all = ["prefix", "from", "all"])]
    at: Option<u64>,
    /// List the keys that begin so.
    #[arg(long)]
    prefix: Option<String>,
    /// List keys from this one on.
    #[arg(long, value_name = "KEY")]
    from: Option<String>,
    /// List keys up to but without this one.
    #[arg(long, value_name = "KEY", requires = "from")]
    to: Option<String>,
    /// List all keys.
    #[arg(long)]
    all: bool,
    /// How many keys to list.
    #[arg(long, short = 'n', default_value_t = 100)]
    limit: u32,
}

#[derive(Debug, Args)]
pub(crate) struct Diff {
    /// The channel.
    channel: String,
    /// The lower height, in blocks.
    from: u64,
    /// The upper height, in blocks.
    to: u64,
    /// Only keys of this chaincode.
    #[arg(long)]
    chaincode: Option<String>,
    /// Only keys that begin so.
    #[arg(long, value_name = "PREFIX")]
    key: Option<String>,
    /// The prefix is of composite keys, written TYPE/ATTRIBUTE/…
    #[arg(long, short, requires = "key")]
    composite: bool,
    /// How many keys to show.
    #[arg(long, short = 'n', default_value_t = 100)]
    limit: u32,
}

fn place(text: &str) -> std::result::Result<Place, String> {
    let (block, transaction) = text.split_once(':').unwrap_or((text, "0"));
    match (block.parse(), transaction.parse()) {
        (Ok(block), Ok(transaction)) => Ok(Place { block, transaction }),
        _ => Err("expected BLOCK or BLOCK:TRANSACTION".to_owned()),
    }
}

pub(super) async fn history(context: &Context, flags: &History) -> Result<()> {
    let peer = connect(context, &flags.channel).await?;
    let key = keys::typed(&flags.key, flags.composite);
    let what = || format!("history of {} on channel {}", flags.key, flags.channel);
    let (mut writes, mut more, mut before) = (Vec::new(), true, flags.before);
    while more && (writes.len() as u64) < u64::from(flags.limit) {
        let limit = flags.limit - u32::try_from(writes.len()).unwrap_or(flags.limit);
        let (namespace, key) = (flags.chaincode.clone(), key.clone());
        let asked = HistoryRequest { namespace, key, limit, before };
        let page = peer.key_history(&flags.channel, asked).await.explain(what)?;
        (more, before) = (page.more, page.modifications.last().and_then(|it| it.position));
        writes.extend(page.modifications);
    }
    let mut json = keys::json(&key);
    json["writes"] = writes.iter().map(write_json).collect();
    json["more"] = more.into();
    context.output.show(json, || {
        if writes.is_empty() {
            return format!("{} was never written", keys::shown(&key));
        }
        let mut lines: Vec<_> = writes.iter().map(write_text).collect();
        if let Some(last) = before.filter(|_| more) {
            let next = format!("older ones: --before {}:{}", last.block, last.transaction);
            lines.push(faint(next));
        }
        lines.join("\n")
    });
    Ok(())
}

pub(super) async fn state(context: &Context, flags: &State) -> Result<()> {
    let Some(typed) = &flags.key else { return list(context, flags).await };
    let peer = connect(context, &flags.channel).await?;
    let key = keys::typed(typed, flags.composite);
    let what = || format!("state of {typed} on channel {}", flags.channel);
    // Height 0 means the newest in a request, and is the empty ledger here.
    if flags.at == Some(0) {
        return Err(Failure::not_found(what()).because("at height 0 nothing had been written"));
    }
    let asked = StateRequest {
        namespace: flags.chaincode.clone(),
        key: key.clone(),
        height: flags.at.unwrap_or_default(),
    };
    let found = peer.key_state(&flags.channel, asked).await.explain(what)?;
    let Some(write) = found.written else {
        return Err(Failure::not_found(what())
            .because(format!("it had not been written when there were {} blocks", found.height)));
    };
    let mut json = keys::json(&key);
    json["height"] = found.height.into();
    json["written"] = write_json(&write);
    context.output.show(json, || {
        format!(
            "{}\n{}",
            faint(format!("when there were {} blocks", found.height)),
            write_text(&write)
        )
    });
    Ok(())
}

async fn list(context: &Context, flags: &State) -> Result<()> {
    let peer = connect(context, &flags.channel).await?;
    let what = || format!("keys of {} on channel {}", flags.chaincode, flags.channel);
    let typed = |key: &Option<String>| {
        key.as_ref().map_or_else(String::new, |key| keys::typed(key, flags.composite))
    };
    let (mut start, end) = match &flags.prefix {
        Some(prefix) => {
            let prefix = keys::prefix(prefix, flags.composite);
            (prefix.clone(), keys::behind(&prefix))
        }
        None => (typed(&flags.from), typed(&flags.to)),
    };
    let mut entries: Vec<Entry> = Vec::new();
    let mut height = 0;
    while (entries.len() as u64) < u64::from(flags.limit) {
        let asked = RangeRequest {
            namespace: flags.chaincode.clone(),
            start: start.clone(),
            end: end.clone(),
            limit: flags.limit - u32::try_from(entries.len()).unwrap_or(flags.limit),
        };
        let page = peer.key_range(&flags.channel, asked).await.explain(what)?;
        entries.extend(page.entries);
        (start, height) = (page.next, page.height);
        if start.is_empty() {
            break;
        }
    }
    let more = !start.is_empty();
    let json = json!({
        "height": height, "more": more,
        "entries": entries.iter().map(entry_json).collect::<Vec<_>>(),
    });
    context.output.show(json, || {
        let rows: Vec<_> = entries.iter().map(entry_row).collect();
        let rest = if more {
            faint(format!("\n… from {} on", keys::shown(&start)))
        } else {
            String::new()
        };
        format!("{}{rest}", table(&["KEY", "WRITTEN", "VALUE"], &rows))
    });
    Ok(())
}

pub(super) async fn diff(context: &Context, flags: &Diff) -> Result<()> {
    let peer = connect(context, &flags.channel).await?;
    let what =
        || format!("compare heights {} and {} of channel {}", flags.from, flags.to, flags.channel);
    let prefix = flags.key.as_ref().map(|key| keys::prefix(key, flags.composite));
    let (mut changes, mut after) = (Vec::new(), None::<KeyName>);
    while (changes.len() as u64) < u64::from(flags.limit) {
        let asked = DiffRequest {
            from: flags.from,
            to: flags.to,
            namespace: flags.chaincode.clone().unwrap_or_default(),
            prefix: prefix.clone().unwrap_or_default(),
            limit: flags.limit - u32::try_from(changes.len()).unwrap_or(flags.limit),
            after: after.take(),
        };
        let page = peer.key_changes(&flags.channel, asked).await.explain(what)?;
        changes.extend(page.changes);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let json = json!({
        "from": flags.from, "to": flags.to, "more": after.is_some(),
        "changes": changes.iter().map(change_json).collect::<Vec<_>>(),
    });
    context.output.show(json, || {
        let mut lines: Vec<_> = changes.iter().map(change_text).collect();
        if lines.is_empty() {
            lines.push("nothing was written".to_owned());
        }
        if after.is_some() {
            lines.push(faint("and more: raise --limit"));
        }
        lines.join("\n")
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_typed_as_they_are_shown() {
        assert_eq!(place("7"), Ok(Place { block: 7, transaction: 0 }));
        assert_eq!(place("7:3"), Ok(Place { block: 7, transaction: 3 }));
        assert!(place("7:").is_err() && place("newest").is_err());
    }
}
