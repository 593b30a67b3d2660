//! The wire types against what Fabric publishes.

mod fabric_protos;
