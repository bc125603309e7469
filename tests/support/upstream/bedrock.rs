//! Amazon Bedrock as far as the hub can notice: signatures recomputed, bodies
//! held to the service model, and answers of a model that says the same as OpenAI's.

mod signature;

use super::vendor::{INPUT_TOKENS, OUTPUT_TOKENS, PIECES, Refusal, TEXT, check_headers};
use super::{Framing, Reply, Seen};
use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use base64::Engine;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// The region in which the vendor is.
pub const REGION: &str = "us-east-1";
/// What the id of a pair of keys begins with; the name of the credential comes behind it.
pub const KEY_ID: &str = "AKIAMOCK";
/// The token of keys that are lent, by the id of the key.
pub const LENT: (&str, &str) = ("ASIAMOCKa", "mock/session+token==");
/// Claude by a profile, an older Claude, Amazon's own, and models that embed.
pub const CLAUDE: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
pub const OLD_CLAUDE: &str = "anthropic.claude-3-5-sonnet-20240620-v1:0";
pub const NOVA: &str = "amazon.nova-lite-v1:0";
pub const TITAN: &str = "amazon.titan-embed-text-v2:0";
pub const COHERE: &str = "cohere.embed-english-v3";
/// An inference profile of somebody's own, which only an ARN names.
pub const ARN: &str = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.amazon.nova-lite-v1:0";
const MODELS: [&str; 6] = [CLAUDE, OLD_CLAUDE, NOVA, TITAN, COHERE, ARN];

/// A signature of thoughts.
pub const SIGNATURE: &str = "c2lnbmF0dXJlIG9mIHRob3VnaHRz";
/// The names that the vendor knows, by where they stand. Anything may stand
/// behind a name that is no place of its own.
const NAMES: &[(&str, &[&str])] = &[
    (
        "",
        &[
            "messages",
            "system",
            "inferenceConfig",
            "toolConfig",
            "guardrailConfig",
            "additionalModelRequestFields",
            "additionalModelResponseFieldPaths",
            "requestMetadata",
            "performanceConfig",
            "serviceTier",
            "outputConfig",
        ],
    ),
    ("messages", &["role", "content"]),
    ("system", &["text", "cachePoint"]),
    (
        "content",
        &["text", "image", "document", "toolUse", "toolResult", "cachePoint", "reasoningContent", "json"],
    ),
    ("image", &["format", "source"]),
    ("document", &["format", "name", "source", "context", "citations"]),
    ("source", &["bytes", "s3Location"]),
    ("toolUse", &["toolUseId", "name", "input"]),
    ("toolResult", &["toolUseId", "content", "status"]),
    ("cachePoint", &["type", "ttl"]),
    ("reasoningContent", &["reasoningText", "redactedContent"]),
    ("reasoningText", &["text", "signature"]),
    ("inferenceConfig", &["maxTokens", "temperature", "topP", "stopSequences"]),
    ("toolConfig", &["tools", "toolChoice"]),
    ("tools", &["toolSpec", "cachePoint"]),
    ("toolSpec", &["name", "description", "inputSchema", "strict"]),
    ("toolChoice", &["auto", "any", "tool"]),
    ("outputConfig", &["textFormat", "effort"]),
    ("textFormat", &["type", "structure"]),
    ("structure", &["jsonSchema"]),
    ("jsonSchema", &["schema", "name", "description"]),
];

/// Places of which exactly one member is filled.
const UNIONS: [&str; 7] =
    ["system", "content", "source", "reasoningContent", "tools", "toolChoice", "structure"];

/// Refuses as the vendor would.
pub fn check(seen: &Seen) -> Result<(), Refusal> {
    check_headers(seen)?;
    signature::check(seen)?;
    let unknown = || refuse(404, "UnknownOperationException", "");
    let rest = seen.path.strip_prefix("/model/").ok_or_else(unknown)?;
    let (segment, method) = rest.split_once('/').ok_or_else(unknown)?;
    let model = percent_encoding::percent_decode_str(segment).decode_utf8_lossy().into_owned();
    if signature::encode(&model, "") != segment || seen.method != "POST" {
        return Err(unknown());
    }
    if !MODELS.contains(&model.as_str()) {
        return Err(refuse(400, "ValidationException", "The provided model identifier is invalid."));
    }
    let Ok(body @ Value::Object(_)) = serde_json::from_slice::<Value>(&seen.body) else {
        return Err(refuse(400, "SerializationException", "Unexpected token"));
    };
    match method {
        "converse" | "converse-stream" => check_converse(&model, &body),
        "invoke" => check_invoke(&model, &body),
        _ => Err(unknown()),
    }
}

fn check_converse(model: &str, body: &Value) -> Result<(), Refusal> {
    check_names(body, "")?;
    check_inference(model, body)?;
    check_tools(body)?;
    let messages = body["messages"].as_array().map_or(&[][..], Vec::as_slice);
    check_messages(body, messages)
}

/// Unknown names are refused at every depth, and so are unions with more or less than one member.
fn check_names(value: &Value, place: &str) -> Result<(), Refusal> {
    let Some((_, known)) = NAMES.iter().find(|(listed, _)| *listed == place) else { return Ok(()) };
    match value {
        Value::Array(values) => values.iter().try_for_each(|value| check_names(value, place)),
        Value::Object(members) => {
            if UNIONS.contains(&place) && members.len() != 1 {
                return Err(invalid(&format!("{place}: exactly one member of a union, not {value}")));
            }
            members.iter().try_for_each(|(name, value)| match known.contains(&name.as_str()) {
                true => check_names(value, name),
                false => Err(invalid(&format!("{place}: extraneous key [{name}] is not permitted"))),
            })
        }
        _ => Err(invalid(&format!("Invalid value at '{place}': {value}"))),
    }
}

fn check_inference(model: &str, body: &Value) -> Result<(), Refusal> {
    let (config, fields) = (&body["inferenceConfig"], &body["additionalModelRequestFields"]);
    for name in ["temperature", "topP"] {
        if config[name].as_f64().is_some_and(|number| !(0.0..=1.0).contains(&number)) {
            return Err(invalid(&format!("{name}: must be from 0 to 1")));
        }
    }
    if body.get("inferenceConfig").is_some_and(|config| config.as_object().is_none_or(Map::is_empty)) {
        return Err(invalid("inferenceConfig is empty"));
    }
    let claude = model.contains("anthropic");
    let known: &[&str] =
        if claude { &["thinking", "top_k", "anthropic_beta", "tool_choice"] } else { &["inferenceConfig"] };
    for name in fields.as_object().into_iter().flatten().map(|(name, _)| name) {
        if !known.contains(&name.as_str()) {
            return Err(invalid(&format!(
                "The model returned the following errors: {name}: Extra inputs are not permitted"
            )));
        }
    }
    if let Some(budget) = fields["thinking"]["budget_tokens"].as_u64() {
        let limit = config["maxTokens"].as_u64().unwrap_or(64_000);
        let forced = body["toolConfig"]["toolChoice"].get("auto").is_none()
            && body["toolConfig"].get("toolChoice").is_some();
        let warm = config["temperature"].as_f64().is_some_and(|temperature| temperature != 1.0);
        if budget < 1_024 || budget >= limit || forced || warm {
            return Err(invalid(
                "thinking: budget below max_tokens, temperature of 1, and no tool that is forced",
            ));
        }
    }
    let shape = &body["outputConfig"]["textFormat"]["structure"]["jsonSchema"]["schema"];
    let whole = shape.as_str().is_none_or(|text| serde_json::from_str::<Value>(text).is_ok());
    if !whole || (!shape.is_null() && !shape.is_string()) || (!shape.is_null() && model != CLAUDE) {
        return Err(invalid("outputConfig.textFormat: a schema as text, and a model that takes one"));
    }
    Ok(())
}

/// Letters, digits and the others, from 1 to 64.
fn is_word(value: &Value, others: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || others.contains(c);
    value.as_str().is_some_and(|text| (1..=64).contains(&text.len()) && text.chars().all(fits))
}

fn check_tools(body: &Value) -> Result<(), Refusal> {
    let Some(config) = body.get("toolConfig") else { return Ok(()) };
    let tools = config["tools"].as_array().map_or(&[][..], Vec::as_slice);
    if tools.is_empty() {
        return Err(invalid("toolConfig.tools: at least one"));
    }
    for spec in tools.iter().filter_map(|tool| tool.get("toolSpec")) {
        let described =
            spec.get("description").is_none_or(|text| text.as_str().is_some_and(|text| !text.is_empty()));
        if !is_word(&spec["name"], "_-") || !described || spec["inputSchema"]["json"]["type"] != "object" {
            return Err(invalid(&format!("toolConfig.tools: {spec}")));
        }
    }
    Ok(())
}

fn check_messages(body: &Value, messages: &[Value]) -> Result<(), Refusal> {
    let mut called: Vec<String> = Vec::new();
    let mut documents = BTreeSet::new();
    let mut before = "assistant";
    let mut uses_tools = false;
    for message in messages {
        let role = match message["role"].as_str() {
            Some(role @ ("user" | "assistant")) if role != before => role,
            _ => return Err(invalid("A conversation must start with a user message and alternate.")),
        };
        let blocks = message["content"].as_array().map_or(&[][..], Vec::as_slice);
        if blocks.is_empty() {
            return Err(invalid("The content field in the Message object is empty."));
        }
        blocks.iter().try_for_each(|block| check_block(block, role, &mut documents))?;
        let has = |kind: &str| blocks.iter().any(|block| block.get(kind).is_some());
        if has("document") && !has("text") {
            return Err(invalid("A text block is required with a document."));
        }
        let ids = |kind: &str| -> Vec<String> {
            let of_kind = blocks.iter().filter_map(|block| block.get(kind));
            of_kind.map(|block| block["toolUseId"].as_str().unwrap_or_default().to_owned()).collect()
        };
        let (mut wanted, mut got) = (called, ids("toolResult"));
        wanted.sort();
        got.sort();
        if wanted != got {
            return Err(invalid(&format!(
                "toolResult blocks {got:?} for toolUse blocks {wanted:?} of the turn before"
            )));
        }
        called = ids("toolUse");
        uses_tools |= has("toolUse") || has("toolResult");
        before = role;
    }
    if messages.is_empty() || (uses_tools && body.get("toolConfig").is_none()) {
        return Err(invalid(
            "The toolConfig field must be defined when using toolUse and toolResult content blocks.",
        ));
    }
    Ok(())
}

fn check_block(block: &Value, role: &str, documents: &mut BTreeSet<String>) -> Result<(), Refusal> {
    let blank = |text: &Value| text.as_str().is_some_and(|text| text.trim().is_empty());
    if block.get("text").is_some_and(blank) {
        return Err(invalid("The text field in the ContentBlock object is blank."));
    }
    if let Some(call) = block.get("toolUse")
        && (role != "assistant" || !is_word(&call["toolUseId"], "_.:-") || !call["input"].is_object())
    {
        return Err(invalid(&format!("toolUse: {call}")));
    }
    if let Some(result) = block.get("toolResult") {
        let inner = result["content"].as_array().map_or(&[][..], Vec::as_slice);
        if role != "user" || inner.is_empty() {
            return Err(invalid(&format!("toolResult: {result}")));
        }
        inner.iter().try_for_each(|block| check_block(block, role, documents))?;
    }
    if let Some(document) = block.get("document") {
        let name = document["name"].as_str().unwrap_or_default();
        let fits = |c: char| c.is_ascii_alphanumeric() || " -()[]".contains(c);
        if name.is_empty()
            || !name.chars().all(fits)
            || name.contains("  ")
            || !documents.insert(name.to_owned())
        {
            return Err(invalid(&format!("document.name: {name:?}")));
        }
    }
    if let Some(thoughts) = block.get("reasoningContent")
        && (role != "assistant" || thoughts["reasoningText"]["signature"] != SIGNATURE)
    {
        return Err(invalid("reasoningContent: Invalid `signature` in `thinking` block"));
    }
    let media = block.get("image").or(block.get("document"));
    let bytes = media.and_then(|media| media["source"]["bytes"].as_str());
    match bytes.is_none_or(|text| base64::engine::general_purpose::STANDARD.decode(text).is_ok()) {
        true => Ok(()),
        false => Err(invalid("bytes: not base64")),
    }
}

/// The bodies of the models that embed.
fn check_invoke(model: &str, body: &Value) -> Result<(), Refusal> {
    let known: &[&str] = match model {
        TITAN => &["inputText", "dimensions", "normalize", "embeddingTypes"],
        COHERE => &["texts", "input_type", "truncate", "embedding_types"],
        _ => return Err(invalid("This model is invoked in other words")),
    };
    for name in body.as_object().into_iter().flatten().map(|(name, _)| name) {
        if !known.contains(&name.as_str()) {
            return Err(invalid(&format!(
                "Malformed input request: extraneous key [{name}] is not permitted"
            )));
        }
    }
    let dimensions =
        body.get("dimensions").is_none_or(|count| [256, 512, 1024].contains(&count.as_u64().unwrap_or(0)));
    let texts = body["texts"].as_array().is_some_and(|texts| (1..=96).contains(&texts.len()));
    let whole = match model {
        TITAN => body["inputText"].as_str().is_some_and(|text| !text.is_empty()) && dimensions,
        _ => texts && ["search_document", "search_query"].iter().any(|kind| body["input_type"] == *kind),
    };
    if whole { Ok(()) } else { Err(invalid("Malformed input request")) }
}

fn invalid(text: &str) -> Refusal {
    refuse(400, "ValidationException", text)
}

fn refuse(status: u16, kind: &str, message: &str) -> Refusal {
    (format!("{kind}: {message}"), error(status, kind, message))
}

/// AWS's error shape: the kind is in a header, and may have an address behind it.
pub fn error(status: u16, kind: &str, message: &str) -> Reply {
    let kind = format!("{kind}:http://internal.amazon.com/coral/com.amazon.bedrock/");
    Reply::json(status, &json!({ "message": message })).header("x-amzn-errortype", &kind)
}

/// Too many requests.
pub fn throttled() -> Reply {
    error(429, "ThrottlingException", "Too many requests, please wait before trying again.")
}

/// What a realistic vendor answers.
pub fn answer(seen: &Seen) -> Reply {
    let body = seen.json();
    let calls = wants_tools(&body);
    let input = json!({ "city": "Bern" });
    let call = json!([{ "toolUse": { "toolUseId": "tooluse_mock", "name": "get_weather", "input": input } }]);
    match (calls, seen.path.rsplit('/').next()) {
        (_, Some("invoke")) => embedded(&body),
        (true, Some("converse")) => whole_with(&call, "tool_use", &usage()),
        (false, Some("converse")) => whole(&json!([{ "text": TEXT }])),
        (true, _) => {
            let start = json!({ "toolUse": { "toolUseId": "tooluse_mock", "name": "get_weather" } });
            let pieces = ["{\"city\":", "\"Bern\"}"].map(|piece| json!({ "toolUse": { "input": piece } }));
            finish(block(started(), 0, Some(&start), &pieces), "tool_use", &usage())
        }
        (false, _) => finish(texts(started(), 0, &PIECES), "end_turn", &usage()),
    }
}

fn wants_tools(body: &Value) -> bool {
    let tools = body["toolConfig"]["tools"].as_array().into_iter().flatten();
    let mut specs = tools.filter_map(|tool| tool.get("toolSpec"));
    specs.any(|spec| !spec["description"].as_str().unwrap_or_default().starts_with("No longer"))
}

fn embedded(body: &Value) -> Reply {
    let vector = json!([0.25, -0.5, 1.0]);
    let reply = match body["texts"].as_array() {
        Some(texts) => Reply::json(
            200,
            &json!({ "id": "e", "response_type": "embeddings_floats", "texts": texts,
                     "embeddings": vec![vector; texts.len()] }),
        ),
        None => Reply::json(
            200,
            &json!({ "embedding": vector, "embeddingsByType": { "float": vector },
                     "inputTextTokenCount": INPUT_TOKENS }),
        ),
    };
    reply.header("x-amzn-bedrock-input-token-count", &INPUT_TOKENS.to_string())
}

/// The numbers of every answer.
pub fn usage() -> Value {
    json!({ "inputTokens": INPUT_TOKENS, "outputTokens": OUTPUT_TOKENS, "totalTokens": INPUT_TOKENS + OUTPUT_TOKENS })
}

/// A whole answer with this content and the usual usage.
pub fn whole(content: &Value) -> Reply {
    whole_with(content, "end_turn", &usage())
}

/// A whole answer.
pub fn whole_with(content: &Value, reason: &str, usage: &Value) -> Reply {
    let message = json!({ "role": "assistant", "content": content });
    let body = json!({ "output": { "message": message }, "stopReason": reason, "usage": usage,
                       "metrics": { "latencyMs": 42 } });
    Reply::json(200, &body).header("x-amzn-requestid", "req-mock")
}

/// A frame with these headers.
pub fn frame(headers: &[(&str, &str)], payload: &str) -> Vec<u8> {
    let mut message = Message::new(payload.to_owned().into_bytes());
    for (name, value) in headers {
        let value = HeaderValue::String((*value).to_owned().into());
        message = message.add_header(Header::new((*name).to_owned(), value));
    }
    let mut out = Vec::new();
    write_message_to(&message, &mut out).unwrap();
    out
}

/// One event, padded as the vendor does it so that lengths tell nothing.
pub fn event(reply: Reply, name: &str, payload: &Value) -> Reply {
    let mut payload = payload.clone();
    payload["p"] = json!("abcdefghij");
    let headers = [(":event-type", name), (":content-type", "application/json"), (":message-type", "event")];
    reply.raw(frame(&headers, &payload.to_string()))
}

/// The failure that ends a stream.
pub fn exception(reply: Reply, kind: &str, message: &str) -> Reply {
    let headers =
        [(":exception-type", kind), (":content-type", "application/json"), (":message-type", "exception")];
    reply.raw(frame(&headers, &json!({ "message": message }).to_string()))
}

/// The head of a stream, and its first event.
pub fn started() -> Reply {
    let reply = Reply::new(200, Framing::Chunked)
        .header("content-type", "application/vnd.amazon.eventstream")
        .header("x-amzn-requestid", "req-mock");
    event(reply, "messageStart", &json!({ "role": "assistant" }))
}

/// A block: begun only if it has a start to tell, then its pieces, then its end.
pub fn block(mut reply: Reply, index: usize, start: Option<&Value>, deltas: &[Value]) -> Reply {
    if let Some(start) = start {
        reply = event(reply, "contentBlockStart", &json!({ "contentBlockIndex": index, "start": start }));
    }
    for delta in deltas {
        reply = event(reply, "contentBlockDelta", &json!({ "contentBlockIndex": index, "delta": delta }));
    }
    event(reply, "contentBlockStop", &json!({ "contentBlockIndex": index }))
}

/// A block of text.
pub fn texts(reply: Reply, index: usize, pieces: &[&str]) -> Reply {
    let deltas: Vec<Value> = pieces.iter().map(|piece| json!({ "text": piece })).collect();
    block(reply, index, None, &deltas)
}

/// The reason, and behind it the numbers.
pub fn finish(reply: Reply, reason: &str, usage: &Value) -> Reply {
    let reply = event(reply, "messageStop", &json!({ "stopReason": reason }));
    event(reply, "metadata", &json!({ "usage": usage, "metrics": { "latencyMs": 42 } }))
}
