//! A transaction without a gateway: endorse on given peers, order, wait on the peers.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use futures::future::try_join_all;
use prost::Message;
use proto::common::{Envelope, Header, HeaderType, Payload, Status};
use proto::peer::{
    ChaincodeActionPayload, ChaincodeEndorsedAction, ProposalResponse, SignedProposal,
    TransactionAction, deliver_response::Type,
};
use proto::transaction::{PeeledProposal, TxValidationCode, without_transient};

use super::peer::describe;
use super::{Orderer, Peer};
use crate::deliver::{self, Seek};
use crate::proposal::{Request, encode};
use crate::{Error, Outcome};

/// Who takes part in a transaction.
#[derive(Clone, Copy, Debug)]
pub struct Parties<'a> {
    /// Peers that endorse; the first one's identity signs.
    pub endorsers: &'a [Peer],
    /// Orderers to try, in order.
    pub orderers: &'a [Orderer],
    /// How long to wait for the block.
    pub timeout: Duration,
}

/// Runs one chaincode call as a transaction and waits until every endorser has committed it.
///
/// # Errors
/// When a peer refuses, results differ, no orderer takes the envelope, or peers judge the
/// transaction invalid.
pub async fn transact(
    parties: Parties<'_>,
    channel: &str,
    chaincode: &str,
    args: Vec<Bytes>,
) -> Result<Outcome, Error> {
    let what = describe(chaincode, &args);
    let [first, ..] = parties.endorsers else {
        return Err(Error::decode("no endorsing peer given"));
    };
    let signer = &first.target.signer;
    let request = Request {
        channel: channel.to_owned(),
        chaincode: chaincode.to_owned(),
        args,
        ..Request::default()
    };
    let built = request.build(signer.creator(), HeaderType::EndorserTransaction);
    let signature = signer.sign(&built.bytes)?;
    let proposal = SignedProposal { proposal_bytes: built.bytes, signature };
    let asked = parties.endorsers.iter().map(|peer| peer.process(proposal.clone(), &what));
    let responses = try_join_all(asked).await?;
    same_results(parties.endorsers, &responses, &what)?;

    let payload = assemble(&proposal, &responses)?;
    let envelope = Envelope { signature: signer.sign(&payload)?, payload };
    // Listen first: the block may come before the orderer's answer does.
    let watches =
        try_join_all(parties.endorsers.iter().map(|peer| Watch::open(peer, channel))).await?;
    broadcast(parties.orderers, envelope).await?;
    let waiting = try_join_all(watches.into_iter().map(|watch| watch.wait(&built.tx_id)));
    let committed = match tokio::time::timeout(parties.timeout, waiting).await {
        Ok(committed) => committed?,
        Err(_) => return Err(Error::Timeout(format!("commit of {what} ({})", built.tx_id))),
    };
    let (block, code) = committed.first().copied().unwrap_or_default();
    let result = responses[0].response.clone().unwrap_or_default().payload;
    Outcome { tx_id: built.tx_id, block, code, result }.valid()
}

fn same_results(peers: &[Peer], responses: &[ProposalResponse], what: &str) -> Result<(), Error> {
    let (Some(first), Some(peer)) = (responses.first(), peers.first()) else { return Ok(()) };
    let other = responses.iter().zip(peers).find(|(other, _)| other.payload != first.payload);
    match other {
        None => Ok(()),
        Some((_, second)) => Err(Error::Mismatch {
            what: what.to_owned(),
            first: peer.address().to_owned(),
            second: second.address().to_owned(),
        }),
    }
}

/// The payload of the transaction's envelope.
fn assemble(proposal: &SignedProposal, responses: &[ProposalResponse]) -> Result<Bytes, Error> {
    let peeled =
        PeeledProposal::peel(proposal).map_err(|error| Error::Decode(error.to_string()))?;
    let mut seen = BTreeSet::new();
    let endorsements = responses
        .iter()
        .filter_map(|response| response.endorsement.clone())
        .filter(|endorsement| seen.insert(endorsement.endorser.clone()))
        .collect();
    let action = ChaincodeActionPayload {
        chaincode_proposal_payload: without_transient(&peeled.input_bytes),
        action: Some(ChaincodeEndorsedAction {
            proposal_response_payload: responses[0].payload.clone(),
            endorsements,
        }),
    };
    let action = TransactionAction {
        header: peeled.signature_header_bytes.clone(),
        payload: encode(&action),
    };
    let transaction = proto::peer::Transaction { actions: vec![action] };
    let header = Header {
        channel_header: peeled.channel_header_bytes,
        signature_header: peeled.signature_header_bytes,
    };
    Ok(Payload { header: Some(header), data: encode(&transaction) }.encode_to_vec().into())
}

async fn broadcast(orderers: &[Orderer], envelope: Envelope) -> Result<(), Error> {
    let mut last = Error::decode("no orderer given");
    for orderer in orderers {
        match orderer.broadcast(envelope.clone()).await {
            Ok(()) => return Ok(()),
            // Another orderer would say the same.
            Err(error @ Error::Broadcast { status, .. })
                if (400..500).contains(&(status as i32)) =>
            {
                return Err(error);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// A peer's filtered blocks from now on.
struct Watch {
    channel: String,
    address: String,
    stream: tonic::Streaming<proto::peer::DeliverResponse>,
}

impl Watch {
    async fn open(peer: &Peer, channel: &str) -> Result<Self, Error> {
        let Peer { target, channel: connection } = peer;
        let stop = Seek::Number(u64::MAX);
        let hash = target.tls_hash();
        let request = deliver::seek_envelope(channel, Seek::Newest, stop, &target.signer, hash)?;
        let mut client = deliver::client(connection);
        let stream = client
            .deliver_filtered(deliver::open_ended(request))
            .await
            .map_err(|status| Error::gateway(crate::Stage::CommitStatus, "", &status))?
            .into_inner();
        let address = target.address.clone();
        Ok(Self { channel: channel.to_owned(), address, stream })
    }

    async fn wait(mut self, tx_id: &str) -> Result<(u64, TxValidationCode), Error> {
        loop {
            let failed = |status| Error::gateway(crate::Stage::CommitStatus, tx_id, &status);
            let message = self.stream.message().await.map_err(failed)?;
            match message.and_then(|message| message.r#type) {
                Some(Type::FilteredBlock(block)) => {
                    let found = block.filtered_transactions.iter().find(|tx| tx.txid == tx_id);
                    if let Some(transaction) = found {
                        return Ok((block.number, transaction.tx_validation_code()));
                    }
                }
                Some(Type::Status(status)) => {
                    return Err(Error::Deliver {
                        channel: self.channel,
                        from: self.address,
                        status: Status::try_from(status).unwrap_or_default(),
                    });
                }
                Some(_) => return Err(Error::decode("block of another kind")),
                None => return Err(failed(tonic::Status::unavailable("stream ended"))),
            }
        }
    }
}
