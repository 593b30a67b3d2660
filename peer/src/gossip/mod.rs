//! Finding other peers over Fabric's peer-to-peer wire: who is alive under which endpoint, and how
//! far and with which chaincodes each peer is on a channel. No blocks and no private data travel
//! here.

mod config;

pub use config::Config;
