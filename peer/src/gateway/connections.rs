//! Connections to other nodes, kept open and shared by all requests.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use channel::Bundle;
use lru::LruCache;
use node::grpc::{ConnectError, Dial};
use node::tls::ClientTls;
use parking_lot::Mutex;
use tonic::transport::Channel;

/// Which authorities vouch for a node: those of these organizations, as of this configuration.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Key {
    address: String,
    channel: String,
    sequence: u64,
    trusted: Vec<String>,
}

/// Open connections; each reconnects by itself. A changed channel configuration makes new ones,
/// because it may name other authorities.
#[derive(Debug)]
pub(super) struct Connections {
    identity: Option<Arc<ClientTls>>,
    dial_timeout: Duration,
    open: Mutex<LruCache<Key, Channel>>,
}

impl Connections {
    /// At most `connections_max` connections, over TLS if there is an identity to present.
    pub(super) fn new(
        identity: Option<Arc<ClientTls>>,
        connections_max: usize,
        dial_timeout: Duration,
    ) -> Self {
        let max = NonZeroUsize::new(connections_max).unwrap_or(NonZeroUsize::MIN);
        Self { identity, dial_timeout, open: Mutex::new(LruCache::new(max)) }
    }

    /// A connection to `address`, a node of one of the organizations `trusted` on the channel.
    pub(super) fn get(
        &self,
        address: &str,
        bundle: &Bundle,
        trusted: &[String],
    ) -> Result<Channel, ConnectError> {
        let key = key(address, bundle, trusted);
        if let Some(open) = self.open.lock().get(&key) {
            return Ok(open.clone());
        }
        let opened = self.dial(address, bundle, trusted)?;
        self.open.lock().put(key, opened.clone());
        Ok(opened)
    }

    /// Drops a connection that is of no further use.
    pub(super) fn close(&self, address: &str, bundle: &Bundle, trusted: &[String]) {
        self.open.lock().pop(&key(address, bundle, trusted));
    }

    fn dial(
        &self,
        address: &str,
        bundle: &Bundle,
        trusted: &[String],
    ) -> Result<Channel, ConnectError> {
        let roots: Vec<_> = trusted
            .iter()
            .filter_map(|msp_id| bundle.msps().msp(msp_id))
            .flat_map(|msp| msp.tls_roots().iter().cloned())
            .collect();
        let identity = self.identity.as_deref();
        let dial = Dial {
            address,
            roots: identity.is_some().then_some(roots.as_slice()),
            identity,
            server_name: None,
            timeout: self.dial_timeout,
        };
        dial.connect_lazy()
    }
}

fn key(address: &str, bundle: &Bundle, trusted: &[String]) -> Key {
    Key {
        address: address.to_owned(),
        channel: bundle.channel_id().to_owned(),
        sequence: bundle.sequence(),
        trusted: trusted.to_vec(),
    }
}
