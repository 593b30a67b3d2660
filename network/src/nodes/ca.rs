//! A certificate authority's configuration.

use serde_json::{Value, json};

use super::Settings;
use crate::failure::Result;

/// The first identity of every authority; it registers all others.
pub(crate) const BOOTSTRAP: &str = "ca-registrar";

pub(super) fn config(settings: &Settings<'_>) -> Result<Value> {
    let node = settings.node;
    let organization = settings.topology.organization(&node.organization)?;
    let title = match organization.title.as_str() {
        "" => &node.organization,
        title => title,
    };
    let own_name = format!("ca.{}", organization.domain);
    Ok(json!({
        "name": node.name,
        "organization": title,
        "listen_address": settings.listen(node.port),
        "hosts": [settings.topology.host, "127.0.0.1", own_name],
        "data_directory": settings.layout.data(&node.name),
        // Its secret comes through the environment, at the first start only.
        "bootstrap": { "id": BOOTSTRAP },
        "operations": settings.operations(),
        "telemetry": settings.telemetry(),
    }))
}
