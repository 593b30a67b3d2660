//! Who asks, and whether he asks now: signed requests and what keeps them from being used again.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use channel::SignedData;
use parking_lot::Mutex;
use prost::Message;
use proto::gauze::peer::request::Content;
use proto::gauze::peer::{Request, SignedRequest};
use proto::msp::SerializedIdentity;
use tonic::{Code, Status};

/// Length of a nonce.
const NONCE_MIN: usize = 16;

/// A request whose form, time and connection are right. The signature is checked with the right.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) channel: String,
    pub(super) content: Content,
    pub(super) signed: SignedData,
    nonce: Bytes,
    at: Duration,
}

/// Checks requests.
#[derive(Debug)]
pub(super) struct Gate {
    window: Duration,
    requests_max: usize,
    /// Whether a request must name the TLS certificate of its connection.
    tls_binding: bool,
    /// When this peer began to remember what it accepted.
    since: Duration,
    /// Nonces of accepted requests and the time in them.
    accepted: Mutex<BTreeMap<[u8; 32], Duration>>,
}

impl Gate {
    pub(super) fn new(window: Duration, requests_max: usize, tls_binding: bool) -> Self {
        let accepted = Mutex::default();
        Self { window, requests_max, tls_binding, since: now(), accepted }
    }

    /// Reads a request that came over a connection with this client certificate.
    pub(super) fn read(&self, request: tonic::Request<SignedRequest>) -> Result<Asked, Status> {
        let tls_hash = node::grpc::ClientCertificate::hash_of(&request);
        let signed = request.into_inner();
        let invalid = |text: &str| Status::invalid_argument(text.to_owned());
        let request = Request::decode(signed.request.clone())
            .map_err(|error| Status::invalid_argument(format!("invalid request: {error}")))?;
        let at = request.timestamp.as_ref().and_then(since_1970);
        let at = at.ok_or_else(|| invalid("the request has no timestamp"))?;
        if at.abs_diff(now()) > self.window {
            return Err(Status::unauthenticated(format!(
                "the time of the request is more than {:?} from the peer's clock",
                self.window
            )));
        }
        if self.tls_binding && tls_hash.is_none_or(|hash| request.tls_cert_hash != hash[..]) {
            let text = "the request was not made for this TLS connection";
            return Err(Status::unauthenticated(text));
        }
        if request.nonce.len() < NONCE_MIN {
            return Err(invalid("the nonce of the request is too short"));
        }
        let content = request.content.ok_or_else(|| invalid("the request asks for nothing"))?;
        check_expiry(&request.creator)?;
        let (data, signature) = (signed.request, signed.signature);
        let signed = SignedData { data, identity: request.creator, signature };
        Ok(Asked { channel: request.channel, content, signed, nonce: request.nonce, at })
    }

    /// Accepts an authorized request once, and never again.
    pub(super) fn once(&self, asked: &Asked) -> Result<(), Status> {
        if asked.at < self.since {
            // It may have been accepted before the peer was restarted.
            let text = "the request is older than the peer's start; sign it again";
            return Err(Status::unauthenticated(text));
        }
        let oldest = now().saturating_sub(self.window);
        let mut accepted = self.accepted.lock();
        accepted.retain(|_, at| *at >= oldest);
        if accepted.len() >= self.requests_max {
            return Err(Status::resource_exhausted("too many requests; try again in some minutes"));
        }
        let id = proto::sha256_all([&asked.signed.identity[..], &asked.nonce]);
        match accepted.insert(id, asked.at) {
            Some(_) => Err(Status::new(Code::AlreadyExists, "the request was carried out before")),
            None => Ok(()),
        }
    }
}

fn check_expiry(creator: &Bytes) -> Result<(), Status> {
    let identity = SerializedIdentity::decode(creator.clone()).ok();
    let certificate = identity.and_then(|it| msp::Certificate::from_pem(&it.id_bytes).ok());
    let certificate = certificate.ok_or_else(|| Status::unauthenticated("unknown creator"))?;
    let seconds = i64::try_from(now().as_secs()).unwrap_or(i64::MAX);
    match seconds > certificate.not_after() {
        true => Err(Status::unauthenticated("the certificate of the creator has expired")),
        false => Ok(()),
    }
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn since_1970(time: &prost_types::Timestamp) -> Option<Duration> {
    Some(Duration::new(u64::try_from(time.seconds).ok()?, u32::try_from(time.nanos).ok()?))
}
