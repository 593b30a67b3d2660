//! Keys of a channel, now and in the past, by the peer's service `gauze.peer.LedgerQuery`.

use node::grpc::MAX_MESSAGE_BYTES;
use proto::gauze::peer::ledger_query_client::LedgerQueryClient;
use proto::gauze::peer::request::Content;
use tonic::transport::Channel;

use super::Peer;
use crate::Error;

pub use proto::gauze::peer::{
    Change, Changes, DiffRequest, Entries, Entry, HistoryRequest, KeyName, KeyState, Modification,
    Modifications, Position as Place, RangeRequest, StateRequest,
};

impl Peer {
    /// A page of the writes of a key, newest first.
    ///
    /// # Errors
    /// When the peer refuses.
    pub async fn key_history(
        &self,
        channel: &str,
        asked: HistoryRequest,
    ) -> Result<Modifications, Error> {
        let request = self.request(channel, Content::History(asked))?;
        Ok(self.within("history", self.queries().history(request)).await?.into_inner())
    }

    /// A key, now or at an earlier height.
    ///
    /// # Errors
    /// When the peer refuses.
    pub async fn key_state(&self, channel: &str, asked: StateRequest) -> Result<KeyState, Error> {
        let request = self.request(channel, Content::State(asked))?;
        Ok(self.within("state", self.queries().state(request)).await?.into_inner())
    }

    /// A page of keys and their newest values.
    ///
    /// # Errors
    /// When the peer refuses.
    pub async fn key_range(&self, channel: &str, asked: RangeRequest) -> Result<Entries, Error> {
        let request = self.request(channel, Content::Range(asked))?;
        Ok(self.within("range", self.queries().range(request)).await?.into_inner())
    }

    /// A page of the keys written between two heights.
    ///
    /// # Errors
    /// When the peer refuses.
    pub async fn key_changes(&self, channel: &str, asked: DiffRequest) -> Result<Changes, Error> {
        let request = self.request(channel, Content::Diff(asked))?;
        Ok(self.within("diff", self.queries().diff(request)).await?.into_inner())
    }

    fn queries(&self) -> LedgerQueryClient<Channel> {
        LedgerQueryClient::new(self.channel.clone()).max_decoding_message_size(MAX_MESSAGE_BYTES)
    }
}
