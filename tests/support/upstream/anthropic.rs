//! Anthropic's API as far as the hub can notice: what it refuses, and answers
//! of a model that says the same as OpenAI's.

use super::vendor::{CREDENTIALS, INPUT_TOKENS, OUTPUT_TOKENS, PIECES, Refusal, TEXT, check_headers};
use super::{Reply, Seen};
use serde_json::{Map, Value, json};

/// Models that the vendor knows: of the newest and of an older kind.
pub const MODELS: [&str; 3] = ["claude-opus-4-8", "claude-sonnet-4-5", "claude-3-5-sonnet-20241022"];
/// A signature of thoughts.
pub const SIGNATURE: &str = "c2lnbmF0dXJl";

const FIELDS: &[&str] = &[
    "model",
    "messages",
    "max_tokens",
    "cache_control",
    "container",
    "context_management",
    "inference_geo",
    "mcp_servers",
    "metadata",
    "output_config",
    "output_format",
    "service_tier",
    "speed",
    "stop_sequences",
    "stream",
    "system",
    "temperature",
    "thinking",
    "tool_choice",
    "tools",
    "top_k",
    "top_p",
];

/// Refuses as the vendor would.
pub fn check(seen: &Seen) -> Result<(), Refusal> {
    check_headers(seen)?;
    check_door(seen)?;
    let Ok(Value::Object(body)) = serde_json::from_slice::<Value>(&seen.body) else {
        return Err(invalid("The request body is not valid JSON"));
    };
    for field in body.keys() {
        if !FIELDS.contains(&field.as_str()) {
            return Err(invalid(&format!("{field}: Extra inputs are not permitted")));
        }
    }
    match body.get("model").and_then(Value::as_str) {
        None => return Err(invalid("model: Field required")),
        Some(model) if !MODELS.contains(&model) => {
            let text = format!("model: {model}");
            return Err((text.clone(), error(404, "not_found_error", &text)));
        }
        Some(_) => {}
    }
    if body.get("max_tokens").and_then(Value::as_u64).unwrap_or(0) == 0 {
        return Err(invalid("max_tokens: Field required"));
    }
    check_sampling(&body)?;
    check_texts(body.get("system"), "system")?;
    check_messages(body.get("messages"))?;
    check_thoughts(&body)
}

fn check_door(seen: &Seen) -> Result<(), Refusal> {
    let keys: Vec<_> = seen.headers.iter().filter(|(name, _)| name == "x-api-key").collect();
    let known = matches!(keys.as_slice(), [(_, key)] if CREDENTIALS.contains(&key.as_str()));
    if !known || seen.header("authorization").is_some() {
        let text = "invalid x-api-key";
        return Err((text.to_owned(), error(401, "authentication_error", text)));
    }
    if seen.header("anthropic-version") != Some("2023-06-01") {
        return Err(invalid("anthropic-version: header is required"));
    }
    match (seen.method.as_str(), seen.path.split('?').next()) {
        ("POST", Some("/v1/messages")) => Ok(()),
        (method, path) => {
            let text = format!("{method} {path:?} not found");
            Err((text.clone(), error(404, "not_found_error", &text)))
        }
    }
}

fn check_sampling(body: &Map<String, Value>) -> Result<(), Refusal> {
    let model = body.get("model").and_then(Value::as_str).unwrap_or_default();
    if body.get("temperature").and_then(Value::as_f64).is_some_and(|t| !(0.0..=1.0).contains(&t)) {
        return Err(invalid("temperature: range: 0..1"));
    }
    for field in ["temperature", "top_p", "top_k"] {
        if model == "claude-opus-4-8" && body.contains_key(field) {
            return Err(invalid(&format!("`{field}` is deprecated for this model.")));
        }
    }
    if model == "claude-sonnet-4-5" && body.contains_key("temperature") && body.contains_key("top_p") {
        return Err(invalid("`temperature` and `top_p` cannot both be specified for this model."));
    }
    let thinking = body.get("thinking").map_or(&Value::Null, |thinking| thinking);
    if thinking["type"] == "enabled" {
        let budget = thinking["budget_tokens"].as_u64().unwrap_or(0);
        if budget < 1_024 || Some(budget) >= body.get("max_tokens").and_then(Value::as_u64) {
            return Err(invalid(
                "`max_tokens` must be greater than `thinking.budget_tokens` of at least 1024",
            ));
        }
    }
    Ok(())
}

/// Texts, wherever they stand, are not empty.
fn check_texts(content: Option<&Value>, place: &str) -> Result<(), Refusal> {
    let blocks = match content {
        None => return Ok(()),
        Some(Value::String(text)) if text.trim().is_empty() && place != "system" => {
            return Err(invalid(&format!("{place}: content must be non-empty")));
        }
        Some(Value::String(_)) => return Ok(()),
        Some(Value::Array(blocks)) => blocks,
        Some(_) => return Err(invalid(&format!("{place}: Input should be a valid list"))),
    };
    let blank = |block: &&Value| {
        block["type"] == "text" && block["text"].as_str().is_none_or(|text| text.trim().is_empty())
    };
    match blocks.iter().find(blank) {
        Some(_) => Err(invalid(&format!("{place}: text content blocks must be non-empty"))),
        None => Ok(()),
    }
}

fn check_messages(messages: Option<&Value>) -> Result<(), Refusal> {
    let Some([first, ..]) = messages.and_then(Value::as_array).map(Vec::as_slice) else {
        return Err(invalid("messages: at least one message is required"));
    };
    if first["role"] != "user" {
        return Err(invalid("messages: first message must use the \"user\" role"));
    }
    let mut called: Vec<String> = Vec::new();
    let mut before = "";
    for (number, message) in messages.and_then(Value::as_array).into_iter().flatten().enumerate() {
        let place = format!("messages.{number}");
        for field in message.as_object().into_iter().flat_map(Map::keys) {
            if !["role", "content"].contains(&field.as_str()) {
                return Err(invalid(&format!("{place}.{field}: Extra inputs are not permitted")));
            }
        }
        let role = match message["role"].as_str() {
            Some(role @ ("user" | "assistant")) => role,
            _ => return Err(invalid(&format!("{place}: Unexpected role"))),
        };
        // The real one merges them; whoever sends them has not thought about it.
        if role == before {
            return Err(invalid(&format!("{place}: roles must alternate")));
        }
        before = role;
        check_texts(message.get("content"), &place)?;
        let ids = |kind: &str, field: &str| -> Vec<String> {
            let blocks = message["content"].as_array().into_iter().flatten();
            let of_kind = blocks.filter(|block| block["type"] == kind);
            of_kind.map(|block| block[field].as_str().unwrap_or_default().to_owned()).collect()
        };
        check_results(&place, &called, &ids("tool_result", "tool_use_id"), message)?;
        called = ids("tool_use", "id");
    }
    Ok(())
}

/// Who thinks on amid calls of tools has to bring its thoughts; and they are as they were.
fn check_thoughts(body: &Map<String, Value>) -> Result<(), Refusal> {
    let empty = Vec::new();
    let messages = body.get("messages").and_then(Value::as_array).unwrap_or(&empty);
    let blocks = |message: &Value| message["content"].as_array().cloned().unwrap_or_default();
    let thinks = body.get("thinking").is_some_and(|thinking| thinking["type"] == "enabled");
    let mut answers = messages.iter().filter(|message| message["role"] == "assistant");
    if answers
        .clone()
        .flat_map(blocks)
        .any(|block| block["type"] == "thinking" && block["signature"] != SIGNATURE)
    {
        return Err(invalid("messages: Invalid `signature` in `thinking` block"));
    }
    let amid =
        messages.last().is_some_and(|last| blocks(last).iter().any(|block| block["type"] == "tool_result"));
    let last = answers.next_back().map(blocks).unwrap_or_default();
    let begins = last.first().map(|block| block["type"].clone());
    match begins {
        Some(kind) if thinks && amid && kind != "thinking" && kind != "redacted_thinking" => {
            let text = format!("messages: Expected `thinking` or `redacted_thinking`, but found `{kind}`");
            Err(invalid(&text))
        }
        _ => Ok(()),
    }
}

/// All results of the calls just made, and they come first; no result of anything else.
fn check_results(place: &str, called: &[String], results: &[String], message: &Value) -> Result<(), Refusal> {
    let (mut wanted, mut got) = (called.to_vec(), results.to_vec());
    wanted.sort();
    got.sort();
    if wanted != got {
        let text =
            format!("{place}: `tool_use` ids {wanted:?} and `tool_result` blocks {got:?} do not match");
        return Err(invalid(&text));
    }
    let blocks = message["content"].as_array().into_iter().flatten();
    let mut behind = blocks.skip(results.len());
    match behind.any(|block| block["type"] == "tool_result") {
        true => Err(invalid(&format!("{place}: `tool_result` blocks must come first"))),
        false => Ok(()),
    }
}

fn invalid(text: &str) -> Refusal {
    (text.to_owned(), error(400, "invalid_request_error", text))
}

/// Anthropic's error shape.
pub fn error(status: u16, kind: &str, message: &str) -> Reply {
    let error = json!({ "type": kind, "message": message });
    Reply::json(status, &json!({ "type": "error", "error": error, "request_id": "req_mock" }))
}

/// A throttling that names its wait in seconds.
pub fn throttled(retry_after: u32) -> Reply {
    let reply = error(429, "rate_limit_error", "This request would exceed your rate limit");
    reply.header("retry-after", &retry_after.to_string())
}

/// Too much to do.
pub fn overloaded() -> Reply {
    error(529, "overloaded_error", "Overloaded")
}

/// What a realistic vendor answers.
pub fn answer(seen: &Seen) -> Reply {
    let body = seen.json();
    let reply = if body["stream"] == true {
        stream(&body)
    } else {
        Reply::json(200, &message(&body["model"], &content(&body), stop_reason(&body), &usage()))
    };
    reply.header("request-id", "req_mock")
}

/// The numbers of every answer.
pub fn usage() -> Value {
    json!({ "input_tokens": INPUT_TOKENS, "output_tokens": OUTPUT_TOKENS,
            "cache_read_input_tokens": 0, "cache_creation_input_tokens": 0 })
}

/// A whole answer.
pub fn message(model: &Value, content: &Value, stop_reason: &str, usage: &Value) -> Value {
    json!({
        "id": "msg_mock", "type": "message", "role": "assistant", "model": model, "content": content,
        "stop_reason": stop_reason, "stop_sequence": null, "usage": usage,
    })
}

/// A text block.
pub fn text(text: &str) -> Value {
    json!({ "type": "text", "text": text })
}

fn wants_tools(body: &Value) -> bool {
    body["tools"].as_array().is_some_and(|tools| !tools.is_empty()) && body["tool_choice"]["type"] != "none"
}

fn content(body: &Value) -> Value {
    if wants_tools(body) {
        let input = json!({ "city": "Bern" });
        return json!([{ "type": "tool_use", "id": "toolu_mock", "name": "get_weather", "input": input }]);
    }
    json!([text(TEXT)])
}

fn stop_reason(body: &Value) -> &'static str {
    if wants_tools(body) { "tool_use" } else { "end_turn" }
}

/// A whole stream, one event per write.
pub fn stream(body: &Value) -> Reply {
    let mut reply = start(&usage()).anthropic(&json!({ "type": "ping" }));
    if wants_tools(body) {
        let call = json!({ "type": "tool_use", "id": "toolu_mock", "name": "get_weather", "input": {} });
        reply = begin(reply, 0, &call);
        for piece in ["", "{\"city\":", "\"Bern\"}"] {
            reply = delta(reply, 0, &json!({ "type": "input_json_delta", "partial_json": piece }));
        }
        reply = end(reply, 0);
    } else {
        reply = block(reply, 0, &PIECES);
    }
    finish(reply, stop_reason(body), &json!({ "output_tokens": OUTPUT_TOKENS }))
}

/// The head of a stream, and its first event.
pub fn start(usage: &Value) -> Reply {
    let mut first = usage.clone();
    first["output_tokens"] = json!(1);
    let mut message = message(&json!("claude-opus-4-8"), &json!([]), "", &first);
    message["stop_reason"] = Value::Null;
    Reply::sse().anthropic(&json!({ "type": "message_start", "message": message }))
}

/// Opens a block.
pub fn begin(reply: Reply, index: usize, content: &Value) -> Reply {
    reply.anthropic(&json!({ "type": "content_block_start", "index": index, "content_block": content }))
}

/// One piece of an open block.
pub fn delta(reply: Reply, index: usize, delta: &Value) -> Reply {
    reply.anthropic(&json!({ "type": "content_block_delta", "index": index, "delta": delta }))
}

/// Closes a block.
pub fn end(reply: Reply, index: usize) -> Reply {
    reply.anthropic(&json!({ "type": "content_block_stop", "index": index }))
}

/// A text block in pieces.
pub fn block(reply: Reply, index: usize, pieces: &[&str]) -> Reply {
    let reply = begin(reply, index, &text(""));
    let pieces = pieces.iter().map(|piece| json!({ "type": "text_delta", "text": piece }));
    end(pieces.fold(reply, |reply, piece| delta(reply, index, &piece)), index)
}

/// The reason, the usage, and the end.
pub fn finish(reply: Reply, reason: &str, usage: &Value) -> Reply {
    let delta = json!({ "stop_reason": reason, "stop_sequence": null });
    reply
        .anthropic(&json!({ "type": "message_delta", "delta": delta, "usage": usage }))
        .anthropic(&json!({ "type": "message_stop" }))
}

/// The event that ends a stream badly.
pub fn failing(reply: Reply) -> Reply {
    let error = json!({ "type": "overloaded_error", "message": "Overloaded" });
    reply.anthropic(&json!({ "type": "error", "error": error }))
}

/// A whole answer with this content and the usual usage.
pub fn message_reply(content: &Value) -> Reply {
    let body = message(&json!("claude-sonnet-4-5"), content, "end_turn", &usage());
    Reply::json(200, &body).header("request-id", "req_mock")
}
