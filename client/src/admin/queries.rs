//! Channels and ledgers of a peer, by its system chaincodes `cscc` and `qscc`.

use bytes::Bytes;
use prost::Message;
use proto::common::{Block, BlockchainInfo, Config, HeaderType};
use proto::peer::{ChannelQueryResponse, ProcessedTransaction};

use super::Peer;
use crate::Error;
use crate::deliver::Seek;
use crate::proposal::Request;

/// Which block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    /// Block 0.
    Oldest,
    /// The last one there is.
    Newest,
    /// By number.
    Number(u64),
}

impl Position {
    pub(super) fn seek(self) -> Seek {
        match self {
            Self::Oldest => Seek::Oldest,
            Self::Newest => Seek::Newest,
            Self::Number(number) => Seek::Number(number),
        }
    }
}

/// The state of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainInfo {
    /// How many blocks there are.
    pub height: u64,
    /// Hash of the last block.
    pub current_hash: Bytes,
    /// Hash of the block before it.
    pub previous_hash: Bytes,
}

impl Peer {
    /// Makes the peer join the channel of a genesis block.
    ///
    /// # Errors
    /// When the caller is not an admin or the channel exists already.
    pub async fn join(&self, genesis: &Block) -> Result<(), Error> {
        let args = vec![Bytes::from_static(b"JoinChain"), genesis.encode_to_vec().into()];
        let request = Request { chaincode: "cscc".to_owned(), args, ..Request::default() };
        self.propose(request, HeaderType::Config, "cscc.JoinChain").await.map(drop)
    }

    /// The channels the peer has joined.
    ///
    /// # Errors
    /// When the peer refuses.
    pub async fn channels(&self) -> Result<Vec<String>, Error> {
        let payload = self.query("", "cscc", vec![Bytes::from_static(b"GetChannels")]).await?;
        let answer: ChannelQueryResponse = decode(payload, "channels")?;
        Ok(answer.channels.into_iter().map(|channel| channel.channel_id).collect())
    }

    /// The newest configuration block of a channel.
    ///
    /// # Errors
    /// When the peer has no such channel or refuses.
    pub async fn config_block(&self, channel: &str) -> Result<Block, Error> {
        let payload = self.ask("", "cscc", "GetConfigBlock", [text(channel)]).await?;
        decode(payload, "config block")
    }

    /// The configuration of a channel, also where the block that brought it is not held.
    ///
    /// # Errors
    /// When the peer has no such channel or refuses.
    pub async fn channel_config(&self, channel: &str) -> Result<Config, Error> {
        let payload = self.ask("", "cscc", "GetChannelConfig", [text(channel)]).await?;
        decode(payload, "channel configuration")
    }

    /// Height and hashes of a channel.
    ///
    /// # Errors
    /// When the peer has no such channel or refuses.
    pub async fn chain_info(&self, channel: &str) -> Result<ChainInfo, Error> {
        let payload = self.ask(channel, "qscc", "GetChainInfo", [text(channel)]).await?;
        let info: BlockchainInfo = decode(payload, "chain info")?;
        Ok(ChainInfo {
            height: info.height,
            current_hash: info.current_block_hash,
            previous_hash: info.previous_block_hash,
        })
    }

    /// A block.
    ///
    /// # Errors
    /// When the peer has no such block or refuses.
    pub async fn block(&self, channel: &str, position: Position) -> Result<Block, Error> {
        let number = match position {
            Position::Oldest => 0,
            Position::Newest => u64::MAX,
            Position::Number(number) => number,
        };
        let args = [text(channel), text(&number.to_string())];
        decode(self.ask(channel, "qscc", "GetBlockByNumber", args).await?, "block")
    }

    /// The block that holds a transaction.
    ///
    /// # Errors
    /// When the peer has no such transaction or refuses.
    pub async fn block_of(&self, channel: &str, tx_id: &str) -> Result<Block, Error> {
        let args = [text(channel), text(tx_id)];
        decode(self.ask(channel, "qscc", "GetBlockByTxID", args).await?, "block")
    }

    /// A transaction and how it was judged.
    ///
    /// # Errors
    /// When the peer has no such transaction or refuses.
    pub async fn transaction(
        &self,
        channel: &str,
        tx_id: &str,
    ) -> Result<ProcessedTransaction, Error> {
        let args = [text(channel), text(tx_id)];
        decode(self.ask(channel, "qscc", "GetTransactionByID", args).await?, "transaction")
    }

    async fn ask<const N: usize>(
        &self,
        channel: &str,
        chaincode: &str,
        function: &'static str,
        args: [Bytes; N],
    ) -> Result<Bytes, Error> {
        let mut all = vec![Bytes::from_static(function.as_bytes())];
        all.extend(args);
        self.query(channel, chaincode, all).await
    }
}

fn text(value: &str) -> Bytes {
    Bytes::copy_from_slice(value.as_bytes())
}

fn decode<M: Message + Default>(payload: Bytes, what: &str) -> Result<M, Error> {
    M::decode(payload).map_err(|_| Error::decode(what))
}
