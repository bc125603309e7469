//! What the hub answers by itself: models, token counts, health.

use super::Plane;
use super::decide::{COUNT_BUDGET, count_input, model as find};
use super::talk;
use crate::chat::Dialect;
use crate::config::{Caller, Snapshot};
use crate::error::{Failure, Kind, Result};
use crate::tokens::{self, Count, Family};
use crate::types::Op;
use crate::wire::anthropic;
use crate::wire::openai::{self, Request};
use crate::wire::openai_responses;
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

/// `GET /v1/models`: what the key may use.
pub(super) fn models(snapshot: &Snapshot, caller: &Caller) -> Bytes {
    let names = snapshot.model_names();
    let data: Vec<_> =
        names.iter().filter(|name| caller.key.models.allows(name)).map(|name| entry(name)).collect();
    json!({ "object": "list", "data": data, "has_more": false }).to_string().into()
}

/// `GET /v1/models/{id}`
pub(super) fn model(snapshot: &Snapshot, caller: &Caller, id: &str) -> Result<Bytes> {
    find(snapshot, caller, id)?;
    Ok(entry(id).to_string().into())
}

fn entry(name: &str) -> serde_json::Value {
    let owner = name.split_once('/').map_or("aigne-hub", |(owner, _)| owner);
    // Both OpenAI's fields and Anthropic's, so that either client can list.
    json!({
        "id": name, "object": "model", "created": 0, "owned_by": owner,
        "type": "model", "display_name": name, "created_at": "1970-01-01T00:00:00Z",
    })
}

/// `POST /v1/tokenize`: counts what a request, or a plain `text`, comes to.
pub(super) fn tokenize(snapshot: &Snapshot, caller: &Caller, body: &Bytes) -> Result<Counted> {
    let request = Request::read(Op::Tokenize, body)?;
    let found = find(snapshot, caller, &request.model)?;
    let upstream = found.targets.first().map_or(request.model.as_str(), |t| &*t.upstream_model);
    let (family, known) = tokens::family(upstream);
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

/// `POST /v1/responses/input_tokens`: the same, of a request for a response with its conversation.
pub(super) fn input_tokens(
    plane: &Plane,
    snapshot: &Snapshot,
    caller: &Caller,
    body: &Bytes,
) -> Result<Bytes> {
    let opened = talk::open(plane, snapshot, caller, body, plane.clock.wall())?;
    let request = Request::read_in(Dialect::OpenAiResponses, Op::Chat, &opened.body)?;
    let found = find(snapshot, caller, &request.model)?;
    let upstream = found.targets.first().map_or(request.model.as_str(), |t| &*t.upstream_model);
    Ok(openai_responses::token_count(count_input(Op::Chat, upstream, &opened.body)).into())
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
        let encoding = match self.family {
            Family::O200k => "o200k_base",
            Family::Cl100k => "cl100k_base",
        };
        let answer = json!({
            "object": "token_count",
            "model": self.model,
            "tokens": self.total.tokens,
            "exact": self.total.exact,
            "encoding": encoding,
        });
        answer.to_string().into()
    }

    /// The answer of Anthropic's `/v1/messages/count_tokens`.
    pub(super) fn as_anthropic(&self) -> Bytes {
        anthropic::count_tokens_body(self.total.tokens).into()
    }
}

fn has_input(body: &Bytes) -> bool {
    let fields: std::collections::BTreeMap<String, serde::de::IgnoredAny> =
        serde_json::from_slice(body).unwrap_or_default();
    ["text", "input", "messages", "prompt"].iter().any(|name| fields.contains_key(*name))
}
