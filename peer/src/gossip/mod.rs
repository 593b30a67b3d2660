//! Finding other peers over Fabric's peer-to-peer wire: who is alive under which endpoint, and how
//! far and with which chaincodes each peer is on a channel. Private data is handed to members who
//! ask for it, and taken from endorsers who push it. No blocks travel here, and this peer neither
//! asks for nor pushes private data.
//!
//! Every peer keeps a stream to every other peer it may know: those of its own organization from
//! the configured bootstrap endpoints, those of other organizations from the anchor peers of the
//! channels, all others from those it is connected to. A stream opens with a signed handshake bound
//! to the TLS session. What is told is signed by the peer it is about, so that nobody can speak for
//! another; what is received is dropped, and counted, if it is not as it should be.
//!
//! [`Table`] decides what is believed and for how long; it knows neither clock nor network.

mod config;
mod connections;
mod dial;
mod handshake;
mod message;
mod metrics;
mod myself;
mod private;
mod receive;
mod run;
mod service;
mod table;
mod trust;

pub use config::Config;
pub use metrics::{DropReason, Metrics};
pub use run::{ChaincodesOf, Dependencies, Gossip, Tls};
pub use service::Service;
pub use table::Table;
pub use trust::Trust;
