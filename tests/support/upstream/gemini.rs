//! Google's Gemini as far as the hub can notice: what it refuses, and answers
//! of a model that says the same as OpenAI's.

use super::vendor::{CREDENTIALS, INPUT_TOKENS, OUTPUT_TOKENS, PIECES, Refusal, TEXT, check_headers};
use super::{Reply, Seen};
use base64::Engine;
use serde_json::{Map, Value, json};

/// Models that the vendor knows: one that is told to think by a budget, and
/// one that is told by a level and wants its signatures back.
pub const MODELS: [&str; 2] = ["gemini-2.5-flash", "gemini-3-pro-preview"];
/// A model that draws amid a conversation, and one that only draws.
pub const DRAWERS: [&str; 2] = ["gemini-2.5-flash-image", "imagen-4.0-generate-001"];
/// The model that embeds.
pub const EMBEDDER: &str = "gemini-embedding-001";
/// A signature of thoughts.
pub const SIGNATURE: &str = "c2lnbmF0dXJlIG9mIHRob3VnaHRz";

/// The names that the vendor knows, by where they stand. Anything may stand
/// behind a name that is no place of its own.
const NAMES: &[(&str, &[&str])] = &[
    ("", &["contents", "systemInstruction", "generationConfig", "tools", "toolConfig", "safetySettings"]),
    ("contents", &["role", "parts"]),
    ("systemInstruction", &["role", "parts"]),
    (
        "parts",
        &[
            "text",
            "thought",
            "thoughtSignature",
            "inlineData",
            "fileData",
            "functionCall",
            "functionResponse",
        ],
    ),
    // Google's own client writes the second name; the vendor takes both spellings anywhere.
    ("inlineData", &["mimeType", "mime_type", "data"]),
    ("fileData", &["mimeType", "fileUri"]),
    ("functionCall", &["id", "name", "args"]),
    ("functionResponse", &["id", "name", "response", "parts"]),
    (
        "generationConfig",
        &[
            "temperature",
            "topP",
            "topK",
            "maxOutputTokens",
            "stopSequences",
            "candidateCount",
            "seed",
            "presencePenalty",
            "frequencyPenalty",
            "responseMimeType",
            "responseSchema",
            "responseJsonSchema",
            "responseModalities",
            "imageConfig",
            "thinkingConfig",
            "responseLogprobs",
            "logprobs",
        ],
    ),
    ("imageConfig", &["aspectRatio", "imageSize"]),
    ("thinkingConfig", &["includeThoughts", "thinkingBudget", "thinkingLevel"]),
    ("tools", &["functionDeclarations", "googleSearch", "codeExecution", "urlContext"]),
    ("functionDeclarations", &["name", "description", "parameters", "parametersJsonSchema"]),
    ("toolConfig", &["functionCallingConfig"]),
    ("functionCallingConfig", &["mode", "allowedFunctionNames"]),
];

/// What a part may hold, one of which it has to.
const HELD: [&str; 5] = ["text", "inlineData", "fileData", "functionCall", "functionResponse"];

/// Refuses as the vendor would.
pub fn check(seen: &Seen) -> Result<(), Refusal> {
    check_headers(seen)?;
    let Some(rest) = seen.path.strip_prefix("/v1beta/models/") else { return Err(not_found(&seen.path)) };
    check_key(seen)?;
    let Some((model, method)) = rest.split_once(':') else { return Err(not_found(rest)) };
    if (model, method) == (EMBEDDER, "batchEmbedContents") {
        return check_embed(&seen.json());
    }
    if (model, method) == (DRAWERS[1], "predict") {
        return check_predict(&seen.json());
    }
    let known = ["generateContent", "streamGenerateContent?alt=sse"].contains(&method);
    if seen.method != "POST" || !known || ![&MODELS[..], &DRAWERS[..1]].concat().contains(&model) {
        return Err(not_found(rest));
    }
    let Ok(body @ Value::Object(_)) = serde_json::from_slice::<Value>(&seen.body) else {
        return Err(invalid("Invalid JSON payload received."));
    };
    check_names(&body, "")?;
    check_config(model, &body)?;
    check_contents(model, body["contents"].as_array().map_or(&[][..], Vec::as_slice))
}

/// One prompt and at most four pictures.
fn check_predict(body: &Value) -> Result<(), Refusal> {
    const KNOWN: [&str; 5] =
        ["sampleCount", "aspectRatio", "sampleImageSize", "outputOptions", "personGeneration"];
    const RATIOS: [&str; 5] = ["1:1", "3:4", "4:3", "9:16", "16:9"];
    let (parameters, prompt) = (&body["parameters"], body["instances"][0]["prompt"].as_str());
    let names = parameters.as_object().into_iter().flat_map(Map::keys);
    let unknown = names.into_iter().any(|name| !KNOWN.contains(&name.as_str()));
    let many = !(1..=4).contains(&parameters["sampleCount"].as_u64().unwrap_or(0));
    let odd = parameters["aspectRatio"].as_str().is_some_and(|ratio| !RATIOS.contains(&ratio));
    match unknown || many || odd || prompt.is_none_or(str::is_empty) {
        true => Err(invalid(&format!("Invalid value in {body}"))),
        false => Ok(()),
    }
}

/// One entry for each text, all of the model that the path names.
fn check_embed(body: &Value) -> Result<(), Refusal> {
    let Some(entries @ [_, ..]) = body["requests"].as_array().map(Vec::as_slice) else {
        return Err(invalid("* BatchEmbedContentsRequest.requests: contents is not specified"));
    };
    if entries.len() > 100 || body.as_object().is_none_or(|members| members.len() != 1) {
        return Err(invalid(
            "* BatchEmbedContentsRequest.requests: at most 100 requests can be in one batch",
        ));
    }
    const KNOWN: [&str; 5] = ["model", "content", "taskType", "title", "outputDimensionality"];
    for entry in entries {
        let names = entry.as_object().into_iter().flat_map(Map::keys);
        if let Some(name) = names.into_iter().find(|name| !KNOWN.contains(&name.as_str())) {
            return Err(invalid(&format!("Invalid JSON payload received. Unknown name \"{name}\"")));
        }
        let text = entry["content"]["parts"][0]["text"].as_str();
        if entry["model"] != format!("models/{EMBEDDER}") || text.is_none_or(str::is_empty) {
            return Err(invalid("* EmbedContentRequest.content: contents is not specified"));
        }
    }
    Ok(())
}

fn check_key(seen: &Seen) -> Result<(), Refusal> {
    let keys: Vec<_> = seen.headers.iter().filter(|(name, _)| name == "x-goog-api-key").collect();
    let known = matches!(keys.as_slice(), [(_, key)] if CREDENTIALS.contains(&key.as_str()));
    if known && seen.header("authorization").is_none() { Ok(()) } else { Err(bad_key()) }
}

/// Unknown names are refused at every depth.
fn check_names(value: &Value, place: &str) -> Result<(), Refusal> {
    let Some((_, known)) = NAMES.iter().find(|(listed, _)| *listed == place) else { return Ok(()) };
    match value {
        Value::Array(values) => values.iter().try_for_each(|value| check_names(value, place)),
        Value::Object(members) => members.iter().try_for_each(|(name, value)| {
            if !known.contains(&name.as_str()) {
                let text = format!("Invalid JSON payload received. Unknown name \"{name}\" at '{place}'");
                return Err(invalid(&text));
            }
            check_names(value, name)
        }),
        _ => Err(invalid(&format!("Invalid value at '{place}'"))),
    }
}

fn check_config(model: &str, body: &Value) -> Result<(), Refusal> {
    let (config, newest) = (&body["generationConfig"], model.starts_with("gemini-3"));
    let thinking = &config["thinkingConfig"];
    let (budget, level) = (thinking["thinkingBudget"].as_i64(), thinking["thinkingLevel"].as_str());
    if budget.is_some() && level.is_some() {
        return Err(invalid("You can only set one of thinking budget and thinking level."));
    }
    if level.is_some() && (!newest || !["LOW", "HIGH"].contains(&level.unwrap_or_default())) {
        return Err(invalid("Thinking level is not supported for this model."));
    }
    if budget.is_some_and(|budget| !(-1..=24_576).contains(&budget)) {
        return Err(invalid("The thinking budget is invalid. Please choose a value between 0 and 24576."));
    }
    if config.get("presencePenalty").or(config.get("frequencyPenalty")).is_some() {
        return Err(invalid(&format!("Penalty is not enabled for {model}")));
    }
    if config["stopSequences"].as_array().is_some_and(|stop| stop.len() > 5) {
        return Err(invalid("The number of stop sequences must not exceed 5"));
    }
    if model != DRAWERS[0] && config.get("imageConfig").is_some() {
        return Err(invalid("Image config is not supported for this model."));
    }
    let json = config["responseMimeType"] == "application/json";
    if config.get("responseJsonSchema").is_some() && !json {
        return Err(invalid("A response schema needs the response mime type application/json"));
    }
    if json && !newest && body.get("tools").is_some() {
        let text = "Function calling with a response mime type: 'application/json' is unsupported";
        return Err(invalid(text));
    }
    check_tools(body)
}

fn check_tools(body: &Value) -> Result<(), Refusal> {
    for tool in body["tools"].as_array().into_iter().flatten() {
        for function in tool["functionDeclarations"].as_array().into_iter().flatten() {
            if function["name"].as_str().is_none_or(str::is_empty) {
                return Err(invalid("Invalid function name."));
            }
        }
    }
    let calling = &body["toolConfig"]["functionCallingConfig"];
    let mode = calling["mode"].as_str();
    if mode.is_some_and(|mode| !["AUTO", "ANY", "NONE"].contains(&mode)) {
        return Err(invalid("Invalid value at 'tool_config.function_calling_config.mode'"));
    }
    if calling.get("allowedFunctionNames").is_some() && mode != Some("ANY") {
        return Err(invalid("Allowed function names are only for the mode ANY."));
    }
    Ok(())
}

fn check_contents(model: &str, contents: &[Value]) -> Result<(), Refusal> {
    if contents.is_empty() {
        return Err(invalid("* GenerateContentRequest.contents: contents is not specified"));
    }
    let mut called: Vec<String> = Vec::new();
    let mut before = "";
    for (number, content) in contents.iter().enumerate() {
        let role = match content["role"].as_str() {
            Some(role @ ("user" | "model")) => role,
            _ => return Err(invalid("Please use a valid role: user, model.")),
        };
        let Some(parts @ [_, ..]) = content["parts"].as_array().map(Vec::as_slice) else {
            let text = format!(
                "* GenerateContentRequest.contents[{number}].parts: contents.parts must not be empty."
            );
            return Err(invalid(&text));
        };
        parts.iter().try_for_each(check_part)?;
        let names = |kind: &str| -> Vec<String> {
            let held = parts.iter().filter_map(|part| part.get(kind));
            held.map(|held| held["name"].as_str().unwrap_or_default().to_owned()).collect()
        };
        let (calls, results) = (names("functionCall"), names("functionResponse"));
        if !calls.is_empty() && (role != "model" || before != "user") {
            return Err(invalid(
                "Please ensure that function call turn comes immediately after a user turn or after a function response turn.",
            ));
        }
        check_results(&called, results)?;
        check_signature(model, parts)?;
        (called, before) = (calls, role);
    }
    Ok(())
}

/// As many results as calls, of the same tools, in the turn right behind them.
fn check_results(called: &[String], mut results: Vec<String>) -> Result<(), Refusal> {
    let mut called = called.to_vec();
    called.sort();
    results.sort();
    if called == results {
        return Ok(());
    }
    let text = "Please ensure that the number of function response parts is equal to the number of \
                function call parts of the function call turn.";
    Err(invalid(&format!("{text} {called:?} {results:?}")))
}

fn check_part(part: &Value) -> Result<(), Refusal> {
    if HELD.iter().filter(|held| part.get(**held).is_some()).count() != 1 {
        return Err(invalid("required oneof field 'data' must have one initialized field"));
    }
    if let Some(result) = part.get("functionResponse")
        && (result["name"].as_str().is_none_or(str::is_empty) || !result["response"].is_object())
    {
        return Err(invalid("function_response.name and an object as function_response.response needed"));
    }
    if let Some(call) = part.get("functionCall")
        && !call["args"].is_object()
    {
        return Err(invalid("Invalid value at 'function_call.args'"));
    }
    // Of both alphabets, as anywhere in this format.
    let bytes = |text: &Value| {
        let text = text.as_str().map(|text| text.replace('-', "+").replace('_', "/"));
        text.is_some_and(|text| base64::engine::general_purpose::STANDARD.decode(text).is_ok())
    };
    let encoded = [part.get("thoughtSignature"), part.get("inlineData").map(|blob| &blob["data"])];
    match encoded.into_iter().flatten().all(bytes) {
        true => Ok(()),
        false => Err(invalid("Base64 decoding failed")),
    }
}

/// The newest models want the signature of the first of some calls back.
fn check_signature(model: &str, parts: &[Value]) -> Result<(), Refusal> {
    let first = parts.iter().find(|part| part.get("functionCall").is_some());
    let bare = first.is_some_and(|part| part.get("thoughtSignature").is_none());
    match bare && model.starts_with("gemini-3") {
        true => Err(invalid("Function call is missing a thought_signature in functionCall parts.")),
        false => Ok(()),
    }
}

fn invalid(text: &str) -> Refusal {
    (text.to_owned(), error(400, "INVALID_ARGUMENT", text))
}

fn not_found(what: &str) -> Refusal {
    let text = format!("{what} is not found for API version v1beta");
    (text.clone(), error(404, "NOT_FOUND", &text))
}

fn bad_key() -> Refusal {
    ("API key not valid".to_owned(), key_not_valid())
}

/// What a key that nobody knows is told.
pub fn key_not_valid() -> Reply {
    let detail = json!({ "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID",
                         "domain": "googleapis.com" });
    let text = "API key not valid. Please pass a valid API key.";
    Reply::json(400, &failure(400, "INVALID_ARGUMENT", text, &[detail]))
}

/// Google's error shape.
pub fn failure(code: u16, status: &str, message: &str, details: &[Value]) -> Value {
    json!({ "error": { "code": code, "message": message, "status": status, "details": details } })
}

/// An error without details.
pub fn error(code: u16, status: &str, message: &str) -> Reply {
    Reply::json(code, &failure(code, status, message, &[]))
}

/// A throttling that names its wait as the vendor does, in the body.
pub fn throttled(seconds: u32) -> Reply {
    let detail =
        json!({ "@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": format!("{seconds}s") });
    let text = "You exceeded your current quota, please check your plan and billing details.";
    Reply::json(429, &failure(429, "RESOURCE_EXHAUSTED", text, &[detail]))
}

/// Too much to do.
pub fn overloaded() -> Value {
    failure(503, "UNAVAILABLE", "The model is overloaded. Please try again later.", &[])
}

/// What a realistic vendor answers.
pub fn answer(seen: &Seen) -> Reply {
    let body = seen.json();
    let call = json!([call("get_weather", json!({ "city": "Bern" }))]);
    if seen.path.ends_with(":batchEmbedContents") {
        return embeddings(body["requests"].as_array().map_or(0, Vec::len), true);
    }
    match (wants_tools(&body), seen.path.contains(":stream")) {
        (true, false) => whole(&call),
        (true, true) => last(Reply::sse(), &call, "STOP", &usage()),
        (false, false) => whole(&json!([text(TEXT)])),
        (false, true) => {
            let [first, second, third] = PIECES.map(|piece| json!([text(piece)]));
            last(more(more(Reply::sse(), &first), &second), &third, "STOP", &usage())
        }
    }
}

/// So many embeddings; the vendor does not always count their tokens.
pub fn embeddings(count: usize, counted: bool) -> Reply {
    let row = |index| json!({ "values": [0.25, -0.5, index] });
    let mut body = json!({ "embeddings": (0..count).map(row).collect::<Vec<_>>() });
    if counted {
        body["usageMetadata"] = json!({ "promptTokenCount": INPUT_TOKENS, "totalTokenCount": INPUT_TOKENS });
    }
    Reply::json(200, &body)
}

fn wants_tools(body: &Value) -> bool {
    let none = body["toolConfig"]["functionCallingConfig"]["mode"] == "NONE";
    body["tools"].as_array().is_some_and(|tools| !tools.is_empty()) && !none
}

/// The numbers of every answer.
pub fn usage() -> Value {
    json!({ "promptTokenCount": INPUT_TOKENS, "candidatesTokenCount": OUTPUT_TOKENS,
            "totalTokenCount": INPUT_TOKENS + OUTPUT_TOKENS })
}

/// A part of text.
pub fn text(text: &str) -> Value {
    json!({ "text": text })
}

/// A part that calls; the vendor gives calls no id.
pub fn call(name: &str, args: Value) -> Value {
    json!({ "functionCall": { "name": name, "args": args } })
}

/// An answer, or one event of a stream: without a reason the model goes on.
pub fn said(parts: &Value, reason: Option<&str>, usage: &Value) -> Value {
    let mut candidate = Map::new();
    candidate.insert("content".to_owned(), json!({ "role": "model", "parts": parts }));
    candidate.insert("index".to_owned(), json!(0));
    if let Some(reason) = reason {
        candidate.insert("finishReason".to_owned(), json!(reason));
    }
    json!({ "candidates": [candidate], "usageMetadata": usage,
            "modelVersion": MODELS[0], "responseId": "resp_mock" })
}

/// A whole answer with this content and the usual usage.
pub fn whole(parts: &Value) -> Reply {
    Reply::json(200, &said(parts, Some("STOP"), &usage()))
}

/// One event as the vendor writes it: with the line ends of the transport.
pub fn event(reply: Reply, data: &Value) -> Reply {
    reply.raw(format!("data: {data}\r\n\r\n"))
}

/// A piece of a stream, with the usage so far.
pub fn more(reply: Reply, parts: &Value) -> Reply {
    let so_far = json!({ "promptTokenCount": INPUT_TOKENS, "candidatesTokenCount": 1, "totalTokenCount": INPUT_TOKENS + 1 });
    event(reply, &said(parts, None, &so_far))
}

/// The last piece of a stream, behind which the vendor says nothing.
pub fn last(reply: Reply, parts: &Value, reason: &str, usage: &Value) -> Reply {
    event(reply, &said(parts, Some(reason), usage))
}

/// What a prompt gets that a filter held back: no answer at all.
pub fn blocked() -> Value {
    json!({ "promptFeedback": { "blockReason": "PROHIBITED_CONTENT" }, "modelVersion": MODELS[0],
            "responseId": "resp_mock", "usageMetadata": { "promptTokenCount": INPUT_TOKENS, "totalTokenCount": INPUT_TOKENS } })
}
