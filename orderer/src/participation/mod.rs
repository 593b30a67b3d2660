//! Channel participation: the REST interface by which an administrator joins this orderer to
//! channels, looks at them and removes them, as `osnadmin` speaks it.

mod join;

use std::sync::Arc;

use ::channel::validate_channel_id;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use axum::{Json, Router};
use prost::Message;
use proto::common;
use serde::{Deserialize, Serialize};

use crate::channels::{Channel, Info, Registry, RemoveError};
use crate::message_processor::Processor;

const CHANNELS: &str = "/participation/v1/channels";

/// What the handlers need.
#[derive(Debug, Clone)]
pub(crate) struct Participation {
    pub(crate) registry: Arc<Registry>,
    pub(crate) processor: Processor,
    pub(crate) body_bytes_max: usize,
}

/// The list of channels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChannelList {
    /// There is no such thing any more.
    pub system_channel: Option<ChannelInfoShort>,
    /// The channels, absent when there are none.
    pub channels: Option<Vec<ChannelInfoShort>>,
}

/// A channel in the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelInfoShort {
    /// Its name.
    pub name: String,
    /// Where more is told about it.
    pub url: String,
}

/// The routes of the admin listener.
pub(crate) fn router(participation: Participation) -> Router {
    let limit = DefaultBodyLimit::max(participation.body_bytes_max);
    Router::new()
        .route("/participation/v1/", get(|| async { Redirect::to(CHANNELS) }))
        .route(
            CHANNELS,
            get(list)
                .post(join::join)
                .put(join::update)
                .fallback(|| async { not_allowed("GET, POST, PUT") }),
        )
        .route(
            &format!("{CHANNELS}/{{id}}"),
            get(show).delete(remove).fallback(|| async { not_allowed("GET, DELETE") }),
        )
        .route(
            &format!("{CHANNELS}/{{id}}/blocks/{{block}}"),
            get(block).fallback(|| async { not_allowed("GET") }),
        )
        .layer(limit)
        .with_state(participation)
}

async fn list(State(state): State<Participation>, headers: HeaderMap) -> Response {
    if let Err(refused) = accepts_json(&headers) {
        return refused;
    }
    let channels: Vec<_> = state.registry.list().iter().map(|channel| short(channel)).collect();
    let channels = Some(channels).filter(|channels| !channels.is_empty());
    no_store(Json(ChannelList { system_channel: None, channels }))
}

fn short(channel: &Channel) -> ChannelInfoShort {
    let Info { name, url, .. } = channel.info();
    ChannelInfoShort { name, url }
}

async fn show(
    State(state): State<Participation>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    if let Err(refused) = accepts_json(&headers) {
        return refused;
    }
    match find(&state, &id) {
        Ok(channel) => no_store(Json(channel.info())),
        Err(refused) => refused,
    }
}

async fn remove(State(state): State<Participation>, Path(id): Path<String>) -> Response {
    if let Err(problem) = validate_channel_id(&id) {
        return error(StatusCode::BAD_REQUEST, format!("invalid channel ID: {problem}"));
    }
    match state.registry.remove(&id).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(problem) => {
            let code = match problem {
                RemoveError::Unknown => StatusCode::NOT_FOUND,
                RemoveError::Removing => StatusCode::CONFLICT,
                RemoveError::Io(_) => StatusCode::INTERNAL_SERVER_ERROR,
            };
            error(code, problem)
        }
    }
}

async fn block(
    State(state): State<Participation>,
    Path((id, which)): Path<(String, String)>,
) -> Response {
    let channel = match find(&state, &id) {
        Ok(channel) => channel,
        Err(refused) => return refused,
    };
    let height = channel.store().height();
    let number = match which.as_str() {
        "newest" => height.checked_sub(1),
        "oldest" => Some(0),
        "config" => Some(channel.state().last_config),
        number => match number.parse() {
            Ok(number) => Some(number),
            Err(_) => return error(StatusCode::BAD_REQUEST, format!("invalid block ID: {number}")),
        },
    };
    let store = channel.store().clone();
    let read = move || number.map_or(Ok(None), |number| store.block(number));
    match channel.tasks.spawn_blocking("read block", read).await {
        Ok(Ok(Some(block))) => octets(&block),
        Ok(Ok(None)) => error(StatusCode::NOT_FOUND, "block not found"),
        Ok(Err(problem)) => error(StatusCode::INTERNAL_SERVER_ERROR, problem),
        Err(problem) => error(StatusCode::INTERNAL_SERVER_ERROR, problem),
    }
}

fn octets(block: &common::Block) -> Response {
    let kind = [(header::CONTENT_TYPE, "application/octet-stream")];
    no_store((kind, block.encode_to_vec()))
}

#[expect(clippy::result_large_err, reason = "the refusal is the answer")]
fn find(state: &Participation, id: &str) -> Result<Arc<Channel>, Response> {
    if let Err(problem) = validate_channel_id(id) {
        return Err(error(StatusCode::BAD_REQUEST, format!("invalid channel ID: {problem}")));
    }
    state.registry.get(id).ok_or_else(|| error(StatusCode::NOT_FOUND, "channel does not exist"))
}

#[expect(clippy::result_large_err, reason = "the refusal is the answer")]
fn accepts_json(headers: &HeaderMap) -> Result<(), Response> {
    let Some(accept) = headers.get(header::ACCEPT) else { return Ok(()) };
    let accept = accept.to_str().unwrap_or_default();
    let fits = |kind: &str| {
        let kind = kind.split(';').next().unwrap_or_default().trim();
        matches!(kind, "" | "*/*" | "application/*" | "application/json")
    };
    if accept.split(',').any(fits) {
        return Ok(());
    }
    let text = "response Content-Type is application/json only";
    Err(error(StatusCode::NOT_ACCEPTABLE, text))
}

fn no_store(response: impl IntoResponse) -> Response {
    ([(header::CACHE_CONTROL, "no-store")], response).into_response()
}

fn not_allowed(allow: &'static str) -> Response {
    let allow = [(header::ALLOW, allow)];
    (allow, error(StatusCode::METHOD_NOT_ALLOWED, "invalid request method")).into_response()
}

/// An answer that says what is wrong.
fn error(code: StatusCode, text: impl std::fmt::Display) -> Response {
    (code, Json(serde_json::json!({ "error": text.to_string() }))).into_response()
}
