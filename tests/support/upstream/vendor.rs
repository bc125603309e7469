//! OpenAI's API as far as the hub can notice: what it refuses, and answers of
//! a model that always says `Hello there`.

use super::{Reply, Seen};
use base64::Engine;
use serde_json::{Value, json};

/// What the model says, in the pieces in which it streams.
pub const PIECES: [&str; 3] = ["Hel", "lo", " there"];
/// The whole text.
pub const TEXT: &str = "Hello there";
/// Tokens that the vendor reports for it.
pub const INPUT_TOKENS: u64 = 9;
pub const OUTPUT_TOKENS: u64 = 3;

/// Credentials and models that the vendor knows, by default.
pub const CREDENTIALS: [&str; 2] = ["sk-mock-credential-a", "sk-mock-credential-b"];
pub const MODELS: [&str; 6] =
    ["gpt-4o", "gpt-4o-mini", "gpt-5", "o3-mini", "text-embedding-3-small", "gpt-image-1"];

const CHAT_FIELDS: &[&str] = &[
    "messages",
    "model",
    "audio",
    "frequency_penalty",
    "function_call",
    "functions",
    "logit_bias",
    "logprobs",
    "max_completion_tokens",
    "max_tokens",
    "metadata",
    "modalities",
    "n",
    "parallel_tool_calls",
    "prediction",
    "presence_penalty",
    "prompt_cache_key",
    "prompt_cache_retention",
    "reasoning_effort",
    "response_format",
    "safety_identifier",
    "seed",
    "service_tier",
    "stop",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "user",
    "verbosity",
    "web_search_options",
];
const COMPLETION_FIELDS: &[&str] = &[
    "model",
    "prompt",
    "best_of",
    "echo",
    "frequency_penalty",
    "logit_bias",
    "logprobs",
    "max_tokens",
    "n",
    "presence_penalty",
    "seed",
    "stop",
    "stream",
    "stream_options",
    "suffix",
    "temperature",
    "top_p",
    "user",
];
const EMBEDDING_FIELDS: &[&str] = &["input", "model", "dimensions", "encoding_format", "user"];
const IMAGE_FIELDS: &[&str] = &[
    "prompt",
    "model",
    "background",
    "moderation",
    "n",
    "output_compression",
    "output_format",
    "partial_images",
    "quality",
    "response_format",
    "size",
    "stream",
    "style",
    "user",
];
const MODERATION_FIELDS: &[&str] = &["input", "model"];
const SPEECH_FIELDS: &[&str] =
    &["input", "model", "voice", "instructions", "response_format", "speed", "stream_format"];

/// Top-level fields by path.
const FIELDS: &[(&str, &[&str])] = &[
    ("/v1/chat/completions", CHAT_FIELDS),
    ("/v1/completions", COMPLETION_FIELDS),
    ("/v1/embeddings", EMBEDDING_FIELDS),
    ("/v1/images/generations", IMAGE_FIELDS),
    ("/v1/moderations", MODERATION_FIELDS),
    ("/v1/audio/speech", SPEECH_FIELDS),
];

/// What the vendor refuses before it looks any further.
pub struct Rules {
    credentials: Vec<String>,
    models: Option<Vec<String>>,
    refuse_unknown_fields: bool,
}

/// A text for the test, and the vendor's answer.
pub type Refusal = (String, Reply);

impl Rules {
    /// As OpenAI does it.
    pub fn strict() -> Self {
        Self {
            credentials: CREDENTIALS.map(str::to_owned).into(),
            models: Some(MODELS.map(str::to_owned).into()),
            refuse_unknown_fields: true,
        }
    }

    /// As most compatible servers do it: any field and any model.
    pub fn lenient() -> Self {
        Self { models: None, refuse_unknown_fields: false, ..Self::strict() }
    }

    /// Another list of credentials; an empty one lets everybody in.
    pub fn credentials(mut self, credentials: &[&str]) -> Self {
        self.credentials = credentials.iter().map(|&text| text.to_owned()).collect();
        self
    }

    /// Refuses as the vendor would.
    pub fn check(&self, seen: &Seen) -> Result<(), Refusal> {
        self.check_credential(seen)?;
        check_headers(seen)?;
        let path = seen.path.split('?').next().unwrap_or_default();
        let Some((_, known)) = FIELDS.iter().find(|(listed, _)| *listed == path) else {
            return Ok(());
        };
        let Ok(Value::Object(body)) = serde_json::from_slice::<Value>(&seen.body) else {
            return Err(refuse(
                400,
                "invalid_json",
                "We could not parse the JSON body of your request.",
                None,
            ));
        };
        for field in body.keys() {
            if self.refuse_unknown_fields && !known.contains(&field.as_str()) {
                let text = format!("Unknown parameter: '{field}'.");
                return Err(refuse(400, "unknown_parameter", &text, Some(field)));
            }
        }
        self.check_model(body.get("model"))?;
        check_combinations(&body)
    }

    fn check_credential(&self, seen: &Seen) -> Result<(), Refusal> {
        let given = seen.headers.iter().filter(|(name, _)| name == "authorization").count();
        let known = self.credentials.iter().any(|known| known == seen.credential());
        if self.credentials.is_empty() || (given == 1 && known) {
            return Ok(());
        }
        let text = format!("Incorrect API key provided ({given} authorization headers)");
        Err(refuse(401, "invalid_api_key", &text, None))
    }

    fn check_model(&self, model: Option<&Value>) -> Result<(), Refusal> {
        let Some(Value::String(model)) = model else {
            return Err(refuse(400, "missing_model", "you must provide a model parameter", Some("model")));
        };
        match &self.models {
            Some(known) if !known.contains(model) => {
                let text = format!("The model `{model}` does not exist or you do not have access to it.");
                Err(refuse(404, "model_not_found", &text, Some("model")))
            }
            _ => Ok(()),
        }
    }
}

/// Headers that belong to one connection, or to the caller alone, never come here.
pub fn check_headers(seen: &Seen) -> Result<(), Refusal> {
    const NEVER: [&str; 6] =
        ["proxy-authorization", "cookie", "x-forwarded-for", "te", "upgrade", "proxy-connection"];
    let websocket = seen.path.starts_with("/v1/realtime");
    for name in NEVER {
        if seen.header(name).is_some() && !(websocket && name == "upgrade") {
            return Err(refuse(400, "forbidden_header", &format!("header {name} was passed on"), None));
        }
    }
    let both = seen.header("content-length").is_some() && seen.header("transfer-encoding").is_some();
    if both || seen.header("host").is_none() {
        return Err(refuse(400, "bad_framing", "content-length with transfer-encoding, or no host", None));
    }
    Ok(())
}

fn check_combinations(body: &serde_json::Map<String, Value>) -> Result<(), Refusal> {
    let streams = body.get("stream") == Some(&Value::Bool(true));
    if body.contains_key("stream_options") && !streams {
        let text = "The 'stream_options' parameter is only allowed when 'stream' is enabled.";
        return Err(refuse(400, "invalid_parameter", text, Some("stream_options")));
    }
    let model = body.get("model").and_then(Value::as_str).unwrap_or_default();
    let reasons = ["o1", "o3", "o4", "gpt-5"].iter().any(|family| model.starts_with(family));
    if reasons && body.contains_key("max_tokens") {
        let text = "Unsupported parameter: 'max_tokens' is not supported with this model. \
                    Use 'max_completion_tokens' instead.";
        return Err(refuse(400, "unsupported_parameter", text, Some("max_tokens")));
    }
    Ok(())
}

fn refuse(status: u16, code: &str, message: &str, param: Option<&str>) -> Refusal {
    let error = json!({ "message": message, "type": "invalid_request_error", "param": param, "code": code });
    (format!("{code}: {message}"), Reply::json(status, &json!({ "error": error })))
}

/// The answer of the model to any request that the rules let through.
pub fn answer(seen: &Seen) -> Reply {
    let body = seen.json();
    match seen.path.as_str() {
        "/v1/chat/completions" if body["stream"] == true => stream(&body),
        "/v1/chat/completions" => Reply::json(200, &chat(&body)).header("x-request-id", "req_mock"),
        "/v1/completions" => Reply::json(200, &completion(&body)),
        "/v1/embeddings" => Reply::json(200, &embeddings(&body)),
        "/v1/images/generations" | "/v1/images/edits" => Reply::json(200, &images(&body)),
        "/v1/models" if seen.method == "GET" => Reply::json(200, &json!({ "object": "list", "data": [] })),
        "/v1/moderations" => Reply::json(200, &moderation()),
        "/v1/audio/speech" => Reply::body(200, "audio/mpeg", vec![0xff, 0xfb, 0x90, 0x00]),
        "/v1/audio/transcriptions" => Reply::json(200, &json!({ "text": TEXT })),
        _ => Reply::error(404, "invalid_request_error", "unknown_url", "Unknown request URL"),
    }
}

/// A whole chat answer.
pub fn chat(body: &Value) -> Value {
    let (message, finish) = if wants_tools(body) {
        (json!({ "role": "assistant", "content": null, "tool_calls": [tool_call()] }), "tool_calls")
    } else {
        (json!({ "role": "assistant", "content": TEXT, "refusal": null }), "stop")
    };
    json!({
        "id": "chatcmpl-mock", "object": "chat.completion", "created": 1_767_225_600, "model": body["model"],
        "choices": [{ "index": 0, "message": message, "logprobs": null, "finish_reason": finish }],
        "usage": usage(), "service_tier": "default", "system_fingerprint": "fp_mock",
    })
}

/// The answer to a plain chat request, for scripts.
pub fn answer_chat() -> Reply {
    Reply::json(200, &chat(&json!({ "model": "gpt-4o" })))
}

/// The usage that every answer reports.
pub fn usage() -> Value {
    json!({
        "prompt_tokens": INPUT_TOKENS, "completion_tokens": OUTPUT_TOKENS,
        "total_tokens": INPUT_TOKENS + OUTPUT_TOKENS,
        "prompt_tokens_details": { "cached_tokens": 0, "audio_tokens": 0 },
        "completion_tokens_details": { "reasoning_tokens": 0, "audio_tokens": 0 },
    })
}

/// One chunk of a chat stream.
pub fn delta(delta: Value, finish: Value) -> Value {
    json!({
        "id": "chatcmpl-mock", "object": "chat.completion.chunk", "created": 1_767_225_600, "model": "gpt-4o",
        "system_fingerprint": "fp_mock",
        "choices": [{ "index": 0, "delta": delta, "logprobs": null, "finish_reason": finish }],
    })
}

/// The chunk that carries the usage; it has no choices.
pub fn usage_chunk() -> Value {
    json!({
        "id": "chatcmpl-mock", "object": "chat.completion.chunk", "created": 1_767_225_600, "model": "gpt-4o",
        "choices": [], "usage": usage(),
    })
}

/// A whole chat stream, one event per write.
pub fn stream(body: &Value) -> Reply {
    let mut reply = Reply::sse().event(&delta(json!({ "role": "assistant", "content": "" }), Value::Null));
    let finish = if wants_tools(body) {
        let (first, rest) = tool_call_deltas();
        reply = reply.event(&delta(first, Value::Null)).event(&delta(rest, Value::Null));
        "tool_calls"
    } else {
        for piece in PIECES {
            reply = reply.text(piece);
        }
        "stop"
    };
    reply = reply.event(&delta(json!({}), json!(finish)));
    if body["stream_options"]["include_usage"] == true {
        reply = reply.event(&usage_chunk());
    }
    reply.done()
}

fn wants_tools(body: &Value) -> bool {
    body["tools"].as_array().is_some_and(|tools| !tools.is_empty())
}

fn tool_call() -> Value {
    let function = json!({ "name": "get_weather", "arguments": "{\"city\":\"Bern\"}" });
    json!({ "id": "call_mock", "type": "function", "function": function })
}

fn tool_call_deltas() -> (Value, Value) {
    let mut first = tool_call();
    first["index"] = json!(0);
    first["function"]["arguments"] = json!("{\"city\":");
    let rest = json!({ "index": 0, "function": { "arguments": "\"Bern\"}" } });
    (json!({ "tool_calls": [first] }), json!({ "tool_calls": [rest] }))
}

fn completion(body: &Value) -> Value {
    json!({
        "id": "cmpl-mock", "object": "text_completion", "created": 1_767_225_600, "model": body["model"],
        "choices": [{ "index": 0, "text": TEXT, "logprobs": null, "finish_reason": "stop" }],
        "usage": usage(),
    })
}

fn embeddings(body: &Value) -> Value {
    let count = body["input"].as_array().map_or(1, Vec::len);
    let vector = [0.25_f32, -0.5, 1.0];
    let embedding = if body["encoding_format"] == "base64" {
        let bytes: Vec<u8> = vector.iter().flat_map(|number| number.to_le_bytes()).collect();
        json!(base64::engine::general_purpose::STANDARD.encode(bytes))
    } else {
        json!(vector)
    };
    let row = |index| json!({ "object": "embedding", "index": index, "embedding": embedding });
    json!({
        "object": "list", "model": body["model"], "data": (0..count).map(row).collect::<Vec<_>>(),
        "usage": { "prompt_tokens": INPUT_TOKENS, "total_tokens": INPUT_TOKENS },
    })
}

fn images(body: &Value) -> Value {
    let count = body["n"].as_u64().unwrap_or(1);
    let image = json!({ "b64_json": "iVBORw0KGgo=" });
    json!({
        "created": 1_767_225_600, "data": vec![image; usize::try_from(count).unwrap_or(1)],
        "usage": { "input_tokens": 5, "output_tokens": 100, "total_tokens": 105,
                   "input_tokens_details": { "text_tokens": 5, "image_tokens": 0 } },
    })
}

fn moderation() -> Value {
    let result = json!({ "flagged": false, "categories": {}, "category_scores": {} });
    json!({ "id": "modr-mock", "model": "omni-moderation-latest", "results": [result] })
}
