//! What the hub answers by itself: token counts, health.

use super::Plane;
use super::decide::model as find;
use super::hold::COUNT_BUDGET;
use crate::config::{Caller, Snapshot, Target};
use crate::error::{Failure, Kind, Result};
use crate::tokens::{self, Count, Family};
use crate::types::Op;
use crate::wire::openai::{self, Request};
use crate::wire::{anthropic, gemini};
use bytes::Bytes;
use serde_json::json;

/// `GET /` and `/healthz`.
pub(super) fn home() -> Bytes {
    json!({ "name": "aigne-hub", "version": env!("CARGO_PKG_VERSION"), "status": "ok" }).to_string().into()
}

/// `GET /readyz`: can traffic be served? A ledger that cannot be written does not take the hub out
/// of rotation, but it is said.
pub(super) fn readiness(plane: &Plane) -> Bytes {
    let snapshot = plane.snapshot.load();
    let status = if plane.drain.draining() { "draining" } else { "ready" };
    json!({
        "status": status,
        "ledger": if plane.store.healthy() { "ok" } else { "failing" },
        "configuration": snapshot.version,
    })
    .to_string()
    .into()
}

/// `GET /v1beta/models`, all on one page.
pub(super) fn google_models(snapshot: &Snapshot, caller: &Caller) -> Bytes {
    let names = snapshot.model_names();
    let allowed = names.iter().filter(|name| caller.key.models.allows(name));
    let models: Vec<_> = allowed.map(|name| google_entry(name)).collect();
    json!({ "models": models }).to_string().into()
}

/// `GET /v1beta/models/{id}`
pub(super) fn google_model(snapshot: &Snapshot, caller: &Caller, id: &str) -> Result<Bytes> {
    find(snapshot, caller, id)?;
    Ok(google_entry(id).to_string().into())
}

fn google_entry(name: &str) -> serde_json::Value {
    json!({
        "name": format!("models/{name}"), "version": "001", "displayName": name,
        "supportedGenerationMethods": [
            "generateContent", "streamGenerateContent", "countTokens", "embedContent", "batchEmbedContents",
        ],
    })
}

/// `POST /v1/tokenize`: counts what a request, or a plain `text`, comes to.
pub(super) fn tokenize(snapshot: &Snapshot, caller: &Caller, body: &Bytes) -> Result<Counted> {
    let request = Request::read(Op::Tokenize, body)?;
    let found = find(snapshot, caller, &request.model)?;
    let target = found.targets.first();
    let upstream = target.map_or(request.model.as_str(), |t| &*t.upstream_model);
    let (family, known) = target.map_or_else(|| tokens::family(upstream), Target::family);
    let mut total = Count { tokens: 0, exact: known };
    openai::texts(Op::Tokenize, body, &mut |text| {
        let count = tokens::count(family, text, COUNT_BUDGET * 25);
        total = Count { tokens: total.tokens + count.tokens, exact: total.exact && count.exact };
    });
    openai::images(body, &mut |image| {
        let size = image.as_ref().map(|i| (i.width, i.height));
        let low = image.as_ref().is_some_and(|i| i.low_detail);
        total = Count { tokens: total.tokens + tokens::image(upstream, size, low), exact: false };
    });
    if total.tokens == 0 && !has_input(body) {
        let text = "Send 'text', 'input' or 'messages' to count";
        return Err(Failure::new(Kind::InvalidRequest, text).param("messages"));
    }
    Ok(Counted { model: request.model, family, total })
}

/// What a request comes to.
pub(super) struct Counted {
    model: String,
    family: Family,
    total: Count,
}

impl Counted {
    /// The answer of `/v1/tokenize`.
    pub(super) fn shown(&self) -> Bytes {
        let answer = json!({
            "object": "token_count",
            "model": self.model,
            "tokens": self.total.tokens,
            "exact": self.total.exact,
            "encoding": self.family.name(),
        });
        answer.to_string().into()
    }

    /// The answer of Google's `countTokens`.
    pub(super) fn as_google(&self) -> Bytes {
        gemini::count_told(self.total.tokens).into()
    }

    /// The answer of Anthropic's `/v1/messages/count_tokens`.
    pub(super) fn as_anthropic(&self) -> Bytes {
        anthropic::count_tokens_body(self.total.tokens).into()
    }
}

fn has_input(body: &Bytes) -> bool {
    let fields: std::collections::BTreeMap<String, serde::de::IgnoredAny> =
        serde_json::from_slice(body).unwrap_or_default();
    ["text", "input", "messages", "prompt", "contents"].iter().any(|name| fields.contains_key(*name))
}
