//! Amazon Bedrock behind the hub: callers of either dialect get what they know, the vendor
//! gets bodies of its own shape under signatures that it computes again, and the books are exact.

mod botocore;
mod embed;
mod errors;
mod from_anthropic;
mod keys;
mod streams;
mod to_vendor;

use super::anthropic::{Spoken, buckets, chat, entry, messages, with};
use super::support::*;
use bedrock::{CLAUDE, NOVA, OLD_CLAUDE, SIGNATURE, usage, whole, whole_with};
use serde_json::{Value, json};

/// The model `gpt` on a vendor that speaks Bedrock's dialect.
fn aws(upstream: &Upstream, model: &str) -> Conf {
    Conf::of([Provider::bedrock("aws", upstream)]).model("gpt", &[&format!("aws/{model}")], &[])
}

/// A hub before a vendor that answers everything the same.
async fn before(model: &str, reply: Reply) -> (Upstream, Gateway) {
    let upstream = Upstream::bedrock(move |_| reply.clone()).await;
    let hub = Gateway::start(&aws(&upstream, model).set("retry", "max_attempts = 1")).await;
    (upstream, hub)
}

/// A hub before a vendor that answers in this order.
async fn scripted(model: &str, replies: impl IntoIterator<Item = Reply>) -> (Upstream, Gateway) {
    let upstream = Upstream::bedrock_script(replies).await;
    let hub = Gateway::start(&aws(&upstream, model)).await;
    (upstream, hub)
}

fn tools() -> Value {
    let schema = json!({ "type": "object", "properties": { "city": { "type": "string" } } });
    let function = |name: &str| json!({ "type": "function", "function": { "name": name, "description": "d", "parameters": schema } });
    json!([function("weather"), function("time")])
}

fn text(text: &str) -> Value {
    json!({ "text": text })
}

fn call(id: &str, name: &str, input: Value) -> Value {
    json!({ "toolUse": { "toolUseId": id, "name": name, "input": input } })
}

/// The vendor's numbers with everything in them.
fn full_usage() -> Value {
    json!({ "inputTokens": 10, "outputTokens": 4, "totalTokens": 126, "cacheReadInputTokens": 105,
            "cacheWriteInputTokens": 7, "cacheDetails": [{ "ttl": "1h", "inputTokens": 4 }, { "ttl": "5m", "inputTokens": 3 }] })
}
