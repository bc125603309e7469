//! OpenAI's Responses as far as the hub can notice: what the endpoint refuses,
//! and answers of a model that always says `Hello there`. It keeps nothing.

use super::vendor::{INPUT_TOKENS, OUTPUT_TOKENS, PIECES, Refusal, TEXT};
use super::{Reply, Seen, vendor};
use serde_json::{Value, json};

pub const MODELS: [&str; 2] = ["gpt-4o", "gpt-5"];

const FIELDS: &[&str] = &[
    "model",
    "input",
    "include",
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "metadata",
    "parallel_tool_calls",
    "prompt",
    "prompt_cache_key",
    "reasoning",
    "safety_identifier",
    "service_tier",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "truncation",
    "user",
];

/// Refuses what the endpoint refuses.
pub fn check(seen: &Seen) -> Result<(), Refusal> {
    if seen.path != "/v1/responses" {
        return Err(refuse(404, "unknown_url", &format!("Invalid URL ({} {})", seen.method, seen.path)));
    }
    if !vendor::CREDENTIALS.contains(&seen.credential()) {
        return Err(refuse(401, "invalid_api_key", "Incorrect API key provided."));
    }
    let body = seen.json();
    let Some(members) = body.as_object() else { return Err(refuse(400, "invalid_json", "no JSON object")) };
    if let Some(unknown) = members.keys().find(|name| !FIELDS.contains(&name.as_str())) {
        return Err(refuse(400, "unknown_parameter", &format!("Unknown parameter: '{unknown}'.")));
    }
    let model = body["model"].as_str().unwrap_or_default();
    if !MODELS.contains(&model) {
        return Err(refuse(
            400,
            "model_not_found",
            &format!("The requested model '{model}' does not exist."),
        ));
    }
    let encrypted =
        body["include"].as_array().is_some_and(|list| list.contains(&json!("reasoning.encrypted_content")));
    if encrypted && !model.starts_with("gpt-5") {
        return Err(refuse(400, "invalid_value", "Encrypted content is not supported with this model."));
    }
    match &body["input"] {
        Value::String(_) => Ok(()),
        Value::Array(items) => items.iter().try_for_each(|item| check_item(item, &body["store"])),
        _ => Err(refuse(400, "missing_required_parameter", "Missing required parameter: 'input'.")),
    }
}

fn check_item(item: &Value, store: &Value) -> Result<(), Refusal> {
    let wrong = |text: &str| Err(refuse(400, "invalid_value", &format!("{text}: {item}")));
    let call_id = item["call_id"].as_str();
    match item["type"].as_str().unwrap_or("message") {
        "message" if !item["role"].is_string() => wrong("a message without a role"),
        "message" if item["id"].as_str().is_some_and(|id| !id.starts_with("msg")) => {
            wrong("no id of a message")
        }
        "function_call" | "function_call_output" if call_id.is_none_or(|id| id.len() > 64) => {
            wrong("no call_id")
        }
        "reasoning" if item["encrypted_content"].is_null() && store == false => {
            wrong("Items are not persisted when `store` is set to false")
        }
        "reasoning" if item["encrypted_content"].as_str().is_some_and(|text| text.starts_with('~')) => {
            wrong("The encrypted content could not be verified")
        }
        "message" | "function_call" | "function_call_output" | "reasoning" | "web_search_call" => Ok(()),
        _ => wrong("an unknown item"),
    }
}

fn refuse(status: u16, code: &str, message: &str) -> Refusal {
    let error = json!({ "message": message, "type": "invalid_request_error", "param": null, "code": code });
    (format!("{code}: {message}"), Reply::json(status, &json!({ "error": error })))
}

/// What the model answers to any request that the rules let through.
pub fn answer(seen: &Seen) -> Reply {
    saying(seen, TEXT, &PIECES)
}

/// The same with another text.
pub fn saying(seen: &Seen, text: &str, pieces: &[&str]) -> Reply {
    let body = seen.json();
    let calls = body["tools"].as_array().is_some_and(|tools| !tools.is_empty());
    let output = if calls { json!([call()]) } else { json!([message(text)]) };
    let whole = response(&body, "completed", &output, &usage());
    match body["stream"] == true {
        false => Reply::json(200, &whole).header("x-request-id", "req_mock"),
        true if calls => finish(call_events(begin(&body)), &whole),
        true => finish(text_events(begin(&body), pieces), &whole),
    }
}

/// A response object.
pub fn response(asked: &Value, status: &str, output: &Value, usage: &Value) -> Value {
    let or = |name: &str, default: Value| asked.get(name).cloned().unwrap_or(default);
    json!({
        "id": "resp_mock", "object": "response", "created_at": 1_767_225_600, "status": status,
        "error": null, "incomplete_details": null, "instructions": asked["instructions"],
        "model": asked["model"], "output": output, "parallel_tool_calls": true, "temperature": 1.0,
        "tool_choice": or("tool_choice", json!("auto")), "tools": or("tools", json!([])), "top_p": 1.0,
        "previous_response_id": null, "text": { "format": { "type": "text" } }, "usage": usage,
        "store": asked["store"], "metadata": {}, "novelty": { "a": 1 },
    })
}

pub fn usage() -> Value {
    json!({
        "input_tokens": INPUT_TOKENS, "input_tokens_details": { "cached_tokens": 0, "cache_write_tokens": 0 },
        "output_tokens": OUTPUT_TOKENS, "output_tokens_details": { "reasoning_tokens": 0 },
        "total_tokens": INPUT_TOKENS + OUTPUT_TOKENS,
    })
}

pub fn message(text: &str) -> Value {
    json!({ "id": "msg_mock", "type": "message", "status": "completed", "role": "assistant",
            "content": [{ "type": "output_text", "text": text, "annotations": [], "logprobs": [] }] })
}

pub fn call() -> Value {
    json!({ "id": "fc_mock", "type": "function_call", "status": "completed", "call_id": "call_mock",
            "name": "get_weather", "arguments": "{\"city\":\"Bern\"}" })
}

/// A stream in the making, which numbers its events.
pub struct Script {
    reply: Reply,
    number: u64,
}

impl Script {
    pub fn new() -> Self {
        Self { reply: Reply::sse(), number: 0 }
    }

    /// One event of this type.
    pub fn event(mut self, kind: &str, mut more: Value) -> Self {
        let event = more.as_object_mut().unwrap();
        event.insert("type".to_owned(), json!(kind));
        event.insert("sequence_number".to_owned(), json!(self.number));
        self.number += 1;
        self.reply = self.reply.raw(format!("event: {kind}\ndata: {more}\n\n"));
        self
    }

    /// Anything else that happens.
    pub fn then(mut self, step: impl FnOnce(Reply) -> Reply) -> Self {
        self.reply = step(self.reply);
        self
    }

    pub fn reply(self) -> Reply {
        self.reply
    }
}

/// Everything before the first content.
pub fn begin(asked: &Value) -> Script {
    let empty = response(asked, "in_progress", &json!([]), &Value::Null);
    Script::new()
        .event("response.created", json!({ "response": empty }))
        .event("response.in_progress", json!({ "response": empty }))
}

pub fn delta(script: Script, piece: &str) -> Script {
    script.event(
        "response.output_text.delta",
        json!({ "item_id": "msg_mock", "output_index": 0, "content_index": 0, "delta": piece, "logprobs": [] }),
    )
}

/// The message as far as its first delta.
pub fn begin_text(script: Script) -> Script {
    let empty = json!({ "id": "msg_mock", "type": "message", "status": "in_progress", "role": "assistant", "content": [] });
    let part = json!({ "type": "output_text", "text": "", "annotations": [], "logprobs": [] });
    script.event("response.output_item.added", json!({ "output_index": 0, "item": empty })).event(
        "response.content_part.added",
        json!({ "item_id": "msg_mock", "output_index": 0, "content_index": 0, "part": part }),
    )
}

fn text_events(script: Script, pieces: &[&str]) -> Script {
    let text = pieces.concat();
    let whole = message(&text);
    let script = pieces.iter().fold(begin_text(script), |script, piece| delta(script, piece));
    let place = json!({ "item_id": "msg_mock", "output_index": 0, "content_index": 0 });
    let with = |more: Value| {
        let mut all = place.clone();
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        all
    };
    script
        .event("response.output_text.done", with(json!({ "text": text, "logprobs": [] })))
        .event("response.content_part.done", with(json!({ "part": whole["content"][0] })))
        .event("response.output_item.done", json!({ "output_index": 0, "item": whole }))
}

fn call_events(script: Script) -> Script {
    let mut empty = call();
    (empty["arguments"], empty["status"]) = (json!(""), json!("in_progress"));
    let mut script = script.event("response.output_item.added", json!({ "output_index": 0, "item": empty }));
    for piece in ["{\"city\":", "\"Bern\"}"] {
        let more = json!({ "item_id": "fc_mock", "output_index": 0, "delta": piece });
        script = script.event("response.function_call_arguments.delta", more);
    }
    let whole = json!({ "item_id": "fc_mock", "output_index": 0, "name": "get_weather", "arguments": "{\"city\":\"Bern\"}" });
    script
        .event("response.function_call_arguments.done", whole)
        .event("response.output_item.done", json!({ "output_index": 0, "item": call() }))
}

/// The last event.
pub fn finish(script: Script, whole: &Value) -> Reply {
    let kind = format!("response.{}", whole["status"].as_str().unwrap_or_default());
    script.event(&kind, json!({ "response": whole })).reply()
}
