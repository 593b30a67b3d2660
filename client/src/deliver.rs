//! Streams of blocks from peers and orderers.

use bytes::Bytes;
use futures::Stream;
use node::grpc::MAX_MESSAGE_BYTES;
use proto::common::{
    Block, ChannelHeader, Envelope, Header, HeaderType, Payload, SignatureHeader, Status,
};
use proto::orderer::{
    SeekInfo, SeekNewest, SeekNextCommit, SeekOldest, SeekPosition, SeekSpecified, seek_position,
};
use proto::peer::deliver_client::DeliverClient;
use proto::peer::{BlockAndPrivateData, DeliverResponse, FilteredBlock, deliver_response::Type};
use tonic::Streaming;
use tonic::transport::Channel;

use crate::gateway::Session;
use crate::proposal::{encode, nonce, now};
use crate::{Checkpoint, Error, Signer, Stage};

/// Where to start following.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// At the next block.
    #[default]
    Next,
    /// At a block by number.
    Block(u64),
    /// Behind what a checkpoint has seen; block streams repeat the checkpoint's block.
    After(Checkpoint),
}

impl Start {
    fn seek(&self) -> Seek {
        match self {
            Self::Next => Seek::Next,
            Self::Block(number) => Seek::Number(*number),
            Self::After(checkpoint) => Seek::Number(checkpoint.block),
        }
    }
}

/// A position in a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seek {
    Oldest,
    Newest,
    Next,
    Number(u64),
}

impl Seek {
    fn position(self) -> SeekPosition {
        let position = match self {
            Self::Oldest => seek_position::Type::Oldest(SeekOldest {}),
            Self::Newest => seek_position::Type::Newest(SeekNewest {}),
            Self::Next => seek_position::Type::NextCommit(SeekNextCommit {}),
            Self::Number(number) => seek_position::Type::Specified(SeekSpecified { number }),
        };
        SeekPosition { r#type: Some(position) }
    }
}

/// The signed request for blocks from `start` to `stop`.
pub(crate) fn seek_envelope(
    channel: &str,
    start: Seek,
    stop: Seek,
    signer: &Signer,
    tls_hash: Option<[u8; 32]>,
) -> Result<Envelope, Error> {
    let seek = SeekInfo {
        start: Some(start.position()),
        stop: Some(stop.position()),
        ..Default::default()
    };
    let header = ChannelHeader {
        r#type: HeaderType::DeliverSeekInfo as i32,
        timestamp: Some(now()),
        channel_id: channel.to_owned(),
        tls_cert_hash: tls_hash.map(|hash| Bytes::copy_from_slice(&hash)).unwrap_or_default(),
        ..Default::default()
    };
    sign(header, encode(&seek), signer)
}

/// Wraps `data` under `header` and signs it.
pub(crate) fn sign(header: ChannelHeader, data: Bytes, signer: &Signer) -> Result<Envelope, Error> {
    let signature_header = SignatureHeader { creator: signer.creator().clone(), nonce: nonce() };
    let header =
        Header { channel_header: encode(&header), signature_header: encode(&signature_header) };
    let payload = encode(&Payload { header: Some(header), data });
    let signature = signer.sign(&payload)?;
    Ok(Envelope { payload, signature })
}

/// A request stream that stays open: Fabric ends a session when its client half-closes.
pub(crate) fn open_ended(envelope: Envelope) -> impl Stream<Item = Envelope> + Send + 'static {
    use futures::StreamExt;
    futures::stream::once(std::future::ready(envelope)).chain(futures::stream::pending())
}

/// A running stream of blocks of one kind.
#[derive(Debug)]
pub struct BlockEvents<B> {
    channel: String,
    from: String,
    stream: Streaming<DeliverResponse>,
    pick: fn(Type) -> Option<B>,
}

impl<B> BlockEvents<B> {
    /// The next block; waits for one to be committed.
    ///
    /// # Errors
    /// When the stream broke or ended.
    pub async fn next(&mut self) -> Result<B, Error> {
        let failed = |status| Error::gateway(Stage::Events, "", &status);
        let message = self.stream.message().await.map_err(failed)?;
        let content = message.and_then(|message| message.r#type);
        match content {
            Some(Type::Status(status)) => Err(Error::Deliver {
                channel: self.channel.clone(),
                from: self.from.clone(),
                status: Status::try_from(status).unwrap_or_default(),
            }),
            Some(content) => {
                (self.pick)(content).ok_or_else(|| Error::decode("block of another kind"))
            }
            None => Err(failed(tonic::Status::unavailable("stream ended"))),
        }
    }
}

pub(crate) async fn blocks(
    session: &Session,
    channel: &str,
    start: Start,
) -> Result<BlockEvents<Block>, Error> {
    let request = follow(session, channel, &start)?;
    let stream = client(&session.channel).deliver(open_ended(request)).await;
    events(session, channel, stream, |content| match content {
        Type::Block(block) => Some(block),
        _ => None,
    })
}

pub(crate) async fn filtered(
    session: &Session,
    channel: &str,
    start: Start,
) -> Result<BlockEvents<FilteredBlock>, Error> {
    let request = follow(session, channel, &start)?;
    let stream = client(&session.channel).deliver_filtered(open_ended(request)).await;
    events(session, channel, stream, |content| match content {
        Type::FilteredBlock(block) => Some(block),
        _ => None,
    })
}

pub(crate) async fn with_private_data(
    session: &Session,
    channel: &str,
    start: Start,
) -> Result<BlockEvents<BlockAndPrivateData>, Error> {
    let request = follow(session, channel, &start)?;
    let stream = client(&session.channel).deliver_with_private_data(open_ended(request)).await;
    events(session, channel, stream, |content| match content {
        Type::BlockAndPrivateData(block) => Some(block),
        _ => None,
    })
}

fn follow(session: &Session, channel: &str, start: &Start) -> Result<Envelope, Error> {
    let stop = Seek::Number(u64::MAX);
    seek_envelope(channel, start.seek(), stop, &session.signer, session.tls_hash)
}

pub(crate) fn client(channel: &Channel) -> DeliverClient<Channel> {
    DeliverClient::new(channel.clone())
        .max_decoding_message_size(MAX_MESSAGE_BYTES)
        .max_encoding_message_size(MAX_MESSAGE_BYTES)
}

fn events<B>(
    session: &Session,
    channel: &str,
    stream: Result<tonic::Response<Streaming<DeliverResponse>>, tonic::Status>,
    pick: fn(Type) -> Option<B>,
) -> Result<BlockEvents<B>, Error> {
    let stream = stream.map_err(|status| Error::gateway(Stage::Events, "", &status))?;
    Ok(BlockEvents {
        channel: channel.to_owned(),
        from: session.address.to_string(),
        stream: stream.into_inner(),
        pick,
    })
}
