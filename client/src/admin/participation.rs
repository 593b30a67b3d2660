//! An orderer's channel participation interface, over HTTPS with a client certificate.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use node::tls::{CertificateDer, ClientTls};
use prost::Message;
use proto::common::Block;
use serde::{Deserialize, Serialize};

use crate::Error;

/// The admin listener of an orderer.
#[derive(Clone, Debug)]
pub struct Participation {
    address: String,
    tls: Arc<rustls::ClientConfig>,
    timeout: Duration,
}

/// A channel as an orderer sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelInfo {
    /// The channel.
    pub name: String,
    /// Where it is described.
    #[serde(default)]
    pub url: String,
    /// `consenter`, `follower`, `config-tracker` or `other`.
    #[serde(default, rename = "consensusRelation")]
    pub consensus_relation: String,
    /// `active`, `onboarding`, `inactive` or `failed`.
    #[serde(default)]
    pub status: String,
    /// How many blocks the orderer has.
    #[serde(default)]
    pub height: u64,
}

#[derive(Deserialize)]
struct ChannelList {
    #[serde(default)]
    channels: Option<Vec<ChannelInfo>>,
}

#[derive(Deserialize)]
struct Problem {
    error: String,
}

const CHANNELS: &str = "/participation/v1/channels";

impl Participation {
    /// Prepares calls to `address` (`host:port`); nothing is connected yet.
    ///
    /// # Errors
    /// When the TLS material is unusable.
    pub fn new(
        address: &str,
        roots: &[CertificateDer<'static>],
        identity: &ClientTls,
        timeout: Duration,
    ) -> Result<Self, Error> {
        let tls =
            node::tls::client_config(roots, Some(identity), &[b"http/1.1"]).map_err(|source| {
                node::grpc::ConnectError::Tls { address: address.to_owned(), source }
            })?;
        Ok(Self { address: address.to_owned(), tls, timeout })
    }

    /// The channels the orderer takes part in.
    ///
    /// # Errors
    /// When the orderer cannot be reached or refuses.
    pub async fn list(&self) -> Result<Vec<ChannelInfo>, Error> {
        let body = self.send(Method::GET, CHANNELS, None).await?;
        let list: ChannelList =
            serde_json::from_slice(&body).map_err(|_| Error::decode("channel list"))?;
        Ok(list.channels.unwrap_or_default())
    }

    /// One channel.
    ///
    /// # Errors
    /// When the orderer cannot be reached or does not know the channel.
    pub async fn channel(&self, name: &str) -> Result<ChannelInfo, Error> {
        let body = self.send(Method::GET, &format!("{CHANNELS}/{name}"), None).await?;
        serde_json::from_slice(&body).map_err(|_| Error::decode("channel info"))
    }

    /// Makes the orderer join the channel of a genesis (or later config) block.
    ///
    /// # Errors
    /// When the block does not fit or the orderer has joined already.
    pub async fn join(&self, block: &Block) -> Result<ChannelInfo, Error> {
        let (kind, form) = form("config-block", &block.encode_to_vec());
        let body = self.send(Method::POST, CHANNELS, Some((kind, form))).await?;
        serde_json::from_slice(&body).map_err(|_| Error::decode("channel info"))
    }

    /// Makes the orderer leave a channel and forget it.
    ///
    /// # Errors
    /// When the orderer cannot be reached or does not know the channel.
    pub async fn remove(&self, name: &str) -> Result<(), Error> {
        self.send(Method::DELETE, &format!("{CHANNELS}/{name}"), None).await.map(drop)
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<(String, Bytes)>,
    ) -> Result<Bytes, Error> {
        let mut request = Request::builder().method(method).uri(path);
        if let Some((kind, _)) = &body {
            request = request.header(header::CONTENT_TYPE, kind);
        }
        let request = request
            .body(body.map(|(_, bytes)| bytes).unwrap_or_default())
            .map_err(|_| Error::decode("request path"))?;
        let sending = node::http::send(&self.address, Some(Arc::clone(&self.tls)), request);
        let answer = match tokio::time::timeout(self.timeout, sending).await {
            Ok(answer) => answer,
            Err(_) => return Err(Error::Timeout(format!("{path} at {}", self.address))),
        };
        let response = answer.map_err(|error| node::grpc::ConnectError::Connect {
            address: self.address.clone(),
            reason: error.to_string(),
        })?;
        let status = response.status();
        if status.is_success() {
            return Ok(response.into_body());
        }
        Err(self.refused(status, response.body()))
    }

    fn refused(&self, status: StatusCode, body: &[u8]) -> Error {
        let message = serde_json::from_slice(body)
            .map_or_else(|_| String::from_utf8_lossy(body).into_owned(), |Problem { error }| error);
        Error::Http { address: self.address.clone(), status: status.as_u16(), message }
    }
}

/// A form with one file, as `multipart/form-data`.
fn form(name: &str, content: &[u8]) -> (String, Bytes) {
    let boundary = format!("gauze-{}", hex::encode(rand::random::<[u8; 16]>()));
    let head = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"; \
         filename=\"{name}.block\"\r\nContent-Type: application/octet-stream\r\n\r\n"
    );
    let tail = format!("\r\n--{boundary}--\r\n");
    let body = [head.as_bytes(), content, tail.as_bytes()].concat();
    (format!("multipart/form-data; boundary={boundary}"), body.into())
}
