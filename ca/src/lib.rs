//! The certificate authority of an organization: registers identities, issues and revokes their
//! certificates.
//!
//! One process serves two authorities with separate roots, one for identities and one for TLS.
//! A node or user is registered by someone entitled to ([`api`]), receives a secret, makes its
//! own key and enrols with it ([`client`]); private keys never come here. From then on it proves
//! who it is with a signed token ([`token`]).
//!
//! The rules are those of Fabric's CA: types, affiliations and the `hf.*` attributes of
//! registrars. Who may do what is decided by the stored record of the caller, not by what an old
//! certificate says. The service knows no channel and no ledger; a revocation has effect where
//! the revocation list is brought into the organization's MSP definition.

#![forbid(unsafe_code)]

mod api;
pub mod client;
mod config;
mod error;
mod issuer;
mod record;
mod rights;
mod secret;
mod serve;
mod store;
pub mod token;

pub use self::config::{Bootstrap, Config, Registry};
pub use self::error::StartError;
pub use self::secret::Secret;
pub use self::serve::{Handle, start, start_with};

/// The generated messages of the service.
pub use proto::gauze::ca as messages;

/// Seconds since 1970.
fn now() -> i64 {
    let elapsed = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    elapsed.map_or(0, |elapsed| elapsed.as_secs() as i64)
}
