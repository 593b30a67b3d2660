//! `cscc`: joining channels, and what they agreed on.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use prost::Message;
use proto::peer::{ChannelInfo, ChannelQueryResponse, Response};

use super::{Context, SystemChaincode, closed, failure, success};
use crate::causes::in_one_line;
use crate::channels::{Channel, Channels};
use crate::snapshots::Joins;

/// The configuration system chaincode.
#[derive(Debug)]
pub struct Cscc {
    channels: Arc<Channels>,
    joins: Arc<Joins>,
}

impl Cscc {
    /// Joins to and answers about `channels`, by snapshots through `joins`.
    pub fn new(channels: Arc<Channels>, joins: Arc<Joins>) -> Self {
        Self { channels, joins }
    }

    fn answer(&self, context: &Context<'_>, args: &[Bytes]) -> Result<Bytes, String> {
        let function = args.first().map_or(&[][..], AsRef::as_ref);
        let function = std::str::from_utf8(function).map_err(|_| "function name is not text")?;
        if context.nested {
            return Err(
                "Rejecting invoke of CSCC from another chaincode, invoke it directly".to_owned()
            );
        }
        let argument = || {
            let found = args.get(1).filter(|argument| !argument.is_empty());
            found.ok_or_else(|| format!("Incorrect number of arguments, {}", args.len()))
        };
        match function {
            "JoinChain" => self.join(context, argument()?),
            "GetChannels" => self.list(context),
            "GetConfigBlock" => {
                let channel = self.channel(context, function, argument()?)?;
                let block = channel.config_block().map_err(|error| in_one_line(&error))?;
                Ok(block.encode_to_vec().into())
            }
            "GetChannelConfig" => {
                let channel = self.channel(context, function, argument()?)?;
                Ok(channel.bundle().config().encode_to_vec().into())
            }
            "JoinChainBySnapshot" => self.join_by_snapshot(context, argument()?),
            "JoinBySnapshotStatus" => self.join_status(context),
            _ => argument().and(Err(format!("Requested function {function} not found."))),
        }
    }

    fn join(&self, context: &Context<'_>, block: &Bytes) -> Result<Bytes, String> {
        context
            .authorize("cscc/JoinChain")
            .map_err(|denied| format!("access denied for [JoinChain][]: [{denied}]"))?;
        let block = proto::block::parse(block.clone())
            .map_err(|error| format!("Failed to reconstruct the genesis block, {error}"))?;
        let channel = self.channels.join(&block).map_err(|error| error.to_string())?;
        tracing::info!(channel = channel.id(), "joined channel");
        Ok(Bytes::new())
    }

    /// Begins to join the channel of a snapshot; the import goes on behind the answer.
    fn join_by_snapshot(&self, context: &Context<'_>, dir: &Bytes) -> Result<Bytes, String> {
        context
            .authorize("cscc/JoinChainBySnapshot")
            .map_err(|denied| format!("access denied for [JoinChainBySnapshot]: [{denied}]"))?;
        let dir = std::str::from_utf8(dir).map_err(|_| "the snapshot's folder is not text")?;
        let started = self.joins.start(Path::new(dir));
        started.map_err(|error| in_one_line(&error))?;
        Ok(Bytes::new())
    }

    fn join_status(&self, context: &Context<'_>) -> Result<Bytes, String> {
        context
            .authorize("cscc/JoinBySnapshotStatus")
            .map_err(|denied| format!("access denied for [JoinBySnapshotStatus]: [{denied}]"))?;
        Ok(self.joins.status().encode_to_vec().into())
    }

    fn list(&self, context: &Context<'_>) -> Result<Bytes, String> {
        context
            .authorize("cscc/GetChannels")
            .map_err(|denied| format!("access denied for [GetChannels]: {denied}"))?;
        // Also those that are not served now: they cannot be joined again.
        let channels = self.channels.statuses().into_iter();
        let channels = channels.map(|status| ChannelInfo { channel_id: status.id });
        Ok(ChannelQueryResponse { channels: channels.collect() }.encode_to_vec().into())
    }

    fn channel(
        &self,
        context: &Context<'_>,
        function: &str,
        argument: &Bytes,
    ) -> Result<Arc<Channel>, String> {
        let id = std::str::from_utf8(argument).map_err(|_| "channel id is not text")?;
        let channel = self.channels.get(id).ok_or_else(|| {
            format!(
                "access denied for [{function}][{id}]: Failed to get policy manager for channel \
                 [{id}]"
            )
        })?;
        context
            .authorize_on(&format!("cscc/{function}"), &channel)
            .map_err(|denied| format!("access denied for [{function}][{id}]: {denied}"))?;
        Ok(channel)
    }
}

impl SystemChaincode for Cscc {
    fn name(&self) -> &'static str {
        "cscc"
    }

    fn invoke(&self, context: &mut Context<'_>, args: &[Bytes]) -> Response {
        if let Some(closed) = args.get(1).and_then(|id| closed(&self.channels, id)) {
            return closed;
        }
        self.answer(context, args).map_or_else(|message| failure(500, message), success)
    }
}
