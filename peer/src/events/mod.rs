//! What is told about committed blocks: the three Deliver services of a peer, and the source of the
//! gateway's chaincode events.

pub mod chaincode;
mod deliver;

mod transaction;

pub use self::deliver::Service;
