//! Requests with a body: joining a channel, and submitting a config update.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::extract::multipart::{Multipart, MultipartRejection};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use proto::block;
use proto::common::{HeaderType, Status};
use proto::envelope::Envelope;

use super::{Participation, error};
use crate::channels::{Info, JoinError, Relation};

pub(super) async fn join(
    State(state): State<Participation>,
    form: Result<Multipart, MultipartRejection>,
) -> Response {
    let bytes = match part(form, "config-block").await {
        Ok(bytes) => bytes,
        Err(refused) => return refused,
    };
    let block = match block::parse(bytes) {
        Ok(block) => block,
        Err(problem) => {
            let text = format!("cannot unmarshal config-block: {problem}");
            return error(StatusCode::BAD_REQUEST, text);
        }
    };
    let registry = Arc::clone(&state.registry);
    let joined = tokio::task::spawn_blocking(move || registry.join(&block)).await;
    match joined {
        Ok(Ok(info)) => created(info),
        Ok(Err(problem)) => refuse(&problem),
        Err(problem) => error(StatusCode::INTERNAL_SERVER_ERROR, problem),
    }
}

fn refuse(problem: &JoinError) -> Response {
    let code = match problem {
        JoinError::Block(_) => StatusCode::BAD_REQUEST,
        JoinError::Exists => {
            let allow = [(header::ALLOW, "GET, DELETE")];
            return (allow, error(StatusCode::METHOD_NOT_ALLOWED, problem)).into_response();
        }
        JoinError::Removing => StatusCode::CONFLICT,
        JoinError::TooMany(_) => StatusCode::FORBIDDEN,
        JoinError::Open(_) => StatusCode::INTERNAL_SERVER_ERROR,
    };
    error(code, problem)
}

pub(super) async fn update(
    State(state): State<Participation>,
    form: Result<Multipart, MultipartRejection>,
) -> Response {
    let bytes = match part(form, "config-update-envelope").await {
        Ok(bytes) => bytes,
        Err(refused) => return refused,
    };
    let peeled = match Envelope::parse(bytes) {
        Ok(peeled) if peeled.channel_header.r#type == HeaderType::ConfigUpdate as i32 => peeled,
        Ok(_) => return error(StatusCode::BAD_REQUEST, "envelope is not a config update"),
        Err(problem) => return error(StatusCode::BAD_REQUEST, problem),
    };
    let Some(channel) = state.registry.get(&peeled.channel_header.channel_id) else {
        return error(StatusCode::METHOD_NOT_ALLOWED, "cannot update: channel does not exist");
    };
    if channel.info().consensus_relation == Relation::Follower {
        return error(
            StatusCode::FORBIDDEN,
            "cannot update: this orderer only follows the channel",
        );
    }
    let verdict = match state.processor.process(&channel.state().bundle, &peeled) {
        Ok(accepted) => channel.order(accepted).await.await,
        Err(rejection) => Err(rejection),
    };
    match verdict {
        Ok(()) => created(channel.info()),
        Err(rejection) => {
            let code = match rejection.status {
                Status::Forbidden => StatusCode::FORBIDDEN,
                Status::ServiceUnavailable => StatusCode::SERVICE_UNAVAILABLE,
                Status::InternalServerError => StatusCode::INTERNAL_SERVER_ERROR,
                _ => StatusCode::BAD_REQUEST,
            };
            error(code, rejection)
        }
    }
}

fn created(info: Info) -> Response {
    let location = [(header::LOCATION, info.url.clone())];
    (StatusCode::CREATED, location, Json(info)).into_response()
}

/// The bytes of the only part of a form, which must have this name.
async fn part(form: Result<Multipart, MultipartRejection>, name: &str) -> Result<Bytes, Response> {
    let bad = |text: String| error(StatusCode::BAD_REQUEST, text);
    let mut form = form.map_err(|problem| bad(format!("cannot read form: {problem}")))?;
    let mut found = None;
    loop {
        let field = form.next_field().await;
        let field =
            field.map_err(|problem| bad(format!("cannot read form from request: {problem}")))?;
        let Some(field) = field else { break };
        if field.name() != Some(name) || found.is_some() {
            return Err(bad(format!("form must have exactly one part, with key {name}")));
        }
        let bytes = field.bytes().await;
        found = Some(bytes.map_err(|problem| bad(format!("cannot read form part: {problem}")))?);
    }
    found.ok_or_else(|| bad(format!("form does not contain part key: {name}")))
}
