//! What a chaincode may consume.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Limits of one call, and of what may be installed.
///
/// All but the last three are part of the verdict and must be the same on every peer of a
/// channel: a call beyond one of them fails everywhere alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Fuel for a client's call and all calls it makes. One unit is about one instruction.
    pub fuel: u64,
    /// Linear memory of one instance, in bytes.
    pub memory_bytes_max: u64,
    /// Native stack of one instance, in bytes.
    pub stack_bytes_max: u64,
    /// How many chaincodes may stand on each other, the client's call included.
    pub call_depth_max: u32,
    /// Sum of all arguments, in bytes.
    pub args_bytes_max: u64,
    /// A response's payload and message, in bytes.
    pub response_bytes_max: u64,
    /// An event's name and payload, in bytes.
    pub event_bytes_max: u64,
    /// One key, in bytes.
    pub key_bytes_max: u64,
    /// One value written, in bytes.
    pub value_bytes_max: u64,
    /// How many keys a call may read one by one.
    pub reads_max: u64,
    /// How many writes a call may make.
    pub writes_max: u64,
    /// Sum of keys and values written, in bytes.
    pub write_bytes_max: u64,
    /// Sum of keys and values given to the chaincode, in bytes.
    pub read_bytes_max: u64,
    /// How many ranges and histories may be open at once.
    pub iterators_max: u64,
    /// Sum of log lines, in bytes.
    pub log_bytes_max: u64,
    /// A module, in bytes.
    pub module_bytes_max: u64,
    /// One function's body in a module, in bytes.
    pub function_bytes_max: u64,
    /// Functions in a module.
    pub functions_max: u64,
    /// How many clients' calls may run at once; more wait for a place.
    pub calls_max: u32,
    /// Wall-clock time after which a call is stopped; fuel should always end it earlier.
    #[serde(with = "crate::wasm::config::milliseconds", rename = "deadline_ms")]
    pub deadline: Duration,
    /// Wall-clock time a module may take to compile.
    #[serde(with = "crate::wasm::config::milliseconds", rename = "compile_deadline_ms")]
    pub compile_deadline: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            fuel: 1_000_000_000,
            memory_bytes_max: 64 << 20,
            stack_bytes_max: 512 << 10,
            call_depth_max: 8,
            args_bytes_max: 16 << 20,
            response_bytes_max: 16 << 20,
            event_bytes_max: 1 << 20,
            key_bytes_max: 64 << 10,
            value_bytes_max: 8 << 20,
            reads_max: 100_000,
            writes_max: 20_000,
            write_bytes_max: 32 << 20,
            read_bytes_max: 256 << 20,
            iterators_max: 64,
            log_bytes_max: 256 << 10,
            module_bytes_max: 16 << 20,
            function_bytes_max: 512 << 10,
            functions_max: 50_000,
            calls_max: 32,
            deadline: Duration::from_secs(20),
            compile_deadline: Duration::from_secs(60),
        }
    }
}

mod milliseconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(value: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(u64::try_from(value.as_millis()).unwrap_or(u64::MAX))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_millis)
    }
}
