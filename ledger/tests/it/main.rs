//! The ledger as its callers see it, on recorded chains and on chains of its own.

mod oracle;
mod vectors;
