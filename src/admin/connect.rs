//! Programs that wait for a key: list them, grant one. The key is made here and
//! handed to the program; whoever approves never sees its secret.

use super::keys::{self, NewKey, shown};
use super::{Control, problem};
use crate::access::Code;
use crate::types::Secret;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use std::sync::Arc;

pub(super) async fn list(State(control): State<Arc<Control>>) -> Response {
    let open = control.connect.open(control.clock.mono());
    let rows: Vec<_> = open
        .iter()
        .map(|open| {
            json!({ "code": open.code.to_string(), "address": open.address, "waits_seconds": open.waits.as_secs() })
        })
        .collect();
    Json(json!({ "sessions": rows })).into_response()
}

pub(super) async fn approve(
    State(control): State<Arc<Control>>,
    Path(code): Path<String>,
    body: String,
) -> Response {
    let none = || problem(StatusCode::NOT_FOUND, "no session with this code waits for a key");
    let Some(code) = Code::parse(&code).filter(|code| control.connect.waits(code, control.clock.mono()))
    else {
        return none();
    };
    let asked: NewKey = match serde_json::from_str(if body.trim().is_empty() { "{}" } else { &body }) {
        Ok(asked) => asked,
        Err(error) => return problem(StatusCode::BAD_REQUEST, error),
    };
    let (mut row, secret) = match asked.make(&(control.pepper)(), control.clock.wall()) {
        Ok(made) => made,
        Err(error) => return problem(StatusCode::BAD_REQUEST, error),
    };
    if let Err(response) = keys::store(Arc::clone(&control), row.clone()).await {
        return response;
    }
    // Only now: a program that has its key uses it at once.
    if control.connect.grant(&code, &row.id, &Secret::new(secret), control.clock.mono()) {
        return (StatusCode::CREATED, Json(shown(&row))).into_response();
    }
    // The session ended in between, and nobody knows the secret of this key.
    row.enabled = false;
    match keys::store(control, row).await {
        Ok(()) => none(),
        Err(response) => response,
    }
}
