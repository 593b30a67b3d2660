//! Getting blocks from other orderers: for a node that joins late, that fell behind the log, or
//! that does not take part in ordering a channel.
//!
//! Every block is verified as a peer would, by `deliver::client`. Only the genesis block of a
//! channel joined later has no signature; it is believed because the chain that grows from it
//! must lead to the block the administrator gave at joining.

use std::sync::Arc;
use std::time::Duration;

use channel::Bundle;
use deliver::Verifier;
use deliver::client::{Client, Security};
use deliver::seek;
use ledger::block_store::BlockStore;
use msp::SigningIdentity;
use node::grpc::{Dial, MAX_MESSAGE_BYTES};
use node::tasks::Tasks;
use proto::block;
use proto::common::Block;
use proto::orderer::atomic_broadcast_client::AtomicBroadcastClient;
use proto::orderer::deliver_response::Type;
use tokio::sync::mpsc;
use tokio_stream::StreamExt;

use crate::channels::State;

/// Asks other orderers for blocks of one channel.
#[derive(Debug, Clone)]
pub(crate) struct Fetcher {
    pub(crate) client: Arc<Client>,
    pub(crate) store: Arc<BlockStore>,
}

impl Fetcher {
    /// Sends verified blocks from the end of the chain on, up to a height or for ever, until
    /// `tasks` is cancelled.
    pub(crate) fn start(
        &self,
        state: Arc<State>,
        until: Option<u64>,
        sink: mpsc::Sender<Block>,
        tasks: &Tasks,
    ) {
        let hash = self.store.last_hash().map_or_else(Vec::new, Vec::from);
        let verifier = Verifier::new(state.bundle.clone(), self.store.height(), hash.into());
        let name = format!("fetch blocks of {}", state.bundle.channel_id());
        let mut blocks = self.client.follow(verifier, tasks);
        tasks.spawn(name, async move {
            while let Some(verified) = blocks.next().await {
                let number = block::number(&verified.block);
                if sink.send(verified.block).await.is_err() || Some(number + 1) == until {
                    return;
                }
            }
        });
    }
}

/// What is needed to ask for a genesis block.
#[derive(Debug, Clone)]
pub(crate) struct Asker {
    pub(crate) signer: SigningIdentity,
    pub(crate) security: Security,
    pub(crate) timeout: Duration,
}

impl Asker {
    /// The genesis block of a channel, from any orderer that has it; unverified.
    pub(crate) async fn genesis(&self, bundle: &Bundle) -> Option<Block> {
        for group in bundle.orderer_endpoints() {
            let msps = group.trusted.iter().filter_map(|id| bundle.msps().msp(id));
            let roots: Vec<_> = msps.flat_map(|msp| msp.tls_roots()).cloned().collect();
            for address in &group.addresses {
                let (roots, identity) = match &self.security {
                    Security::Plain => (None, None),
                    Security::Tls(identity) => (Some(&roots[..]), identity.as_ref()),
                };
                let timeout = self.timeout;
                let dial = Dial { address, roots, identity, server_name: None, timeout };
                match tokio::time::timeout(timeout * 2, self.ask(&dial, bundle)).await {
                    Ok(Ok(block)) => return Some(block),
                    Ok(Err(error)) => tracing::info!(address, %error, "no genesis block here"),
                    Err(_) => tracing::info!(address, "no answer in time"),
                }
            }
        }
        None
    }

    async fn ask(&self, dial: &Dial<'_>, bundle: &Bundle) -> Result<Block, String> {
        let channel = dial.connect().await.map_err(|error| error.to_string())?;
        let mut seek = seek::follow(0);
        seek.stop = seek::specified(0);
        let binding = dial.identity.map(node::tls::ClientTls::certificate_hash);
        let request = seek::envelope(&self.signer, bundle.channel_id(), &seek, binding)
            .map_err(|error| error.to_string())?;
        let mut answers = AtomicBroadcastClient::new(channel)
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .deliver(tokio_stream::iter([request]).chain(tokio_stream::pending()))
            .await
            .map_err(|status| status.message().to_owned())?
            .into_inner();
        match answers.message().await.map_err(|status| status.message().to_owned())? {
            Some(answer) => match answer.r#type {
                Some(Type::Block(block)) if block::number(&block) == 0 => Ok(block),
                other => Err(format!("answers {other:?} instead of block 0")),
            },
            None => Err("ends the stream".to_owned()),
        }
    }
}
