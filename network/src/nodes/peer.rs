//! A peer's configuration.

use serde_json::{Value, json};

use super::Settings;

pub(super) fn config(settings: &Settings<'_>) -> Value {
    let node = settings.node;
    json!({
        "listen_address": settings.listen(node.port),
        "endpoint": format!("{}:{}", settings.topology.host, node.port),
        "data_directory": settings.layout.data(&node.name),
        "msp": settings.msp(),
        "tls": settings.tls(),
        "operations": settings.operations(),
        "telemetry": settings.telemetry(),
    })
}
