//! A native stream that the hub may have to end before its time. Its last event
//! repeats the whole answer, so what is passed on is noted until then.

use super::usage::write_usage;
use crate::chat::{Object, parse, write_object};
use crate::error::Failure;
use crate::types::Usage;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The most text that is noted. A longer answer cannot be ended well.
const MOST_BYTES: usize = 64 * 1024 * 1024;

/// The answer of a native stream, as far as it has come.
#[derive(Debug, Default)]
pub struct Unfinished {
    /// The response object of the first event, without its output.
    response: Map<String, Value>,
    /// By where they stand in the output, with whether they are whole.
    items: BTreeMap<u64, (Value, bool)>,
    /// The number of the next event.
    number: u64,
    bytes: usize,
    /// Events that may not go to the caller any more.
    pending: Vec<Vec<u8>>,
}

#[derive(Deserialize)]
struct EventIn {
    #[serde(rename = "type")]
    kind: String,
    sequence_number: Option<u64>,
    output_index: Option<u64>,
    content_index: Option<usize>,
    summary_index: Option<usize>,
    response: Option<Map<String, Value>>,
    item: Option<Value>,
    part: Option<Value>,
    delta: Option<String>,
}

/// Where a delta belongs: the list of an item, and the member that grows.
const GROWS: &[(&str, Option<&str>, &str)] = &[
    ("response.output_text.delta", Some("content"), "text"),
    ("response.reasoning_text.delta", Some("content"), "text"),
    ("response.refusal.delta", Some("content"), "refusal"),
    ("response.reasoning_summary_text.delta", Some("summary"), "text"),
    ("response.function_call_arguments.delta", None, "arguments"),
    ("response.mcp_call_arguments.delta", None, "arguments"),
    ("response.custom_tool_call_input.delta", None, "input"),
];

impl Unfinished {
    /// Takes the data of an event that has come.
    pub fn take(&mut self, data: &[u8]) {
        self.pending.push(data.to_vec());
    }

    /// What has come is with the caller.
    pub fn forwarded(&mut self) {
        std::mem::take(&mut self.pending).iter().for_each(|data| self.note(data));
    }

    /// Notes the data of an event. What is no event of this dialect changes nothing.
    fn note(&mut self, data: &[u8]) {
        self.bytes = self.bytes.saturating_add(data.len());
        let Ok(event) = parse::<EventIn>(data) else { return };
        if self.bytes > MOST_BYTES {
            self.items.clear();
            return;
        }
        self.number = event.sequence_number.map_or(self.number, |number| number.saturating_add(1));
        let index = event.output_index.unwrap_or_default();
        match (event.kind.as_str(), event.item) {
            ("response.output_item.added", Some(item)) => drop(self.items.insert(index, (item, false))),
            ("response.output_item.done", Some(item)) => drop(self.items.insert(index, (item, true))),
            _ => {}
        }
        if let Some(response) = event.response {
            self.response = response;
        }
        let Some((item, _)) = self.items.get_mut(&index) else { return };
        let at = event.content_index.or(event.summary_index).unwrap_or_default();
        match (event.kind.as_str(), event.part) {
            ("response.content_part.added", Some(part)) => put(item, "content", at, part),
            ("response.reasoning_summary_part.added", Some(part)) => put(item, "summary", at, part),
            (kind, _) => {
                let grows = GROWS.iter().find(|(known, ..)| *known == kind);
                if let (Some((_, list, member)), Some(delta)) = (grows, event.delta) {
                    grow(item, *list, at, member, &delta);
                }
            }
        }
    }

    /// Ends the stream as an answer that is too long, with what the caller has, and says why. `None`: too
    /// little or too much has come for that.
    pub fn end(&self, usage: &Usage, why: &Failure) -> Option<Vec<u8>> {
        if self.response.is_empty() || self.bytes > MOST_BYTES {
            return None;
        }
        let (mut out, mut number) = (Vec::with_capacity(1024), self.number);
        let mut output = Vec::with_capacity(self.items.len());
        for (index, (item, is_whole)) in &self.items {
            let mut item = item.clone();
            if !is_whole {
                end_parts(&mut out, &mut number, *index, &item);
                if let Some(members) = item.as_object_mut().filter(|members| members.contains_key("status")) {
                    members.insert("status".to_owned(), "incomplete".into());
                }
                write_event(&mut out, &mut number, "response.output_item.done", |event| {
                    event.put("output_index", index);
                    event.put("item", &item);
                });
            }
            output.push(item);
        }
        write_event(&mut out, &mut number, "response.incomplete", |event| {
            event.object("response", |response| {
                let told = ["status", "incomplete_details", "output", "usage", "completed_at"];
                for (name, value) in self.response.iter().filter(|(name, _)| !told.contains(&name.as_str())) {
                    response.put(name, value);
                }
                response.put("status", "incomplete");
                response.object("incomplete_details", |details| {
                    details.put("reason", "max_output_tokens");
                    details.put("message", why.public.as_ref());
                });
                response.put("output", &output);
                response.object("usage", |object| write_usage(object, usage));
            });
        });
        Some(out)
    }
}

/// Ends the last text of a message, the only one that can be open.
fn end_parts(out: &mut Vec<u8>, number: &mut u64, index: u64, item: &Value) {
    let id = item.get("id").and_then(Value::as_str).unwrap_or_default();
    if item.get("type").and_then(Value::as_str) != Some("message") {
        return;
    }
    let last =
        item.get("content").and_then(Value::as_array).and_then(|parts| Some((parts.len(), parts.last()?)));
    let Some((count, part)) = last else { return };
    let kinds = [("text", "response.output_text.done"), ("refusal", "response.refusal.done")];
    let said = kinds.iter().find_map(|(member, kind)| Some((member, kind, part.get(*member)?)));
    let at = |event: &mut Object<'_>| {
        event.put("item_id", id);
        event.put("output_index", &index);
        event.put("content_index", &count.saturating_sub(1));
    };
    if let Some((member, kind, text)) = said {
        write_event(out, number, kind, |event| {
            at(event);
            event.put(member, text);
            if *member == "text" {
                event.put("logprobs", &[(); 0]);
            }
        });
    }
    write_event(out, number, "response.content_part.done", |event| {
        at(event);
        event.put("part", part);
    });
}

fn write_event(out: &mut Vec<u8>, number: &mut u64, kind: &str, members: impl FnOnce(&mut Object<'_>)) {
    out.extend_from_slice(format!("event: {kind}\ndata: ").as_bytes());
    write_object(out, |event| {
        event.put("type", kind);
        event.put("sequence_number", number);
        members(event);
    });
    out.extend_from_slice(b"\n\n");
    *number = number.saturating_add(1);
}

/// Puts a part at its place, which is the end of its list.
fn put(item: &mut Value, list: &str, at: usize, part: Value) {
    let Some(members) = item.as_object_mut() else { return };
    let parts = members.entry(list).or_insert_with(|| Value::Array(Vec::new()));
    if let Some(parts) = parts.as_array_mut()
        && parts.len() == at
    {
        parts.push(part);
    }
}

fn grow(item: &mut Value, list: Option<&str>, at: usize, member: &str, delta: &str) {
    let holder = match list {
        Some(list) => item.get_mut(list).and_then(|parts| parts.get_mut(at)),
        None => Some(item),
    };
    if let Some(Value::String(text)) = holder.and_then(|holder| holder.get_mut(member)) {
        text.push_str(delta);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;
    use serde_json::json;

    fn events(out: &[u8]) -> Vec<Value> {
        let text = std::str::from_utf8(out).unwrap();
        text.lines().filter_map(|line| serde_json::from_str(line.strip_prefix("data: ")?).ok()).collect()
    }

    fn taken(data: &[Value]) -> Unfinished {
        let mut unfinished = Unfinished::default();
        for (number, event) in data.iter().enumerate() {
            let mut event = event.clone();
            event["sequence_number"] = json!(number);
            unfinished.take(event.to_string().as_bytes());
        }
        unfinished.forwarded();
        // What was read and not passed on is not in the end either.
        unfinished
            .take(br#"{"type":"response.output_text.delta","output_index":1,"content_index":0,"delta":"!"}"#);
        unfinished
    }

    fn why() -> Failure {
        Failure::new(Kind::NoFunds, "no credits")
    }

    #[test]
    fn what_has_come_is_said_again_and_what_is_open_is_incomplete() {
        let call = json!({ "type": "function_call", "id": "fc", "call_id": "c", "name": "f", "arguments": "", "status": "in_progress" });
        let done = json!({ "type": "reasoning", "id": "rs", "summary": [], "encrypted_content": "e" });
        let message = json!({ "type": "message", "id": "msg", "role": "assistant", "status": "in_progress", "content": [] });
        let part = json!({ "type": "output_text", "text": "", "annotations": [] });
        let unfinished = taken(&[
            json!({ "type": "response.created", "response": { "id": "resp_1", "object": "response", "status": "in_progress", "output": [], "usage": null, "metadata": { "a": "b" } } }),
            json!({ "type": "response.output_item.added", "output_index": 0, "item": { "type": "reasoning", "id": "rs", "summary": [] } }),
            json!({ "type": "response.output_item.done", "output_index": 0, "item": done }),
            json!({ "type": "response.output_item.added", "output_index": 1, "item": message }),
            json!({ "type": "response.content_part.added", "output_index": 1, "content_index": 0, "item_id": "msg", "part": part }),
            json!({ "type": "response.output_text.delta", "output_index": 1, "content_index": 0, "delta": "Hel" }),
            json!({ "type": "response.output_text.delta", "output_index": 1, "content_index": 0, "delta": "lo" }),
            json!({ "type": "response.output_item.added", "output_index": 2, "item": call }),
            json!({ "type": "response.function_call_arguments.delta", "output_index": 2, "delta": "{\"a\"" }),
        ]);
        let usage = Usage { input: 3, output: 4, ..Usage::default() };
        let said = events(&unfinished.end(&usage, &why()).unwrap());
        let kinds: Vec<&str> = said.iter().map(|event| event["type"].as_str().unwrap()).collect();
        let expected = [
            "response.output_text.done",
            "response.content_part.done",
            "response.output_item.done",
            "response.output_item.done",
            "response.incomplete",
        ];
        assert_eq!(kinds, expected);
        let numbers: Vec<u64> = said.iter().map(|event| event["sequence_number"].as_u64().unwrap()).collect();
        assert_eq!(numbers, [9, 10, 11, 12, 13]);
        let response = &said[4]["response"];
        assert_eq!((&response["id"], &response["status"]), (&json!("resp_1"), &json!("incomplete")));
        assert_eq!(response["metadata"], json!({ "a": "b" }));
        assert_eq!(
            response["incomplete_details"],
            json!({ "reason": "max_output_tokens", "message": "no credits" })
        );
        assert_eq!(
            (&response["usage"]["input_tokens"], &response["usage"]["total_tokens"]),
            (&json!(3), &json!(7))
        );
        assert_eq!(response["output"][0], done);
        assert_eq!(response["output"][1]["content"][0]["text"], "Hello");
        assert_eq!(
            (&response["output"][1]["status"], &response["output"][2]["arguments"]),
            (&json!("incomplete"), &json!("{\"a\""))
        );
    }

    #[test]
    fn nothing_is_made_up_of_a_stream_that_never_began() {
        assert!(
            taken(&[json!({ "type": "response.output_text.delta", "delta": "a" })])
                .end(&Usage::default(), &why())
                .is_none()
        );
        let mut odd = Unfinished::default();
        for data in [
            "",
            "[]",
            "{}",
            r#"{"type":1}"#,
            r#"{"type":"response.content_part.added","content_index":99,"part":{}}"#,
        ] {
            odd.take(data.as_bytes());
        }
        odd.forwarded();
        assert!(odd.end(&Usage::default(), &why()).is_none());
    }
}
