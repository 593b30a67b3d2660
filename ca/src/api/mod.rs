//! The calls, one file for each group. They are synchronous and know no network; `grpc` stands
//! in front of them.

mod affiliations;
mod authentication;
mod certificates;
mod enroll;
mod grpc;
mod identities;
mod register;
mod revoke;
mod service;

pub(crate) use self::grpc::Grpc;
pub(crate) use self::service::Service;
