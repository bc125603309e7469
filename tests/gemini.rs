//! Gemini's own API behind the hub: callers of either dialect get what they
//! know, the vendor gets what it takes, and the books are exact.

mod embeddings;
mod errors;
mod from_anthropic;
mod signed;
mod streams;
mod to_vendor;

use super::anthropic::{Spoken, buckets, chat, entry, messages, with};
use super::support::*;
use gemini::{call, text, usage, whole};
use serde_json::{Value, json};

/// The model that is told to think by a budget.
const MODEL: &str = gemini::MODELS[0];
/// The model that wants its signatures back.
const SIGNING: &str = gemini::MODELS[1];

/// The model `gpt` on a vendor that speaks Gemini's dialect.
fn google(upstream: &Upstream, model: &str) -> Conf {
    Conf::of([Provider::gemini("google", upstream)]).model("gpt", &[&format!("google/{model}")], &[])
}

/// A hub before a vendor that answers everything the same.
async fn before(reply: Reply) -> (Upstream, Gateway) {
    let upstream = Upstream::gemini(move |_| reply.clone()).await;
    let hub = Gateway::start(&google(&upstream, MODEL).set("retry", "max_attempts = 1")).await;
    (upstream, hub)
}

/// A hub before a vendor that answers in this order.
async fn scripted(model: &str, replies: impl IntoIterator<Item = Reply>) -> (Upstream, Gateway) {
    let upstream = Upstream::gemini_script(replies).await;
    let hub = Gateway::start(&google(&upstream, model)).await;
    (upstream, hub)
}

fn tools() -> Value {
    let schema = json!({ "type": "object", "properties": { "city": { "type": ["string", "null"] } } });
    let function = |name: &str| json!({ "type": "function", "function": { "name": name, "description": "d", "parameters": schema } });
    json!([function("weather"), function("time")])
}

/// What a client of OpenAI's keeps of a call: its id, its name and its arguments.
fn kept(calls: &Value) -> Value {
    let keep = |call: &Value| {
        let function = &call["function"];
        let function = json!({ "name": function["name"], "arguments": function["arguments"] });
        json!({ "id": call["id"], "type": "function", "function": function })
    };
    calls.as_array().unwrap().iter().map(keep).collect()
}

/// The vendor's numbers with everything in them.
fn full_usage() -> Value {
    json!({ "promptTokenCount": 100, "cachedContentTokenCount": 40, "candidatesTokenCount": 20,
            "thoughtsTokenCount": 30, "totalTokenCount": 150 })
}
