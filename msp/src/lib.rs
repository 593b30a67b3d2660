//! Who: identities, the organizations that vouch for them, signatures and principals.
//!
//! An [`Msp`] is one organization, made from the definition in a channel configuration or in a
//! folder ([`directory`]). A [`Manager`] holds the organizations of one channel and turns the
//! bytes of a serialized identity into an [`Identity`], which verifies signatures and says which
//! principals of a policy it satisfies. A [`SigningIdentity`] is the other side: a certificate
//! with its key.
//!
//! The rules are Fabric's, so that every peer reaches the same verdict. Above all there is no
//! clock here: an expired certificate is as valid as it was on the day it was issued. Expiry is
//! checked by those who admit messages, never by those who validate blocks.

#![forbid(unsafe_code)]

pub mod authority;
pub mod certificate;
mod chain;
mod der;
pub mod directory;
mod encode;
mod error;
mod extensions;
mod identity;
pub mod keys;
mod manager;
mod msp;
mod name_constraints;
mod node_ou;
pub mod pem;
pub mod principal;
pub mod request;
mod revocation;
mod setup;
mod signer;

pub use self::certificate::Certificate;
pub use self::error::{Error, SetupError};
pub use self::identity::{Identity, IdentityId};
pub use self::manager::Manager;
pub use self::msp::{Msp, MspVersion};
pub use self::node_ou::Role;
pub use self::signer::{SignerError, SigningIdentity};
