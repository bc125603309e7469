//! What becomes of each field between two dialects, as the translators say it
//! themselves: the page `src/wire/README.md` is made here, and is checked
//! against them, so that it cannot grow old.

use aigne_hub::chat::{Adapted, Dialect, Field, Stance};
use aigne_hub::provider::VENDORS;
use aigne_hub::types::Op;
use aigne_hub::wire::translate::{self, InPath};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::Path;

const PAGE: &str = "src/wire/README.md";
const UPDATE: &str = "UPDATE_DIALECTS";

/// Every dialect; those that no translator reads or writes leave no trace in the page.
const DIALECTS: &[Dialect] = &[
    Dialect::OpenAiChat,
    Dialect::OpenAiResponses,
    Dialect::Anthropic,
    Dialect::Gemini,
    Dialect::Bedrock,
    Dialect::Ollama,
    Dialect::Aigne,
];

/// Vendors' models to show: what a model takes decides as much as its dialect.
const MODELS: &[(Dialect, &str)] = &[
    (Dialect::OpenAiChat, "gpt-4.1"),
    (Dialect::OpenAiChat, "gpt-5"),
    (Dialect::OpenAiResponses, "gpt-5"),
    (Dialect::Anthropic, "claude-sonnet-4-5"),
    (Dialect::Anthropic, "claude-opus-4-8"),
    (Dialect::Gemini, "gemini-2.5-pro"),
    (Dialect::Bedrock, "anthropic.claude-sonnet-4-5-20250929-v1:0"),
    (Dialect::Ollama, "llama3"),
];

const PNG: &str = "data:image/png;base64,iVBORw0KGgo=";

/// A field to show, and a request that has it.
type Row = (&'static str, Value);

fn tool() -> Value {
    json!({ "type": "function", "function": { "name": "f", "parameters": { "type": "object" } } })
}

fn openai_part(part: &Value) -> Value {
    json!({ "messages": [{ "role": "user", "content": [part, { "type": "text", "text": "hi" }] }] })
}

fn openai_rows() -> Vec<Row> {
    let strict = json!({ "type": "function", "function": { "name": "f", "strict": true, "parameters": { "type": "object" } } });
    let schema =
        json!({ "type": "json_schema", "json_schema": { "name": "s", "schema": { "type": "object" } } });
    let history = json!([{ "role": "user", "content": "a" }, { "role": "assistant", "content": "b", "reasoning_content": "c" }, { "role": "user", "content": "d" }]);
    let middle = json!([{ "role": "user", "content": "a" }, { "role": "system", "content": "b" }, { "role": "user", "content": "c" }]);
    vec![
        ("`max_tokens` left out", json!({ "max_tokens": null })),
        ("`temperature` 1.5", json!({ "temperature": 1.5 })),
        ("`top_p`", json!({ "top_p": 0.5 })),
        ("`temperature` and `top_p`", json!({ "temperature": 0.5, "top_p": 0.5 })),
        ("`stop`", json!({ "stop": "END" })),
        ("`seed`", json!({ "seed": 7 })),
        ("`frequency_penalty`", json!({ "frequency_penalty": 0.5 })),
        ("`logprobs`", json!({ "logprobs": true, "top_logprobs": 2 })),
        ("`logit_bias`", json!({ "logit_bias": { "1": 1 } })),
        ("`n` 2", json!({ "n": 2 })),
        ("`user`", json!({ "user": "u" })),
        ("`metadata`", json!({ "metadata": { "k": "v" } })),
        ("`service_tier`", json!({ "service_tier": "flex" })),
        ("`response_format` json_schema", json!({ "response_format": schema })),
        ("`response_format` json_object", json!({ "response_format": { "type": "json_object" } })),
        ("`reasoning_effort`", json!({ "max_tokens": 30_000, "reasoning_effort": "high" })),
        ("`tools`", json!({ "tools": [tool()] })),
        ("`tools`, strict", json!({ "tools": [strict] })),
        ("`tool_choice` required", json!({ "tools": [tool()], "tool_choice": "required" })),
        ("`tool_choice` none", json!({ "tools": [tool()], "tool_choice": "none" })),
        ("`parallel_tool_calls` false", json!({ "tools": [tool()], "parallel_tool_calls": false })),
        ("`web_search_options`", json!({ "web_search_options": {} })),
        (
            "an image in the request",
            openai_part(&json!({ "type": "image_url", "image_url": { "url": PNG } })),
        ),
        (
            "an image by address",
            openai_part(&json!({ "type": "image_url", "image_url": { "url": "https://example.com/a.png" } })),
        ),
        (
            "a PDF",
            openai_part(
                &json!({ "type": "file", "file": { "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0=" } }),
            ),
        ),
        (
            "sound",
            openai_part(
                &json!({ "type": "input_audio", "input_audio": { "data": "AAAA", "format": "wav" } }),
            ),
        ),
        ("an instruction amid the talk", json!({ "messages": middle })),
        ("thoughts of earlier answers", json!({ "messages": history })),
        ("a field nobody knows", json!({ "made_up": 1 })),
    ]
}

fn anthropic_rows() -> Vec<Row> {
    let tool = json!({ "name": "f", "input_schema": { "type": "object" } });
    let part = |part: Value| json!({ "messages": [{ "role": "user", "content": [part, { "type": "text", "text": "hi" }] }] });
    let source = |kind: &str| json!({ "type": "base64", "media_type": kind, "data": "iVBORw0KGgo=" });
    let cached = json!([{ "type": "text", "text": "s", "cache_control": { "type": "ephemeral" } }]);
    let schema = json!({ "format": { "type": "json_schema", "schema": { "type": "object" } } });
    let search = json!({ "type": "web_search_20250305", "name": "web_search" });
    let history = json!([{ "role": "user", "content": "a" }, { "role": "assistant", "content": [
        { "type": "thinking", "thinking": "c", "signature": "c2ln" }, { "type": "text", "text": "b" }] }, { "role": "user", "content": "d" }]);
    vec![
        ("`temperature` 0.5", json!({ "temperature": 0.5 })),
        ("`top_p`", json!({ "top_p": 0.5 })),
        ("`top_k`", json!({ "top_k": 5 })),
        ("`stop_sequences`", json!({ "stop_sequences": ["END"] })),
        ("`system`", json!({ "system": "s" })),
        ("`cache_control`", json!({ "system": cached })),
        ("`metadata.user_id`", json!({ "metadata": { "user_id": "u" } })),
        ("`service_tier`", json!({ "service_tier": "auto" })),
        (
            "`thinking` enabled",
            json!({ "max_tokens": 4000, "thinking": { "type": "enabled", "budget_tokens": 2000 } }),
        ),
        ("`thinking` disabled", json!({ "thinking": { "type": "disabled" } })),
        ("`output_config` effort", json!({ "output_config": { "effort": "high" } })),
        ("`output_config` json_schema", json!({ "output_config": schema })),
        ("`tools`", json!({ "tools": [tool] })),
        ("`tool_choice` any", json!({ "tools": [tool], "tool_choice": { "type": "any" } })),
        (
            "`disable_parallel_tool_use`",
            json!({ "tools": [tool], "tool_choice": { "type": "auto", "disable_parallel_tool_use": true } }),
        ),
        ("web search by the vendor", json!({ "tools": [search] })),
        ("an image", part(json!({ "type": "image", "source": source("image/png") }))),
        (
            "an image by address",
            part(json!({ "type": "image", "source": { "type": "url", "url": "https://example.com/a.png" } })),
        ),
        ("a PDF", part(json!({ "type": "document", "source": source("application/pdf") }))),
        ("thoughts of earlier answers", json!({ "messages": history })),
        ("a field nobody knows", json!({ "made_up": 1 })),
    ]
}

fn responses_rows() -> Vec<Row> {
    let tool = json!({ "type": "function", "name": "f", "parameters": { "type": "object" } });
    let schema = json!({ "format": { "type": "json_schema", "name": "s", "schema": { "type": "object" } } });
    let part = |part: Value| json!({ "input": [{ "role": "user", "content": [part, { "type": "input_text", "text": "hi" }] }] });
    let file = json!({ "type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0=" });
    vec![
        ("`temperature` 1.5", json!({ "temperature": 1.5 })),
        ("`top_p`", json!({ "top_p": 0.5 })),
        ("`top_logprobs`", json!({ "top_logprobs": 2 })),
        ("`instructions`", json!({ "instructions": "s" })),
        ("`metadata`", json!({ "metadata": { "k": "v" } })),
        ("`service_tier`", json!({ "service_tier": "flex" })),
        ("`text` json_schema", json!({ "text": schema })),
        ("`reasoning` effort", json!({ "max_output_tokens": 30_000, "reasoning": { "effort": "high" } })),
        ("`tools`", json!({ "tools": [tool] })),
        ("`tool_choice` required", json!({ "tools": [tool], "tool_choice": "required" })),
        ("`parallel_tool_calls` false", json!({ "tools": [tool], "parallel_tool_calls": false })),
        ("web search by the vendor", json!({ "tools": [{ "type": "web_search" }] })),
        ("`truncation` auto", json!({ "truncation": "auto" })),
        ("an image in the request", part(json!({ "type": "input_image", "image_url": PNG }))),
        ("a PDF", part(file)),
        ("a field nobody knows", json!({ "made_up": 1 })),
    ]
}

fn gemini_rows() -> Vec<Row> {
    let config =
        |more: Value| json!({ "generationConfig": with(json!({ "maxOutputTokens": 30_000 }), &more) });
    let part = |part: Value| json!({ "contents": [{ "role": "user", "parts": [part, { "text": "hi" }] }] });
    let data = |kind: &str| json!({ "inlineData": { "mimeType": kind, "data": "iVBORw0KGgo=" } });
    let tools = json!([{ "functionDeclarations": [{ "name": "f", "parameters": { "type": "OBJECT" } }] }]);
    let any = json!({ "functionCallingConfig": { "mode": "ANY" } });
    let schema =
        json!({ "responseMimeType": "application/json", "responseJsonSchema": { "type": "object" } });
    vec![
        ("`temperature` 1.5", config(json!({ "temperature": 1.5 }))),
        ("`topP`", config(json!({ "topP": 0.5 }))),
        ("`topK`", config(json!({ "topK": 5 }))),
        ("`stopSequences`", config(json!({ "stopSequences": ["END"] }))),
        ("`seed`", config(json!({ "seed": 7 }))),
        ("`frequencyPenalty`", config(json!({ "frequencyPenalty": 0.5 }))),
        ("`responseLogprobs`", config(json!({ "responseLogprobs": true, "logprobs": 2 }))),
        ("`candidateCount` 2", config(json!({ "candidateCount": 2 }))),
        ("`responseJsonSchema`", config(schema)),
        ("`thinkingLevel`", config(json!({ "thinkingConfig": { "thinkingLevel": "HIGH" } }))),
        ("`thinkingBudget` 0", config(json!({ "thinkingConfig": { "thinkingBudget": 0 } }))),
        ("`systemInstruction`", json!({ "systemInstruction": { "parts": [{ "text": "s" }] } })),
        ("`functionDeclarations`", json!({ "tools": tools })),
        ("`functionCallingConfig` ANY", json!({ "tools": tools, "toolConfig": any })),
        ("`googleSearch`", json!({ "tools": [{ "googleSearch": {} }] })),
        ("`safetySettings`", json!({ "safetySettings": [] })),
        ("`cachedContent`", json!({ "cachedContent": "cachedContents/1" })),
        ("an image", part(data("image/png"))),
        ("a PDF", part(data("application/pdf"))),
        ("sound", part(data("audio/wav"))),
    ]
}

fn aigne_rows() -> Vec<Row> {
    let options =
        |more: Value| json!({ "modelOptions": with(json!({ "model": "m", "maxTokens": 30_000 }), &more) });
    let part = |part: Value| json!({ "messages": [{ "role": "user", "content": [part, { "type": "text", "text": "hi" }] }] });
    let file = |kind: &str| part(json!({ "type": "file", "mimeType": kind, "data": "iVBORw0KGgo=" }));
    let schema =
        json!({ "type": "json_schema", "jsonSchema": { "name": "s", "schema": { "type": "object" } } });
    let parallel = with(options(json!({ "parallelToolCalls": false })), &json!({ "tools": [tool()] }));
    vec![
        ("`temperature` 1.5", options(json!({ "temperature": 1.5 }))),
        ("`topP`", options(json!({ "topP": 0.5 }))),
        ("`topK`", options(json!({ "topK": 5 }))),
        ("`seed`", options(json!({ "seed": 7 }))),
        ("`frequencyPenalty`", options(json!({ "frequencyPenalty": 0.5 }))),
        ("`reasoningEffort`", options(json!({ "reasoningEffort": "high" }))),
        ("`reasoningEffort` 0", options(json!({ "reasoningEffort": 0 }))),
        ("`modalities`", options(json!({ "modalities": ["text"] }))),
        ("`cacheConfig`", options(json!({ "cacheConfig": { "autoBreakpoints": { "lastMessage": true } } }))),
        ("`parallelToolCalls` false", parallel),
        ("`tools`", json!({ "tools": [tool()] })),
        ("`toolChoice` required", json!({ "tools": [tool()], "toolChoice": "required" })),
        ("`responseFormat` json_schema", json!({ "responseFormat": schema })),
        ("an image", file("image/png")),
        ("an image by address", part(json!({ "type": "url", "url": "https://example.com/a.png" }))),
        ("a PDF", file("application/pdf")),
        ("an option nobody knows", options(json!({ "madeUp": 1 }))),
    ]
}

fn rows(dialect: Dialect) -> Vec<Row> {
    match dialect {
        Dialect::OpenAiChat => openai_rows(),
        Dialect::OpenAiResponses => responses_rows(),
        Dialect::Anthropic => anthropic_rows(),
        Dialect::Gemini => gemini_rows(),
        Dialect::Aigne => aigne_rows(),
        _ => Vec::new(),
    }
}

/// An object with these fields instead of its own.
fn with(mut body: Value, fields: &Value) -> Value {
    let all = body.as_object_mut().unwrap();
    for (name, value) in fields.as_object().unwrap() {
        match value {
            Value::Null => drop(all.remove(name)),
            value => drop(all.insert(name.clone(), value.clone())),
        }
    }
    body
}

/// A plain request with these fields instead of its own.
fn body(from: Dialect, fields: &Value) -> Vec<u8> {
    let messages = json!([{ "role": "user", "content": "hi" }]);
    let plain = match from {
        Dialect::OpenAiResponses => json!({ "model": "m", "max_output_tokens": 100, "input": "hi" }),
        Dialect::Gemini => json!({
            "contents": [{ "role": "user", "parts": [{ "text": "hi" }] }],
            "generationConfig": { "maxOutputTokens": 100 },
        }),
        Dialect::Aigne => json!({ "messages": messages, "modelOptions": { "model": "m", "maxTokens": 100 } }),
        _ => json!({ "model": "m", "max_tokens": 100, "messages": messages }),
    };
    let body = with(plain, fields);
    if from == Dialect::Aigne { json!({ "input": body }) } else { body }.to_string().into_bytes()
}

/// What the translators do with a request: `None` when there is no such translation.
fn fate(from: Dialect, to: Dialect, model: &str, body: &[u8]) -> Option<String> {
    let in_path = InPath { model: Some("m".to_owned()), ..InPath::default() };
    let received = translate::received(from, Op::Chat, &in_path, body.to_vec().into());
    let read = received.and_then(|received| translate::request_in(received.speaks, &received.body));
    let mut request = match read {
        Ok(request) => request,
        Err(failure) => return (!is_missing(&failure)).then(|| "refused".to_owned()),
    };
    request.model = model.to_owned();
    let calls = translate::calls(from, to, &request);
    let mut told: Vec<String> = Vec::new();
    if calls > 1 {
        told.push(format!("{calls} calls"));
        request = translate::call(&request, 0);
    }
    let mut adapted = Adapted::default();
    match translate::request_out(to, &request, &mut adapted) {
        Err(failure) if is_missing(&failure) => return None,
        Err(_) => return Some("refused".to_owned()),
        Ok(_) => told.extend(adapted.changes().iter().map(|change| change.what.to_string())),
    }
    Some(if told.is_empty() { "passed".to_owned() } else { told.join("; ") })
}

fn is_missing(failure: &aigne_hub::error::Failure) -> bool {
    failure.detail.starts_with("no translation")
}

fn table(page: &mut String, from: Dialect) {
    let plain = body(from, &json!({}));
    let to: Vec<_> =
        MODELS.iter().filter(|(to, model)| *to != from && fate(from, *to, model, &plain).is_some()).collect();
    if rows(from).is_empty() || to.is_empty() {
        return;
    }
    let _ = writeln!(page, "\n## Callers of {}\n", translate::name(from));
    let heads: Vec<_> = to.iter().map(|(to, model)| format!("{}: {model}", translate::name(*to))).collect();
    let _ = writeln!(page, "| | {} |\n|---{}|", heads.join(" | "), "|---".repeat(heads.len()));
    for (name, fields) in rows(from) {
        let body = body(from, &fields);
        let cells: Vec<_> =
            to.iter().map(|(to, model)| fate(from, *to, model, &body).unwrap_or_default()).collect();
        let _ = writeln!(page, "| {name} | {} |", cells.join(" | "));
    }
}

/// What vendors of one dialect refuse or call otherwise, though nothing is translated.
fn shapes(page: &mut String) {
    let _ = writeln!(page, "\n## Within OpenAI's dialect\n\n| vendor | dropped | renamed |\n|---|---|---|");
    for vendor in VENDORS.iter().filter(|vendor| vendor.dialect == Dialect::OpenAiChat) {
        let dropped: Vec<_> = vendor
            .shape
            .drop
            .iter()
            .map(|(name, models)| match models {
                Some(models) => format!("`{name}` for {}", models.join(", ")),
                None => format!("`{name}`"),
            })
            .collect();
        let renamed: Vec<_> =
            vendor.shape.rename.iter().map(|(from, to)| format!("`{from}` to `{to}`")).collect();
        if !dropped.is_empty() || !renamed.is_empty() {
            let _ = writeln!(page, "| {} | {} | {} |", vendor.title, dropped.join("; "), renamed.join("; "));
        }
    }
}

/// What is done with a field that cannot go as it is, by its name in the record.
fn stances(page: &mut String) {
    let _ =
        writeln!(page, "\n## What is done with what cannot go as it is\n\n| stance | fields |\n|---|---|");
    for (stance, name) in
        [(Stance::Pass, "sent all the same"), (Stance::Adapt, "adapted"), (Stance::Refuse, "refused")]
    {
        let fields = Field::ALL.iter().filter(|field| field.default_stance() == stance);
        let fields: Vec<_> = fields.map(|field| format!("`{}`", field.name())).collect();
        if !fields.is_empty() {
            let _ = writeln!(page, "| {name} | {} |", fields.join(", "));
        }
    }
}

fn page() -> String {
    let mut page = String::from(
        "# What becomes of a field\n\n\
         Made by `tests/field_policy.rs` from what the translators do; after a change run the tests with \
         `UPDATE_DIALECTS=1`.\n\n\
         Between equal dialects a body is passed on byte for byte, but for the model's name and what the table of OpenAI's dialect \
         says. Otherwise each field is **passed** (said in the other dialect's words), adapted (the cell says how; \
         the answer's header `x-aigne-adapted` names it), or **refused** with status 400. Which of these it is, \
         `[translation]` says field by field, for all models or for one, and a request for itself: \
         `x-aigne-refuse: seed, stop` would rather have status 400 than lose these, `*` than lose anything that \
         changes an answer, and `x-aigne-adapt: image` would rather go without. What the model takes \
         decides as much as its dialect, so a column is one model of a vendor; limits come from the catalogue \
         besides. A request for what a model is known not to do never comes this far, see `[catalogue]` in the \
         README.\n",
    );
    for from in DIALECTS {
        table(&mut page, *from);
    }
    shapes(&mut page);
    stances(&mut page);
    page
}

#[test]
fn the_page_says_what_the_translators_do() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    let page = page();
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == page, "{PAGE} is old; run this test with {UPDATE}=1");
}
