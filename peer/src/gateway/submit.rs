//! Submit: brings a signed transaction to the orderers.

use channel::{Bundle, Endpoints};
use futures::stream::{FuturesUnordered, StreamExt};
use node::grpc::MAX_MESSAGE_BYTES;
use proto::common::{Envelope, Status as Answer};
use proto::gateway::{ErrorDetail, SubmitRequest, SubmitResponse};
use proto::orderer::BroadcastResponse;
use proto::orderer::atomic_broadcast_client::AtomicBroadcastClient;
use rand::seq::SliceRandom;
use tonic::{Code, Status};

use super::Inner;
use super::endorsers::describe;
use super::error::status;

/// Consensus that wants a transaction sent to many orderers, because some may lie.
const BFT: &str = "BFT";

/// One address of an orderer.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Orderer {
    address: String,
    msp_id: String,
    trusted: Vec<String>,
}

impl Orderer {
    fn detail(&self, message: String) -> ErrorDetail {
        ErrorDetail { address: self.address.clone(), msp_id: self.msp_id.clone(), message }
    }
}

impl Inner {
    pub(super) async fn submit(&self, request: SubmitRequest) -> Result<SubmitResponse, Status> {
        let invalid = |text: &str| Err(status(Code::InvalidArgument, text, &[]));
        let Some(envelope) = request.prepared_transaction else {
            return invalid("a prepared transaction is required");
        };
        if envelope.signature.is_empty() {
            return invalid("prepared transaction must be signed");
        }
        let channel = self.channel(&request.channel_id)?;
        let bundle = channel.bundle();
        let mut orderers = orderers(bundle.orderer_endpoints());
        if orderers.is_empty() {
            return Err(status(Code::Unavailable, "no orderer nodes available", &[]));
        }
        orderers.shuffle(&mut rand::rng());
        if bundle.orderer().is_some_and(|orderer| orderer.consensus_type == BFT) {
            self.submit_to_many(&bundle, &orderers, envelope).await
        } else {
            self.submit_to_one(&bundle, &orderers, envelope).await
        }
    }

    /// Tries one orderer after the other. One that finds the transaction wrong ends it: so would
    /// the others.
    async fn submit_to_one(
        &self,
        bundle: &Bundle,
        orderers: &[Orderer],
        envelope: Envelope,
    ) -> Result<SubmitResponse, Status> {
        let mut details = Vec::new();
        for orderer in orderers {
            match self.broadcast(bundle, orderer, envelope.clone()).await.and_then(judge) {
                Ok(()) => return Ok(SubmitResponse {}),
                Err(Failure::Rejected(text)) => {
                    let details = [orderer.detail(text.clone())];
                    return Err(status(Code::Aborted, text, &details));
                }
                Err(Failure::Unavailable(text)) => details.push(orderer.detail(text)),
            }
        }
        let text = "no orderers could successfully process transaction";
        Err(status(Code::Unavailable, text, &details))
    }

    /// Sends to all orderers at once and waits for as many as make sure that an honest one has it.
    async fn submit_to_many(
        &self,
        bundle: &Bundle,
        orderers: &[Orderer],
        envelope: Envelope,
    ) -> Result<SubmitResponse, Status> {
        let mut calls: FuturesUnordered<_> = orderers
            .iter()
            .map(|orderer| {
                let envelope = envelope.clone();
                async move { (orderer, self.broadcast(bundle, orderer, envelope).await) }
            })
            .collect();
        let (mut accepted, mut details) = (0, Vec::new());
        while let Some((orderer, answer)) = calls.next().await {
            match answer.and_then(judge_of_many) {
                Ok(()) => accepted += 1,
                Err(Failure::Rejected(text) | Failure::Unavailable(text)) => {
                    details.push(orderer.detail(text));
                }
            }
            if accepted >= quorum(orderers.len()) {
                return Ok(SubmitResponse {});
            }
        }
        let text = "insufficient number of orderers could successfully process transaction to \
                    satisfy quorum requirement";
        Err(status(Code::Unavailable, text, &details))
    }

    async fn broadcast(
        &self,
        bundle: &Bundle,
        orderer: &Orderer,
        envelope: Envelope,
    ) -> Result<BroadcastResponse, Failure> {
        let limit = self.config.broadcast_timeout;
        let answer = tokio::time::timeout(limit, self.send(bundle, orderer, envelope)).await;
        let outcome = answer.unwrap_or_else(|_| Err(format!("no answer within {limit:?}")));
        outcome.map_err(|text| {
            self.connections.close(&orderer.address, bundle, &orderer.trusted);
            Failure::Unavailable(text)
        })
    }

    async fn send(
        &self,
        bundle: &Bundle,
        orderer: &Orderer,
        envelope: Envelope,
    ) -> Result<BroadcastResponse, String> {
        let connection = self
            .connections
            .get(&orderer.address, bundle, &orderer.trusted)
            .map_err(|error| error.to_string())?;
        let mut client = AtomicBroadcastClient::new(connection)
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES);
        let requests = tokio_stream::once(envelope);
        let answers = client.broadcast(requests).await.map_err(|status| describe(&status))?;
        let answer = answers.into_inner().message().await.map_err(|status| describe(&status))?;
        answer.ok_or_else(|| "the orderer closed the stream without an answer".to_owned())
    }
}

/// Why an orderer did not take a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Failure {
    /// It finds the transaction wrong.
    Rejected(String),
    /// It cannot take it now.
    Unavailable(String),
}

fn judge(answer: BroadcastResponse) -> Result<(), Failure> {
    if answer.status == Answer::Success as i32 {
        return Ok(());
    }
    let name = Answer::try_from(answer.status).map_or("UNKNOWN", |answer| answer.as_str_name());
    let text =
        format!("received unsuccessful response from orderer: status={name}, info={}", answer.info);
    if (400..500).contains(&answer.status) {
        Err(Failure::Rejected(text))
    } else {
        Err(Failure::Unavailable(text))
    }
}

/// Among many, another one may have been faster.
fn judge_of_many(answer: BroadcastResponse) -> Result<(), Failure> {
    let is_known = answer.status == Answer::ServiceUnavailable as i32
        && answer.info.contains("request already exists");
    if is_known { Ok(()) } else { judge(answer) }
}

/// How many of n nodes are certain to include enough honest ones.
fn quorum(n: usize) -> usize {
    let f = n.saturating_sub(1) / 3;
    (n + f + 1).div_ceil(2)
}

fn orderers(endpoints: Vec<Endpoints>) -> Vec<Orderer> {
    endpoints
        .into_iter()
        .flat_map(|organization| {
            let Endpoints { msp_id, addresses, trusted, .. } = organization;
            addresses.into_iter().map(move |address| Orderer {
                address,
                msp_id: msp_id.clone(),
                trusted: trusted.clone(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(code: i32, info: &str, one: Option<bool>, many: Option<bool>) {
        let answer = BroadcastResponse { status: code, info: info.into() };
        let rejected = |outcome: Result<(), Failure>| {
            outcome.err().map(|failure| matches!(failure, Failure::Rejected(_)))
        };
        assert_eq!(rejected(judge(answer.clone())), one);
        assert_eq!(rejected(judge_of_many(answer)), many);
    }

    #[test]
    fn answers_of_orderers_are_judged() {
        check(200, "", None, None);
        check(400, "bad", Some(true), Some(true));
        check(403, "no", Some(true), Some(true));
        check(500, "oops", Some(false), Some(false));
        check(503, "no leader", Some(false), Some(false));
        check(503, "request already exists", Some(false), None);
    }

    #[test]
    fn quorums_are_those_of_smart_bft() {
        let quorums: Vec<_> = [1, 4, 5, 6, 7, 10].into_iter().map(quorum).collect();
        assert_eq!(quorums, [1, 3, 4, 4, 5, 7]);
    }
}
