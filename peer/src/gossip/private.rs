//! Private data between peers: handing out what another member lacks, and keeping what another
//! endorser produced until its transaction comes in a block.
//!
//! Neither is signed; the handshake of the stream says who is at the other end. What is wrong does
//! no harm: every peer compares private data with the hashes in the block.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use ledger::TransientEntry;
use proto::gossip::gossip_message::Content;
use proto::gossip::{
    Acknowledgement, Envelope, PrivateDataMessage, PrivatePayload, PvtDataDigest, PvtDataElement,
    RemotePvtDataRequest, RemotePvtDataResponse,
};
use proto::rwset::{CollectionPvtReadWriteSet, NsPvtReadWriteSet, TxPvtReadWriteSet};
use proto::transientstore::TxPvtReadWriteSetWithConfigInfo;

use super::DropReason;
use super::handshake::Remote;
use super::message::{self, Question};
use super::run::Shared;
use crate::channels::Channel;
use crate::private_data::{Member, endorsed, of_collection, visible};

/// Write sets of one request that are looked for; a peer asks again for what is left out.
const DIGESTS_MAX: usize = 1024;

/// Answers with what `remote` may see of the write sets it asks for, as far as this peer has them.
pub(super) fn answer(
    shared: &Shared,
    remote: &Remote,
    question: &Question,
    request: &RemotePvtDataRequest,
) -> Result<Envelope, DropReason> {
    let channel = channel_of(shared, remote, question)?;
    let mut finder = Finder { channel: &channel, caller: &remote.identity, block: None };
    // Half of what may be sent, which leaves room for what surrounds the write sets.
    let mut room = shared.config.message_bytes_max / 2;
    let mut elements = Vec::new();
    for digest in request.digests.iter().take(DIGESTS_MAX) {
        let payload = finder.find(digest).map_err(|error| unreadable(&channel, &error))?;
        let bytes: usize = payload.iter().map(Bytes::len).sum();
        if bytes > room {
            break;
        }
        room -= bytes;
        if !payload.is_empty() {
            elements.push(PvtDataElement { digest: Some(digest.clone()), payload });
        }
    }
    let response = RemotePvtDataResponse { elements };
    Ok(message::answer(question, Content::PrivateRes(response)))
}

struct Finder<'a> {
    channel: &'a Channel,
    caller: &'a Bytes,
    /// The block last looked into, and what the caller may see of it.
    block: Option<(u64, BTreeMap<u32, TxPvtReadWriteSet>)>,
}

impl Finder<'_> {
    fn find(&mut self, digest: &PvtDataDigest) -> Result<Vec<Bytes>, ledger::Error> {
        let (namespace, collection) = (&digest.namespace, &digest.collection);
        if digest.block_seq >= self.channel.height() {
            return endorsed(self.channel, &digest.tx_id, namespace, collection, self.caller);
        }
        if self.block.as_ref().is_none_or(|(number, _)| *number != digest.block_seq) {
            let sets = visible(self.channel, digest.block_seq, self.caller)?;
            self.block = Some((digest.block_seq, sets));
        }
        let sets = self.block.as_ref().map(|(_, sets)| sets);
        let position = u32::try_from(digest.seq_in_block).ok();
        let set = sets.zip(position).and_then(|(sets, position)| sets.get(&position));
        let namespaces = set.map_or(&[][..], |set| set.ns_pvt_rwset.as_slice());
        Ok(of_collection(namespaces, namespace, collection).cloned().collect())
    }
}

/// Keeps a write set that another endorser made, and acknowledges it.
pub(super) fn take(
    shared: &Shared,
    remote: &Remote,
    question: &Question,
    pushed: PrivateDataMessage,
) -> Result<Envelope, DropReason> {
    let channel = channel_of(shared, remote, question)?;
    let payload = pushed.payload.ok_or(DropReason::Malformed)?;
    if [&payload.tx_id, &payload.namespace, &payload.collection_name].iter().any(|id| id.is_empty())
    {
        return Err(DropReason::Malformed);
    }
    let error = match keep(shared, &channel, payload) {
        Ok(true) => String::new(),
        Ok(false) => "this peer does not hold the collection".to_owned(),
        Err(error) => {
            unreadable(&channel, error.as_ref());
            "this peer cannot keep the data".to_owned()
        }
    };
    Ok(message::answer(question, Content::Ack(Acknowledgement { error })))
}

/// Keeps a write set; tells whether this peer holds its collection.
fn keep(
    shared: &Shared,
    channel: &Channel,
    payload: PrivatePayload,
) -> Result<bool, Box<dyn std::error::Error>> {
    let PrivatePayload { namespace, collection_name, tx_id, private_rwset, .. } = payload;
    let ledger = channel.ledger();
    let member = Member::new(shared.myself.msp_id(), shared.myself.identity().clone());
    if !member.holds(&channel.bundle(), &ledger.view()?, &namespace, &collection_name)? {
        return Ok(false);
    }
    let collection = CollectionPvtReadWriteSet { collection_name, rwset: private_rwset };
    let set =
        NsPvtReadWriteSet { namespace: namespace.clone(), collection_pvt_rwset: vec![collection] };
    let configs = payload.collection_configs.map(|configs| (namespace, configs));
    let entry = TransientEntry {
        received_at: ledger.height(),
        private: TxPvtReadWriteSetWithConfigInfo {
            endorsed_at: payload.private_sim_height,
            pvt_rwset: Some(TxPvtReadWriteSet { ns_pvt_rwset: vec![set], ..Default::default() }),
            collection_configs: configs.into_iter().collect(),
        },
    };
    ledger.transient_store().persist(&tx_id, &entry)?;
    Ok(true)
}

/// The channel a message is about, which the sender's organization must be in.
fn channel_of(
    shared: &Shared,
    remote: &Remote,
    question: &Question,
) -> Result<Arc<Channel>, DropReason> {
    let name = std::str::from_utf8(&question.channel).map_err(|_| DropReason::Malformed)?;
    let channel = shared.channels.get(name).ok_or(DropReason::NotInChannel)?;
    if shared.trust.in_channel(&remote.msp_id, name) {
        Ok(channel)
    } else {
        Err(DropReason::NotInChannel)
    }
}

fn unreadable(channel: &Channel, error: &dyn std::error::Error) -> DropReason {
    tracing::error!(channel = channel.id(), %error, "private data between peers");
    DropReason::Ledger
}
