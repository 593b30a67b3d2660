//! An orderer's configuration.

use serde_json::{Value, json};

use super::Settings;

pub(super) fn config(settings: &Settings<'_>) -> Value {
    let node = settings.node;
    // Channel participation is for administrators of the orderer's own organization.
    let mut admin_tls = settings.tls();
    admin_tls["client_root_cas"] = json!([settings.layout.tls_root(&node.organization)]);
    json!({
        "listen_address": settings.listen(node.port),
        "data_directory": settings.layout.data(&node.name),
        "msp": settings.msp(),
        "tls": settings.tls(),
        "admin": {
            "listen_address": settings.listen(node.admin_port.unwrap_or_default()),
            "tls": admin_tls,
        },
        "operations": settings.operations(),
        "telemetry": settings.telemetry(),
    })
}
