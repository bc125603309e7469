//! The protocol of AIGNE's client at the hub's door, whatever the vendor
//! behind it speaks: its envelope, its deltas, its errors, and the questions
//! it asks before it sends anything.

mod captures;
mod chat;
mod client;
mod connect;
mod errors;
mod media;
mod mistakes;
mod questions;
mod resend;

use super::support::conf::{KEY, SECOND_KEY};
use super::support::*;
use serde_json::{Value, json};

/// A chat in the client's envelope: `input` over the usual one, `options` as they are.
fn envelope(input: Value, options: Value) -> Request {
    let mut whole = json!({
        "messages": [{ "role": "user", "content": "hi" }],
        "modelOptions": { "model": "gpt" }, "outputFileType": "url",
    });
    whole.as_object_mut().unwrap().extend(input.as_object().unwrap().clone());
    let body = json!({ "input": whole, "agent": "$CHAT_MODEL", "options": options });
    Request::post("/api/v2/chat", &body).key(KEY)
}

fn streamed(input: Value) -> Request {
    envelope(input, json!({ "streaming": true, "userContext": {}, "memories": [] }))
}

fn whole(input: Value) -> Request {
    envelope(input, json!({ "userContext": {}, "memories": [] }))
}

/// What a stream comes to, merged by the client's rules and held to them.
#[derive(Debug, Default)]
struct Merged {
    value: Value,
    error: Option<Value>,
    deltas: usize,
}

impl Merged {
    fn read(body: &[u8]) -> Self {
        let text = std::str::from_utf8(body).unwrap();
        let mut merged = Self { value: json!({}), ..Self::default() };
        for event in text.split("\n\n").filter(|event| !event.is_empty() && !event.starts_with(':')) {
            assert!(merged.error.is_none(), "an event behind the error: {event}");
            let mut data = event;
            let name = event.strip_prefix("event: ").map(|rest| {
                let (name, rest) = rest.split_once('\n').unwrap();
                data = rest;
                name
            });
            let data: Value = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
            match name {
                Some("error") => merged.error = Some(data),
                Some(name) => panic!("the client knows no event {name}"),
                None => merged.add(&data["delta"]),
            }
        }
        merged
    }

    fn add(&mut self, delta: &Value) {
        self.deltas += 1;
        let whole = self.value.as_object_mut().unwrap();
        for (field, value) in delta["json"].as_object().into_iter().flatten() {
            whole.insert(field.clone(), value.clone());
        }
        for (field, more) in delta["text"].as_object().into_iter().flatten() {
            let before = whole.get(field).and_then(Value::as_str).unwrap_or_default();
            let text = format!("{before}{}", more.as_str().unwrap());
            whole.insert(field.clone(), json!(text));
        }
        assert!(delta["json"].is_object() || delta["text"].is_object(), "{delta}");
    }

    fn expect_whole(self) -> Value {
        assert!(self.error.is_none(), "{self:?}");
        self.value
    }
}

/// The body as it is.
fn raw(answer: &Answer) -> String {
    String::from_utf8(answer.body.to_vec()).unwrap()
}

/// `input` and `output` tokens of an answer.
fn tokens(answer: &Value) -> (u64, u64) {
    let count = |field: &str| answer["usage"][field].as_u64().unwrap();
    (count("inputTokens"), count("outputTokens"))
}
