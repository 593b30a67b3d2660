//! Acts in a story and reports each act.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use client::admin::Peer;
use client::{Gateway, Outcome};
use console::style;
use serde_json::{Value, json};

use crate::context::{Context, Identity};
use crate::failure::{Exit, Explain, Failure, Result};
use crate::output::{bold, faint, short};
use crate::up::connect_peers;

/// Blocks reach every peer of a channel within this time.
const SETTLE_WITHIN: Duration = Duration::from_secs(30);

/// Runs transactions and queries as various people and keeps a record of what happened.
pub(crate) struct Teller {
    context: Context,
    gateways: BTreeMap<String, Gateway>,
    peers: BTreeMap<String, Vec<Peer>>,
    channel: String,
    chaincode: String,
    record: Vec<Value>,
}

impl Teller {
    pub(super) fn new(context: &Context) -> Self {
        Self {
            context: context.clone(),
            gateways: BTreeMap::new(),
            peers: BTreeMap::new(),
            channel: String::new(),
            chaincode: String::new(),
            record: Vec::new(),
        }
    }

    pub(super) fn context(&self) -> &Context {
        &self.context
    }

    /// Opens a chapter on a channel.
    pub(super) fn chapter(&mut self, title: &str, channel: &str, chaincode: &str) {
        (self.channel, self.chaincode) = (channel.to_owned(), chaincode.to_owned());
        self.blank();
        let place = faint(format!("channel {channel}, chaincode {chaincode}"));
        self.say(format!("{}  {place}", bold(title)));
    }

    pub(super) fn say(&self, text: impl std::fmt::Display) {
        self.context.output.say(text);
    }

    pub(super) fn blank(&self) {
        self.say("");
    }

    /// Something worth knowing about the last act.
    pub(super) fn note(&self, text: impl std::fmt::Display) {
        self.say(format!("      {text}"));
    }

    async fn contract(&mut self, who: &str) -> Result<client::Contract> {
        if !self.gateways.contains_key(who) {
            let identity: Identity = who.parse().map_err(Failure::usage)?;
            let gateway = self.context.gateway(&self.channel, &identity).await?;
            self.gateways.insert(who.to_owned(), gateway);
        }
        Ok(self.gateways[who].network(&self.channel).contract(&self.chaincode))
    }

    /// Waits until all peers of the channel have a block: the next act may be endorsed by any of
    /// them, and is to see this one.
    async fn settle(&mut self, block: u64) -> Result<()> {
        if !self.peers.contains_key(&self.channel) {
            let peers = connect_peers(&self.context, &self.channel).await?;
            let peers = peers.into_iter().flat_map(|(_, peers)| peers).collect();
            self.peers.insert(self.channel.clone(), peers);
        }
        for peer in &self.peers[&self.channel] {
            let begin = Instant::now();
            loop {
                let info = peer.chain_info(&self.channel).await;
                let height = info.explain(|| format!("follow {}", peer.address()))?.height;
                if height > block {
                    break;
                }
                if begin.elapsed() > SETTLE_WITHIN {
                    let what = format!("{} does not receive block {block}", peer.address());
                    return Err(Failure::new(Exit::Timeout, what).next("gauze network ps"));
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        Ok(())
    }

    /// Runs a transaction.
    pub(super) async fn submit(
        &mut self,
        who: &str,
        what: &str,
        function: &str,
        arguments: &[String],
    ) -> Result<Outcome> {
        let done = self.contract(who).await?.submit(function, arguments).await;
        let done = done.explain(|| format!("{what}: {function} as {who} failed"))?;
        self.settle(done.block).await?;
        self.say(format!(
            "  {} {what}  {}",
            style("✔").green(),
            faint(format!("{who}, tx {}, block {}", short(&done.tx_id), done.block))
        ));
        self.record.push(json!({
            "act": "transaction", "what": what, "as": who, "channel": self.channel,
            "chaincode": self.chaincode, "function": function, "txId": done.tx_id,
            "block": done.block, "result": crate::output::payload_json(&done.result),
        }));
        Ok(done)
    }

    /// Asks a question.
    pub(super) async fn ask(
        &mut self,
        who: &str,
        what: &str,
        function: &str,
        arguments: &[String],
    ) -> Result<Value> {
        let answer = self.quietly(who, function, arguments).await;
        let answer = answer.explain(|| format!("{what}: {function} as {who} failed"))?;
        self.say(format!("  {} {what}  {}", style("?").cyan(), faint(who)));
        self.record.push(json!({
            "act": "query", "what": what, "as": who, "channel": self.channel,
            "chaincode": self.chaincode, "function": function, "result": answer,
        }));
        Ok(answer)
    }

    /// Asks without telling, to find out how far an earlier telling came.
    pub(super) async fn quietly(
        &mut self,
        who: &str,
        function: &str,
        arguments: &[String],
    ) -> std::result::Result<Value, client::Error> {
        let contract = self.contract(who).await;
        let contract = contract.map_err(|failure| client::Error::Identity(failure.to_string()))?;
        let answer = contract.evaluate(function, arguments).await?;
        Ok(crate::output::payload_json(&answer))
    }

    /// Tries what the network must refuse with `code`; that it does is the point.
    pub(super) async fn refused(
        &mut self,
        who: &str,
        what: &str,
        function: &str,
        arguments: &[String],
        code: &str,
    ) -> Result<()> {
        let tried = self.contract(who).await?.submit(function, arguments).await;
        let error = match tried {
            Ok(done) => {
                let why = format!("tx {} was committed", done.tx_id);
                return Err(Failure::new(Exit::Failed, format!("not refused: {what}")).because(why));
            }
            Err(error) => error,
        };
        let reason = reason(&error).filter(|reason| reason.contains(code)).ok_or_else(|| {
            Failure::new(Exit::Failed, format!("{what} was refused, but not with {code}"))
                .because(&error)
        })?;
        self.say(format!("  {} {what}  {}", style("✘").red(), faint(who)));
        self.note(style(format!("refused: {reason}")).yellow());
        self.record.push(json!({
            "act": "refusal", "what": what, "as": who, "channel": self.channel,
            "chaincode": self.chaincode, "function": function, "reason": reason,
        }));
        Ok(())
    }

    pub(super) fn counts(&self) -> (usize, usize, usize) {
        let count = |act| self.record.iter().filter(|entry| entry["act"] == act).count();
        (count("transaction"), count("query"), count("refusal"))
    }

    /// Everything that happened.
    pub(crate) fn record(self) -> Value {
        Value::from(self.record)
    }
}

/// The chaincode's own words inside a gateway's failure.
fn reason(error: &client::Error) -> Option<String> {
    let client::Error::Gateway(failure) = error else { return None };
    let said = failure.details.iter().map(|detail| detail.message.as_str());
    let said = said.chain([failure.message.as_str()]).find(|text| text.contains("E_"))?;
    said.find("E_").and_then(|start| said.get(start..)).map(str::to_owned)
}
