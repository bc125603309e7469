//! OpenAI's Responses as the caller's dialect: whichever vendor answers, the
//! objects and events are what its clients know, conversations are remembered
//! by the hub and by nobody else's key, and the books are exact.

mod errors;
mod native;
mod remembered;
mod translated;

use super::anthropic::{buckets, entry, with};
use super::support::conf::{KEY, SECOND_KEY};
use super::support::*;
use serde_json::{Value, json};

/// A request for a response with one message.
fn ask(more: Value) -> Request {
    Request::post("/v1/responses", &with(json!({ "model": "gpt", "input": "hi" }), more)).key(KEY)
}

/// What a stream said, held to its rules on the way.
#[derive(Debug, Default)]
struct Told {
    kinds: Vec<String>,
    events: Vec<Value>,
    text: String,
    error: Option<Value>,
    /// The response of the last event, if it is one that ends.
    whole: Option<Value>,
}

impl Told {
    fn read(body: &[u8]) -> Self {
        let mut told = Self::default();
        for event in String::from_utf8_lossy(body).split("\n\n").filter(|event| !event.is_empty()) {
            if event.starts_with(':') {
                continue;
            }
            let (name, data) = event.split_once('\n').unwrap_or_else(|| panic!("no name: {event:?}"));
            let data = data.strip_prefix("data: ").unwrap_or_else(|| panic!("no data: {event:?}"));
            let data: Value = serde_json::from_str(data).unwrap_or_else(|error| panic!("{error}: {data:?}"));
            assert_eq!(name.strip_prefix("event: "), data["type"].as_str(), "{event}");
            told.take(data);
        }
        told
    }

    fn take(&mut self, event: Value) {
        assert!(self.whole.is_none() && self.error.is_none(), "an event after the last: {event}");
        assert_eq!(event["sequence_number"], self.events.len(), "{event}");
        let kind = event["type"].as_str().unwrap_or_default().to_owned();
        match kind.as_str() {
            "response.output_text.delta" => self.text.push_str(event["delta"].as_str().unwrap()),
            "response.completed" | "response.incomplete" => self.whole = Some(event["response"].clone()),
            "error" => self.error = Some(event.clone()),
            _ => {}
        }
        self.kinds.push(kind);
        self.events.push(event);
    }

    /// Fails unless the stream came to its proper end; gives the response.
    #[track_caller]
    fn expect_whole(self) -> Value {
        assert!(self.error.is_none(), "{self:?}");
        self.whole.unwrap_or_else(|| panic!("no end: {:?}", self.kinds))
    }

    /// Fails unless the stream broke off in the one honest way.
    #[track_caller]
    fn expect_broken(&self, code: &str) {
        assert!(self.whole.is_none(), "{self:?}");
        assert_eq!(self.error.as_ref().unwrap_or_else(|| panic!("{self:?}"))["code"], code);
    }
}
