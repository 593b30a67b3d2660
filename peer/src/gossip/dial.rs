//! Connecting to the peers there is no stream to yet.

use std::collections::BTreeMap;
use std::sync::Arc;

use node::grpc::Dial;
use node::tasks::Tasks;
use node::tls::CertificateDer;
use proto::gossip::gossip_client::GossipClient;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::connections::QUEUE;
use super::run::Shared;
use super::service::Session;

/// Why a peer could not be reached.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Connect(#[from] node::grpc::ConnectError),
    #[error("sign handshake")]
    Sign(#[from] msp::Error),
    #[error("open stream: {0}")]
    Stream(#[from] tonic::Status),
    #[error("server shows no certificate")]
    NoCertificate,
    #[error("no answer in time")]
    Timeout(#[from] tokio::time::error::Elapsed),
}

/// Dials every peer that is known and not connected.
pub(super) fn missing(shared: &Arc<Shared>, tasks: &Tasks) {
    for (endpoint, msp_id) in candidates(shared) {
        if !shared.dialing.lock().insert(endpoint.clone()) {
            continue;
        }
        let (task, cancelled) = (shared.clone(), tasks.cancelled());
        tasks.spawn("gossip dial", async move {
            let dialing = Dialing { shared: task.clone(), endpoint: endpoint.clone() };
            tokio::select! {
                () = cancelled => {}
                ended = dial(task, &endpoint, msp_id) => if let Err(error) = ended {
                    tracing::debug!(%endpoint, %error, "peer not reached");
                }
            }
            drop(dialing);
        });
    }
}

/// Forgets an endpoint when its stream has ended, however it did.
struct Dialing {
    shared: Arc<Shared>,
    endpoint: String,
}

impl Drop for Dialing {
    fn drop(&mut self) {
        self.shared.dialing.lock().remove(&self.endpoint);
    }
}

/// Endpoints to dial, with the organization expected there.
fn candidates(shared: &Shared) -> BTreeMap<String, String> {
    let connected = shared.connections.peers();
    let mut candidates: BTreeMap<String, String> = shared.trust.anchors().into_iter().collect();
    let own = shared.myself.msp_id();
    candidates.extend(shared.config.bootstrap.iter().map(|e| (e.clone(), own.to_owned())));
    let table = shared.table.lock();
    for entry in table.living() {
        let alive = &entry.alive;
        if connected.contains(&alive.pki_id) || alive.endpoint.is_empty() {
            candidates.remove(&alive.endpoint);
        } else {
            candidates.insert(alive.endpoint.clone(), alive.msp_id.clone());
        }
    }
    candidates.remove(shared.myself.endpoint());
    candidates
}

async fn dial(shared: Arc<Shared>, endpoint: &str, msp_id: String) -> Result<(), Error> {
    let timeout = shared.config.handshake_timeout;
    let (channel, certificate) = {
        let roots = roots(&shared, &msp_id);
        let dial = Dial {
            address: endpoint,
            roots: roots.as_deref(),
            identity: shared.tls.as_ref().map(|tls| &tls.client),
            server_name: None,
            timeout,
        };
        dial.connect_identified().await?
    };
    let server_hash = match (&shared.tls, certificate) {
        (None, _) => None,
        (Some(_), Some(der)) => Some(node::tls::certificate_hash(&der)),
        (Some(_), None) => return Err(Error::NoCertificate),
    };
    let (sender, receiver) = mpsc::channel(QUEUE);
    let own_hash = shared.tls.as_ref().map(|tls| tls.client.certificate_hash());
    // The queue is new: there is room.
    drop(sender.try_send(shared.handshake(own_hash)?));
    let mut client =
        GossipClient::new(channel).max_decoding_message_size(shared.config.message_bytes_max);
    let opening = client.gossip_stream(ReceiverStream::new(receiver));
    let inbound = tokio::time::timeout(timeout, opening).await??.into_inner();
    let session = Session { shared, sender, tls_hash: server_hash, expected: Some(msp_id) };
    session.run(inbound).await;
    Ok(())
}

fn roots(shared: &Shared, msp_id: &str) -> Option<Vec<CertificateDer<'static>>> {
    let tls = shared.tls.as_ref()?;
    let mut roots = shared.trust.tls_roots(msp_id);
    if msp_id == shared.myself.msp_id() {
        roots.extend(tls.roots.iter().cloned());
    }
    Some(roots)
}
