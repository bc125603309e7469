//! Programs that wait for a key: list them, grant one. The key is made here and
//! handed to the program; whoever approves never sees its secret.

use super::api::{Incoming, Reply, answer_operator, of_problem};
use super::{Control, Directory, blocking, problem};
use crate::access::Code;
use crate::types::{KeyId, Secret};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
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

/// The body is that of `POST /keys`.
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
    let asked = if body.trim().is_empty() { "{}".to_owned() } else { body };
    let named = format!("connect {code}");
    let (directory, request) = (Arc::clone(&control.directory), named.clone());
    let made = match blocking(move || Ok(operate(&directory, "/keys", request, asked))).await {
        Ok(Ok(made)) => made,
        Ok(Err(refusal)) => return refusal,
        Err(response) => return response,
    };
    let once = made.once.iter().find(|(name, _)| *name == "secret").and_then(|(_, value)| value.as_str());
    let id = made.body.get("id").and_then(Value::as_str).and_then(|id| KeyId::parse(id).ok());
    let (Some(secret), Some(id)) = (once, id) else {
        return problem(StatusCode::INTERNAL_SERVER_ERROR, "the key was made without a secret");
    };
    // Only now: a program that has its key uses it at once.
    if control.connect.grant(&code, &id, &Secret::new(secret.to_owned()), control.clock.mono()) {
        return (StatusCode::CREATED, Json(made.body)).into_response();
    }
    // The session ended in between, and nobody knows the secret of this key.
    let path = format!("/keys/{id}/revoke");
    let directory = Arc::clone(&control.directory);
    match blocking(move || Ok(operate(&directory, &path, named, String::new()))).await {
        Ok(Ok(_)) => none(),
        Ok(Err(refusal)) => refusal,
        Err(response) => response,
    }
}

/// As the machine's operator; `request` is the name in the audit log.
fn operate(directory: &Directory, path: &str, request: String, body: String) -> Result<Reply, Response> {
    let incoming = Incoming {
        method: "POST".to_owned(),
        path: path.to_owned(),
        query: String::new(),
        headers: HeaderMap::new(),
        body: body.into_bytes(),
        address: None,
        request,
    };
    answer_operator(directory, &incoming).map_err(|problem| of_problem(&problem))
}
