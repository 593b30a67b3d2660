//! Organizations and identities, against generated certificates and against material from a
//! Fabric network.

#![allow(clippy::unwrap_used, reason = "tests")]

mod consortium;
mod definitions;
mod folders;
mod hostile;
mod issuing;
mod principals;
mod recorded;
