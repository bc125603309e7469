//! Anthropic's Messages on either side of the hub: whoever speaks which
//! dialect, nothing is lost unsaid, the books are exact, and every failure
//! arrives in the caller's own words.

mod choices;
mod errors;
mod from_caller;
mod native;
mod policy;
mod reach;
mod recall;
mod to_vendor;

use super::support::conf::KEY;
use super::support::*;
use serde_json::{Map, Value, json};

/// The model that the tests of the older kind run on.
const MODEL: &str = "claude-sonnet-4-5";

/// The model `gpt` on a vendor that speaks Anthropic's dialect.
fn claude(upstream: &Upstream, model: &str) -> Conf {
    Conf::of([Provider::anthropic("claude", upstream)]).model("gpt", &[&format!("claude/{model}")], &[])
}

/// A hub before a vendor of Anthropic's dialect that answers everything the same.
async fn before_claude(reply: Reply) -> (Upstream, Gateway) {
    let upstream = Upstream::anthropic(move |_| reply.clone()).await;
    let hub = Gateway::start(&claude(&upstream, MODEL).set("retry", "max_attempts = 1")).await;
    (upstream, hub)
}

/// A hub before a vendor of OpenAI's dialect that answers everything the same.
async fn before_gpt(reply: Reply) -> (Upstream, Gateway) {
    let upstream = Upstream::always(reply).await;
    let hub = Gateway::start(&Conf::one(&upstream).set("retry", "max_attempts = 1")).await;
    (upstream, hub)
}

pub(super) fn with(mut body: Value, more: Value) -> Value {
    let Value::Object(more) = more else { panic!("{more}") };
    body.as_object_mut().unwrap().extend(more);
    body
}

/// A chat in OpenAI's dialect.
pub(super) fn chat(more: Value) -> Request {
    let body = json!({ "model": "gpt", "messages": [{ "role": "user", "content": "hi" }] });
    Request::post("/v1/chat/completions", &with(body, more)).key(KEY)
}

/// A chat in Anthropic's dialect, with the key where its clients put it.
pub(super) fn messages(more: Value) -> Request {
    let body =
        json!({ "model": "gpt", "max_tokens": 100, "messages": [{ "role": "user", "content": "hi" }] });
    Request::post("/v1/messages", &with(body, more))
        .header("x-api-key", KEY)
        .header("anthropic-version", "2023-06-01")
}

/// What a stream in Anthropic's dialect said, held to its rules on the way.
#[derive(Debug, Default)]
pub(super) struct Spoken {
    kinds: Vec<String>,
    /// The blocks as they are when put together.
    pub(super) content: Vec<Value>,
    message: Value,
    pub(super) usage: Map<String, Value>,
    pub(super) stop_reason: Value,
    error: Option<Value>,
    stopped: bool,
}

impl Spoken {
    pub(super) fn read(body: &[u8]) -> Self {
        let mut spoken = Self::default();
        for event in String::from_utf8_lossy(body).split("\n\n").filter(|event| !event.is_empty()) {
            if event.starts_with(':') {
                continue;
            }
            let (name, data) = event.split_once('\n').unwrap_or_else(|| panic!("no name: {event:?}"));
            let data = data.strip_prefix("data: ").unwrap_or_else(|| panic!("no data: {event:?}"));
            let data: Value = serde_json::from_str(data).unwrap_or_else(|error| panic!("{error}: {data:?}"));
            assert_eq!(name.strip_prefix("event: "), data["type"].as_str(), "{event:?}");
            assert!(!spoken.stopped && spoken.error.is_none(), "an event behind the end: {event:?}");
            spoken.take(data);
        }
        spoken
    }

    fn take(&mut self, event: Value) {
        let kind = event["type"].as_str().unwrap_or_default().to_owned();
        let index = event["index"].as_u64().map_or(0, |index| usize::try_from(index).unwrap());
        assert!(self.kinds.is_empty() == (kind == "message_start") || kind == "error", "{event} first");
        match kind.as_str() {
            "message_start" => {
                self.message = event["message"].clone();
                self.usage = event["message"]["usage"].as_object().unwrap().clone();
            }
            "content_block_start" => {
                assert_eq!(index, self.content.len(), "blocks are numbered without gaps: {event}");
                self.content.push(with(event["content_block"].clone(), json!({ "open": true })));
            }
            "content_block_delta" => self.delta(index, &event["delta"]),
            "content_block_stop" => {
                let block = self.content[index].as_object_mut().unwrap();
                assert_eq!(block.remove("open"), Some(json!(true)), "closed twice: {event}");
                if let Some(Value::String(text)) = block.remove("partial") {
                    block.insert("input".into(), serde_json::from_str(&text).unwrap());
                }
            }
            "message_delta" => {
                let open = self.content.iter().any(|block| block.get("open").is_some());
                assert!(!open, "a block is still open: {self:?}");
                self.stop_reason = event["delta"]["stop_reason"].clone();
                self.usage.extend(event["usage"].as_object().unwrap().clone());
            }
            "message_stop" => self.stopped = true,
            "error" => self.error = Some(event["error"].clone()),
            _ => {}
        }
        self.kinds.push(kind);
    }

    fn delta(&mut self, index: usize, delta: &Value) {
        let (from, to) = match delta["type"].as_str() {
            Some("text_delta") => ("text", "text"),
            Some("thinking_delta") => ("thinking", "thinking"),
            Some("signature_delta") => ("signature", "signature"),
            Some("input_json_delta") => ("partial_json", "partial"),
            _ => panic!("{delta}"),
        };
        let block = self.content[index].as_object_mut().unwrap();
        assert!(block.contains_key("open"), "a delta of a closed block: {delta}");
        let before = block.get(to).and_then(Value::as_str).unwrap_or_default().to_owned();
        block.insert(to.into(), json!(before + delta[from].as_str().unwrap()));
    }

    /// Fails unless the stream came to its proper end.
    #[track_caller]
    pub(super) fn expect_whole(self) -> Self {
        assert!(self.stopped && self.error.is_none() && self.stop_reason.is_string(), "{self:?}");
        self
    }

    /// Fails unless it broke off in the one honest way.
    #[track_caller]
    pub(super) fn expect_broken(self, kind: &str) -> Self {
        let got = self.error.as_ref().and_then(|error| error["type"].as_str());
        assert_eq!((got, self.stopped, &self.stop_reason), (Some(kind), false, &Value::Null), "{self:?}");
        self
    }
}

/// The only entry of the books.
pub(super) async fn entry(hub: Gateway) -> Value {
    let mut books = hub.ledger().await;
    assert_eq!(books.len(), 1, "{books:?}");
    books.remove(0)
}

/// The filled buckets of an entry's usage.
pub(super) fn buckets(entry: &Value) -> Value {
    let mut usage = entry["usage"].as_object().unwrap().clone();
    usage.retain(|name, count| name != "requests" && *count != json!(0));
    Value::Object(usage)
}
