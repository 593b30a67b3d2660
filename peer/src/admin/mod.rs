//! Administration of the peer's channels while it runs, and questions about the past of keys: the
//! services of `gauze.peer`.
//!
//! Every call is signed (`request`). Administration is for administrators of the peer's own
//! organization; an operation goes on when its caller goes away (`operate`), since a channel must
//! not stay closed because of a lost connection. Questions (`query`) are for those who may read
//! the channel's blocks, which hold the same.

mod config;
mod convert;
mod operate;
mod query;
mod request;
mod service;

pub use config::Config;
pub use service::{Admin, Dependencies};
