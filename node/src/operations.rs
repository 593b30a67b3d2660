//! The operations endpoint: `/metrics`, `/healthz`, `/version`, `/logspec`.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::tasks::Tasks;
use crate::tls::{self, ServerTls};
use crate::{http, metrics, telemetry};

/// Where and how operations are served.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// `host:port`; empty serves nothing.
    pub listen_address: String,
    /// TLS of this listener.
    pub tls: tls::Config,
}

/// Why the endpoint could not be started.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address cannot be bound.
    #[error("operations endpoint")]
    Bind(#[from] io::Error),
    /// The TLS material is unusable.
    #[error("TLS of the operations endpoint")]
    Tls(#[from] tls::Error),
}

type Check = Arc<dyn Fn() -> Result<(), String> + Send + Sync>;

/// The health checks of a process; clones are the same list.
#[derive(Clone, Default)]
pub struct Health {
    checks: Arc<Mutex<BTreeMap<String, Check>>>,
}

impl std::fmt::Debug for Health {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_set().entries(self.checks.lock().keys()).finish()
    }
}

impl Health {
    /// Adds or replaces the check of `component`. It must be quick; `Err` says why it fails.
    pub fn register(
        &self,
        component: impl Into<String>,
        check: impl Fn() -> Result<(), String> + Send + Sync + 'static,
    ) {
        self.checks.lock().insert(component.into(), Arc::new(check));
    }

    /// Removes the check of `component`.
    pub fn remove(&self, component: &str) {
        self.checks.lock().remove(component);
    }

    /// Runs all checks: the failing components and their reasons.
    #[must_use]
    pub fn failed(&self) -> Vec<FailedCheck> {
        let checks = self.checks.lock().clone();
        let failed = |(component, check): (String, Check)| {
            let reason = check().err()?;
            Some(FailedCheck { component, reason })
        };
        checks.into_iter().filter_map(failed).collect()
    }
}

/// One failing component.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedCheck {
    /// Which component.
    pub component: String,
    /// Why it is unhealthy.
    pub reason: String,
}

/// What the endpoint reports on.
#[derive(Clone, Debug, Default)]
pub struct Operations {
    /// Metrics for `/metrics`.
    pub metrics: metrics::Registry,
    /// Checks for `/healthz`.
    pub health: Health,
    /// The version for `/version`.
    pub version: String,
    /// The log filter for `/logspec`, when this process owns its log output.
    pub log: Option<telemetry::Handle>,
}

/// Binds and serves; `None` when no address is configured.
///
/// # Errors
/// When the address or the TLS material is unusable.
pub async fn serve(
    config: &Config,
    operations: Operations,
    tasks: &Tasks,
) -> Result<Option<SocketAddr>, Error> {
    if config.listen_address.is_empty() {
        return Ok(None);
    }
    let tls = ServerTls::load_if_enabled(&config.tls)?;
    let server = http::Server::bind(&config.listen_address, tls).await?;
    let address = server.local_address();
    server.serve(router(operations), tasks);
    Ok(Some(address))
}

fn router(operations: Operations) -> axum::Router {
    axum::Router::new()
        .route("/metrics", get(show_metrics))
        .route("/healthz", get(show_health))
        .route("/version", get(show_version))
        .route("/logspec", get(show_log_filter).put(set_log_filter))
        .with_state(operations)
}

async fn show_metrics(State(operations): State<Operations>) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], operations.metrics.encode()).into_response()
}

#[derive(Serialize)]
struct HealthReport {
    status: &'static str,
    time: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    failed_checks: Vec<FailedCheck>,
}

async fn show_health(State(operations): State<Operations>) -> Response {
    let failed_checks = operations.health.failed();
    let (code, status) = if failed_checks.is_empty() {
        (StatusCode::OK, "OK")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable")
    };
    let time = jiff::Timestamp::now().to_string();
    (code, Json(HealthReport { status, time, failed_checks })).into_response()
}

async fn show_version(State(operations): State<Operations>) -> Response {
    Json(serde_json::json!({ "Version": operations.version })).into_response()
}

#[derive(Serialize, Deserialize)]
struct LogFilter {
    spec: String,
}

async fn show_log_filter(State(operations): State<Operations>) -> Response {
    match operations.log {
        Some(handle) => Json(LogFilter { spec: handle.filter() }).into_response(),
        None => no_log_output(),
    }
}

async fn set_log_filter(
    State(operations): State<Operations>,
    Json(filter): Json<LogFilter>,
) -> Response {
    let Some(handle) = operations.log else { return no_log_output() };
    match handle.set_filter(&filter.spec) {
        Ok(()) => {
            tracing::info!(spec = %filter.spec, "log filter changed");
            StatusCode::NO_CONTENT.into_response()
        }
        Err(error) => {
            let body = Json(serde_json::json!({ "error": error.to_string() }));
            (StatusCode::BAD_REQUEST, body).into_response()
        }
    }
}

fn no_log_output() -> Response {
    let body = Json(serde_json::json!({ "error": "this process does not own its log output" }));
    (StatusCode::NOT_FOUND, body).into_response()
}
