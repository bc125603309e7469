//! Keys of the embedded store: make, list, revoke. Every change reaches the
//! data plane before the answer is sent.

use super::{Control, blocking, problem};
use crate::access;
use crate::limit::Limits;
use crate::store::StoredKey;
use crate::types::{KeyId, Pico, TenantId, Wall};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;

/// What a new key may do; everything is optional.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NewKey {
    /// What people call it.
    pub name: String,
    /// Who pays; `default` when empty.
    pub tenant: String,
    /// Seconds from now until it expires.
    pub expires_in: Option<u64>,
    /// Names and globs; empty = all.
    pub models: Vec<String>,
    /// Addresses and CIDRs; empty = all.
    pub allow: Vec<String>,
    /// Addresses and CIDRs that are refused.
    pub deny: Vec<String>,
    /// Requests in any minute.
    pub requests_per_minute: Option<u64>,
    /// Tokens in any minute.
    pub tokens_per_minute: Option<u64>,
    /// Requests at the same time.
    pub concurrency: Option<u32>,
    /// Tokens a UTC day.
    pub day_tokens: Option<u64>,
    /// Tokens a UTC month.
    pub month_tokens: Option<u64>,
    /// Money a UTC day, a decimal string.
    pub day_cost: Option<Pico>,
    /// Money a UTC month, a decimal string.
    pub month_cost: Option<Pico>,
}

impl NewKey {
    /// Makes the key: its row, and the secret that is shown once.
    ///
    /// # Errors
    /// Says which field is wrong.
    pub fn make(self, pepper: &access::Pepper, now: Wall) -> Result<(StoredKey, String), String> {
        let mut random = [0; 32];
        getrandom::fill(&mut random).map_err(|e| format!("no randomness: {e}"))?;
        let new = access::generate(random);
        let tenant = if self.tenant.is_empty() { "default" } else { &self.tenant };
        let row = StoredKey {
            id: new.id,
            name: self.name.chars().take(200).collect::<String>().into(),
            tenant: TenantId::parse(tenant).map_err(|e| e.to_string())?,
            prefix: new.prefix.into(),
            hash: pepper.hash(new.secret.expose()),
            enabled: true,
            expires_at: self.expires_in.map(|s| now.after(std::time::Duration::from_secs(s))),
            models: self.models,
            allow: self.allow,
            deny: self.deny,
            limits: Limits {
                requests_per_minute: self.requests_per_minute,
                tokens_per_minute: self.tokens_per_minute,
                concurrency: self.concurrency,
                day_tokens: self.day_tokens,
                month_tokens: self.month_tokens,
                day_cost: self.day_cost,
                month_cost: self.month_cost,
            },
            created_at: now,
        };
        // Patterns and addresses are checked before anything is stored.
        row.key()?;
        Ok((row, new.secret.expose().to_owned()))
    }
}

/// A key as it is shown: never the secret, never the hash.
pub fn shown(row: &StoredKey) -> Value {
    json!({
        "id": row.id.as_str(),
        "name": &*row.name,
        "tenant": row.tenant.as_str(),
        "prefix": &*row.prefix,
        "enabled": row.enabled,
        "expires_at": row.expires_at.map(|at| at.seconds()),
        "created_at": row.created_at.seconds(),
        "models": row.models,
        "allow": row.allow,
        "deny": row.deny,
        "requests_per_minute": row.limits.requests_per_minute,
        "tokens_per_minute": row.limits.tokens_per_minute,
        "concurrency": row.limits.concurrency,
        "day_tokens": row.limits.day_tokens,
        "month_tokens": row.limits.month_tokens,
        "day_cost": row.limits.day_cost,
        "month_cost": row.limits.month_cost,
    })
}

pub(super) async fn list(State(control): State<Arc<Control>>) -> Response {
    let rows = blocking(move || control.store.keys().map_err(|e| e.to_string())).await;
    match rows {
        Ok(rows) => Json(json!({ "keys": rows.iter().map(shown).collect::<Vec<_>>() })).into_response(),
        Err(response) => response,
    }
}

pub(super) async fn create(State(control): State<Arc<Control>>, body: String) -> Response {
    let asked: NewKey = match serde_json::from_str(if body.trim().is_empty() { "{}" } else { &body }) {
        Ok(asked) => asked,
        Err(error) => return problem(StatusCode::BAD_REQUEST, error),
    };
    let (row, secret) = match asked.make(&(control.pepper)(), control.clock.wall()) {
        Ok(made) => made,
        Err(error) => return problem(StatusCode::BAD_REQUEST, error),
    };
    let mut answer = shown(&row);
    match store(control, row).await {
        Ok(()) => {
            if let Some(fields) = answer.as_object_mut() {
                fields.insert("secret".into(), Value::String(secret));
            }
            (StatusCode::CREATED, Json(answer)).into_response()
        }
        Err(response) => response,
    }
}

pub(super) async fn revoke(State(control): State<Arc<Control>>, Path(id): Path<String>) -> Response {
    let reading = Arc::clone(&control);
    let rows = match blocking(move || reading.store.keys().map_err(|e| e.to_string())).await {
        Ok(rows) => rows,
        Err(response) => return response,
    };
    let known = KeyId::parse(&id).ok().and_then(|id| rows.into_iter().find(|row| row.id == id));
    let Some(mut row) = known else {
        return problem(
            StatusCode::NOT_FOUND,
            "no such key in the store (keys of the file are revoked there)",
        );
    };
    row.enabled = false;
    let answer = shown(&row);
    match store(control, row).await {
        Ok(()) => Json(answer).into_response(),
        Err(response) => response,
    }
}

pub(super) async fn store(control: Arc<Control>, row: StoredKey) -> Result<(), Response> {
    blocking(move || {
        control.store.put_key(&row).map_err(|e| e.to_string())?;
        (control.reload)().map(drop)
    })
    .await
}
