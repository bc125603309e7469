//! Ollama's own API as far as the hub can notice: what it refuses, and a model
//! that says the same as OpenAI's.

use super::vendor::{INPUT_TOKENS, OUTPUT_TOKENS, PIECES, Refusal, TEXT, check_headers};
use super::{Framing, Reply, Seen};
use base64::Engine;
use serde_json::{Value, json};

/// A model that chats, and one that embeds.
pub const MODEL: &str = "qwen3:0.6b";
pub const EMBEDDER: &str = "nomic-embed-text";

const CHAT: &[&str] = &[
    "model",
    "messages",
    "tools",
    "format",
    "options",
    "stream",
    "think",
    "keep_alive",
    "logprobs",
    "top_logprobs",
];
const MESSAGE: &[&str] = &["role", "content", "thinking", "images", "tool_calls", "tool_name"];
const EMBED: &[&str] = &["model", "input", "truncate", "dimensions", "options", "keep_alive"];

fn bad(text: impl Into<String>) -> Refusal {
    let text = text.into();
    (text.clone(), Reply::json(400, &json!({ "error": text })))
}

fn check_names(value: &Value, known: &[&str]) -> Result<(), Refusal> {
    let names = value.as_object().ok_or_else(|| bad("no object"))?.keys();
    match names.into_iter().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(bad(format!("unknown field {name}"))),
        None => Ok(()),
    }
}

/// Refuses what the server would, and what it would silently ignore.
pub fn check(seen: &Seen) -> Result<(), Refusal> {
    check_headers(seen)?;
    let body = seen.json();
    let missing = |model: &str| {
        let text = format!("model '{model}' not found");
        Err((text.clone(), Reply::json(404, &json!({ "error": text }))))
    };
    match seen.path.as_str() {
        "/api/embed" => {
            check_names(&body, EMBED)?;
            if body["model"] != EMBEDDER {
                return missing(body["model"].as_str().unwrap_or_default());
            }
            Ok(())
        }
        "/api/chat" => {
            check_names(&body, CHAT)?;
            if body["model"] != MODEL {
                return missing(body["model"].as_str().unwrap_or_default());
            }
            if !body["stream"].is_boolean() {
                return Err(bad("the default is a stream"));
            }
            body["messages"].as_array().into_iter().flatten().try_for_each(check_message)
        }
        path => Err(bad(format!("no such path {path}"))),
    }
}

fn check_message(message: &Value) -> Result<(), Refusal> {
    check_names(message, MESSAGE)?;
    if !["system", "user", "assistant", "tool"].contains(&message["role"].as_str().unwrap_or_default()) {
        return Err(bad("unknown role"));
    }
    if !message["content"].is_string() {
        return Err(bad(
            "json: cannot unmarshal into Go struct field ChatRequest.messages.content of type string",
        ));
    }
    for image in message["images"].as_array().into_iter().flatten() {
        let text = image.as_str().unwrap_or("?");
        if base64::engine::general_purpose::STANDARD.decode(text).is_err() {
            return Err(bad("illegal base64 data"));
        }
    }
    for call in message["tool_calls"].as_array().into_iter().flatten() {
        if !call["function"]["arguments"].is_object() {
            return Err(bad("arguments are an object"));
        }
    }
    Ok(())
}

/// The answer to any request that the rules let through.
pub fn answer(seen: &Seen) -> Reply {
    let body = seen.json();
    if seen.path == "/api/embed" {
        let count = body["input"].as_array().map_or(1, Vec::len);
        let rows = vec![json!([0.25, -0.5]); count];
        return Reply::json(
            200,
            &json!({ "model": EMBEDDER, "embeddings": rows, "total_duration": 1, "prompt_eval_count": INPUT_TOKENS }),
        );
    }
    let tools = body["tools"].as_array().is_some_and(|tools| !tools.is_empty());
    let call = json!({ "function": { "name": "get_weather", "arguments": { "city": "Bern" } } });
    match (body["stream"] == true, tools) {
        (false, false) => Reply::json(200, &last(&json!({ "role": "assistant", "content": TEXT }), "stop")),
        (false, true) => {
            let message = json!({ "role": "assistant", "content": "", "tool_calls": [call] });
            Reply::json(200, &last(&message, "stop"))
        }
        (true, false) => {
            let reply = PIECES.iter().fold(stream(), |reply, piece| line(reply, &said(piece)));
            line(reply, &last(&json!({ "role": "assistant", "content": "" }), "stop"))
        }
        (true, true) => {
            let message = json!({ "role": "assistant", "content": "", "tool_calls": [call] });
            let called = json!({ "model": MODEL, "message": message, "done": false });
            let reply = line(stream(), &called);
            line(reply, &last(&json!({ "role": "assistant", "content": "" }), "stop"))
        }
    }
}

/// A stream of lines.
pub fn stream() -> Reply {
    Reply::new(200, Framing::Chunked).header("content-type", "application/x-ndjson")
}

/// One more line.
pub fn line(reply: Reply, data: &Value) -> Reply {
    reply.raw(format!("{data}\n"))
}

/// A line with more text.
pub fn said(text: &str) -> Value {
    json!({ "model": MODEL, "created_at": "2026-01-01T00:00:00.5Z",
            "message": { "role": "assistant", "content": text }, "done": false })
}

/// The last line of a stream, and the only object of a whole answer.
pub fn last(message: &Value, reason: &str) -> Value {
    json!({ "model": MODEL, "created_at": "2026-01-01T00:00:00.5Z", "message": message, "done": true,
            "done_reason": reason, "total_duration": 5, "load_duration": 1, "prompt_eval_duration": 1,
            "prompt_eval_count": INPUT_TOKENS, "eval_count": OUTPUT_TOKENS, "eval_duration": 1 })
}
