//! How the answer is drawn, how long it is, how much the model thinks, and which tools it has.

use super::*;
use crate::chat::{Effort, Extra, Json, ModelTraits, Output, Reasoning, Show, ThinkingMode};

#[test]
fn thinking_is_told_by_a_budget_and_later_by_a_level() {
    let config = |reasoning: Reasoning, model: &str| {
        let mut request = conversation(vec![says(Role::User, vec![Part::text("x")])]);
        request.model = model.into();
        request.reasoning = reasoning;
        let (out, adapted) = sent(&request, model);
        (out["generationConfig"]["thinkingConfig"].clone(), adapted.header())
    };
    let effort = |effort: Effort| Reasoning { effort: Some(effort), ..Reasoning::default() };
    let budget = |tokens: u64| Reasoning { budget_tokens: Some(tokens), ..Reasoning::default() };
    let mode = |mode: ThinkingMode| Reasoning { mode: Some(mode), ..Reasoning::default() };
    let shown = |tokens: i64| json!({ "thinkingBudget": tokens, "includeThoughts": true });
    let level = |name: &str| json!({ "thinkingLevel": name, "includeThoughts": true });
    let hidden = Reasoning { show: Some(Show::Omitted), ..effort(Effort::Low) };
    for (reasoning, model, expected, record) in [
        (Reasoning::default(), "gemini-2.5-pro", Value::Null, None),
        (effort(Effort::Low), "gemini-2.5-flash", shown(2_048), None),
        (effort(Effort::Max), "gemini-2.5-flash", shown(24_576), Some("reasoning: budget set to 24576")),
        (budget(20), "gemini-2.5-pro", shown(128), Some("reasoning: budget set to 128")),
        (budget(9_000), "gemini-2.5-pro", shown(9_000), None),
        (mode(ThinkingMode::Enabled), "gemini-2.5-flash", shown(-1), None),
        (mode(ThinkingMode::Disabled), "gemini-2.5-flash", json!({ "thinkingBudget": 0 }), None),
        (
            effort(Effort::None),
            "gemini-2.5-pro",
            json!({ "thinkingBudget": 128 }),
            Some("reasoning: budget set to 128"),
        ),
        (effort(Effort::High), "gemini-3-pro", level("HIGH"), None),
        (effort(Effort::Medium), "gemini-3-pro", level("LOW"), Some("reasoning: effort set to low")),
        (effort(Effort::Medium), "gemini-3-flash", level("MEDIUM"), None),
        (budget(9_000), "gemini-3-flash", level("HIGH"), Some("reasoning: effort set to high")),
        (
            effort(Effort::None),
            "gemini-3-flash",
            json!({ "thinkingLevel": "MINIMAL" }),
            Some("reasoning: effort set to minimal"),
        ),
        (mode(ThinkingMode::Enabled), "gemini-3-pro", json!({ "includeThoughts": true }), None),
        (hidden, "gemini-3-pro", json!({ "thinkingLevel": "LOW", "includeThoughts": false }), None),
        (effort(Effort::Low), "gemini-2.0-flash", Value::Null, Some("reasoning: dropped")),
        (effort(Effort::None), "gemini-2.0-flash", Value::Null, None),
    ] {
        let case = format!("{reasoning:?} {model}");
        assert_eq!(config(reasoning, model), (expected, record.map(str::to_owned)), "{case}");
    }
}

#[test]
fn the_answers_shape_is_enforced_or_asked_for() {
    let schema = json!({ "type": "json_schema",
        "json_schema": { "name": "n", "schema": { "type": "object", "const": {} } } });
    let tools = json!([{ "type": "function", "function": { "name": "t" } }]);
    let (out, record) = from_openai(json!({ "response_format": schema }), "gemini-2.5-pro");
    let config = &out["generationConfig"];
    assert_eq!(config["responseMimeType"], "application/json");
    assert_eq!(config["responseJsonSchema"], schema["json_schema"]["schema"]);
    assert_eq!(record, None);
    let fields = json!({ "response_format": schema, "tools": tools });
    let (out, record) = from_openai(fields.clone(), "gemini-2.5-pro");
    assert_eq!(out.get("generationConfig"), None);
    assert!(out["systemInstruction"]["parts"][0]["text"].as_str().unwrap().contains("JSON Schema"));
    assert_eq!(record.unwrap(), "response_format: asked for by an instruction");
    let (out, record) = from_openai(fields, "gemini-3-pro");
    assert_eq!(out["generationConfig"]["responseMimeType"], "application/json");
    assert_eq!(record, None);
    let mut request = conversation(vec![says(Role::User, vec![Part::text("x")])]);
    request.output = Output::JsonObject;
    let (out, _) = sent(&request, "gemini-2.5-pro");
    assert_eq!(out["generationConfig"], json!({ "responseMimeType": "application/json" }));
}

#[test]
fn the_choice_of_tools_is_said_in_the_vendors_words() {
    let tools = json!([{ "type": "function", "function": { "name": "t" } }]);
    let named = json!({ "type": "function", "function": { "name": "t" } });
    for (choice, expected) in [
        (json!(null), Value::Null),
        (json!("auto"), json!({ "mode": "AUTO" })),
        (json!("required"), json!({ "mode": "ANY" })),
        (json!("none"), json!({ "mode": "NONE" })),
        (named, json!({ "mode": "ANY", "allowedFunctionNames": ["t"] })),
    ] {
        let fields = json!({ "tools": tools, "tool_choice": choice, "parallel_tool_calls": false });
        let (out, record) = from_openai(fields, "gemini-2.5-pro");
        assert_eq!(out["toolConfig"]["functionCallingConfig"], expected);
        assert_eq!(out["tools"], json!([{ "functionDeclarations": [{ "name": "t" }] }]));
        assert_eq!(record.unwrap(), "parallel_tool_calls: dropped");
    }
    assert_eq!(from_openai(json!({ "tool_choice": "auto" }), "gemini-2.5-pro").0.get("toolConfig"), None);
}

#[test]
fn what_the_vendor_does_not_take_is_cut_dropped_or_refused_and_recorded() {
    let (out, record) = from_openai(
        json!({ "seed": 1_i64 << 40 | 5, "presence_penalty": 0.5, "frequency_penalty": 0.0, "logprobs": true,
                "logit_bias": {}, "store": true, "stop": ["1", "2", "3", "4", "5", "6"], "metadata": { "a": "b" },
                "service_tier": "flex", "user": "u", "max_tokens": 100_000, "temperature": 2.5, "top_k": 7 }),
        "gemini-2.5-pro",
    );
    let expected = json!({
        "maxOutputTokens": 65_536, "temperature": 2.0, "topK": 7, "seed": 5, "stopSequences": ["1", "2", "3", "4", "5"],
    });
    assert_eq!(out["generationConfig"], expected);
    let record = record.unwrap();
    for field in [
        "seed: reduced to 32 bits",
        "penalties: dropped",
        "logprobs: dropped",
        "logit_bias: dropped",
        "store: dropped",
        "stop: cut to 5",
        "metadata: dropped",
        "service_tier: dropped",
        "user: dropped",
        "max_output_tokens: cut to 65536",
        "temperature: clamped to 2",
    ] {
        assert!(record.contains(field), "{field} in {record}");
    }
    let (out, record) = from_openai(json!({ "frequency_penalty": 0.0, "n": 3 }), "gemini-2.5-pro");
    assert_eq!((&out["generationConfig"], record), (&json!({ "candidateCount": 3 }), None));
    let body = json!({ "messages": [{ "role": "user", "content": "x" }], "n": 2, "stream": true });
    let request = openai_chat::request_in(body.to_string().as_bytes()).unwrap();
    let failure = request_out(&request, &ModelTraits::default(), &mut Adapted::default()).unwrap_err();
    assert_eq!((failure.kind, failure.param.as_deref()), (Kind::InvalidRequest, Some("n")));
}

#[test]
fn log_probabilities_are_asked_for_where_there_are_any() {
    let wish = json!({ "logprobs": true, "top_logprobs": 3 });
    let (out, record) = from_openai(wish.clone(), "gemini-2.0-flash");
    assert_eq!(out["generationConfig"], json!({ "responseLogprobs": true, "logprobs": 3 }));
    assert_eq!(record, None);
    let mut stream = wish;
    stream["stream"] = json!(true);
    assert_eq!(from_openai(stream, "gemini-2.0-flash").1.unwrap(), "logprobs: dropped");
}

#[test]
fn an_openai_caller_asks_for_pictures() {
    let (out, record) = from_openai(json!({ "modalities": ["text", "image"] }), "gemini-2.5-flash-image");
    assert_eq!(out["generationConfig"]["responseModalities"], json!(["TEXT", "IMAGE"]));
    assert_eq!(record, None);
}

#[test]
fn fields_of_our_own_dialect_are_written_back() {
    let body = json!({ "contents": [], "safetySettings": [] });
    let mut request = conversation(vec![says(Role::User, vec![Part::text("x")])]);
    request.dialect = Some(Dialect::Gemini);
    let json = Json::of(&body["safetySettings"]);
    request.extra.push(Extra { name: "safetySettings".into(), json });
    let (out, adapted) = sent(&request, "gemini-2.5-pro");
    assert_eq!((&out["safetySettings"], adapted.header()), (&json!([]), None));
}
