//! Requests in the vendor's words, and its answers and lines read.

use super::*;
use crate::chat::{Adapted, Event, Finish, Part, Request, StreamIn, ToolCall};
use crate::error::Kind;
use crate::wire::openai_chat;
use proptest::prelude::*;
use serde_json::{Value, json};

fn request(body: Value) -> Request {
    let mut all = json!({ "model": "qwen3", "messages": [{ "role": "user", "content": "hi" }] });
    all.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
    openai_chat::request_in(all.to_string().as_bytes()).unwrap()
}

fn sent(body: Value) -> (Value, Option<String>) {
    let request = request(body);
    let mut adapted = Adapted::default();
    let out = request_out(&request, &model_traits(&request.model), &mut adapted).unwrap();
    (serde_json::from_slice(&out).unwrap(), adapted.header())
}

#[test]
fn a_conversation_with_calls_and_pictures_is_said_in_the_vendors_words() {
    let call = json!({ "id": "c1", "type": "function",
                       "function": { "name": "look", "arguments": "{\"at\":\"sky\"}" } });
    let picture = json!({ "type": "image_url", "image_url": { "url": "data:image/png;base64,aGk=" } });
    let messages = json!([
        { "role": "system", "content": "Be brief." },
        { "role": "user", "content": [{ "type": "text", "text": "what is it?" }, picture] },
        { "role": "assistant", "content": null, "reasoning_content": "let me look", "tool_calls": [call] },
        { "role": "tool", "tool_call_id": "c1", "content": "blue" },
    ]);
    let schema = json!({ "type": "object", "properties": { "at": { "type": "string" } } });
    let tool = json!({ "type": "function", "function": { "name": "look", "parameters": schema } });
    let (body, adapted) = sent(json!({ "messages": messages, "tools": [tool] }));
    assert_eq!(adapted, None);
    let called = json!({ "function": { "name": "look", "arguments": { "at": "sky" } } });
    assert_eq!(
        body["messages"],
        json!([
            { "role": "system", "content": "Be brief." },
            { "role": "user", "content": "what is it?", "images": ["aGk="] },
            { "role": "assistant", "content": "", "thinking": "let me look", "tool_calls": [called] },
            { "role": "tool", "content": "blue", "tool_name": "look" },
        ])
    );
    let function = json!({ "name": "look", "description": "", "parameters": schema });
    assert_eq!(body["tools"], json!([{ "type": "function", "function": function }]));
    assert_eq!(body["stream"], json!(false));
}

#[test]
fn options_are_the_callers_with_what_openai_names_over_them() {
    let (body, adapted) = sent(json!({
        "options": { "num_ctx": 8192, "seed": 1, "mirostat": 2 }, "num_keep": 4, "keep_alive": "10m",
        "max_tokens": 50, "temperature": 0.5, "seed": 7, "stop": "END", "presence_penalty": 0.25,
    }));
    let options = json!({ "num_ctx": 8192, "seed": 7, "mirostat": 2, "num_keep": 4, "num_predict": 50,
                          "temperature": 0.5, "stop": ["END"], "presence_penalty": 0.25 });
    assert_eq!((&body["options"], &body["keep_alive"], adapted), (&options, &json!("10m"), None));
}

#[test]
fn thinking_is_a_switch_and_a_level_where_the_model_has_them() {
    for (fields, think) in [
        (json!({}), Value::Null),
        (json!({ "reasoning_effort": "none" }), json!(false)),
        (json!({ "reasoning_effort": "high" }), json!(true)),
        (json!({ "model": "gpt-oss:20b", "reasoning_effort": "high" }), json!("high")),
        (json!({ "model": "library/gpt-oss", "reasoning_effort": "minimal" }), json!("low")),
        (json!({ "think": "low", "reasoning_effort": "high" }), json!("low")),
    ] {
        assert_eq!(sent(fields.clone()).0["think"], think, "{fields}");
    }
}

#[test]
fn the_shape_of_the_answer_is_its_format() {
    let schema = json!({ "type": "object" });
    let format =
        json!({ "type": "json_schema", "json_schema": { "name": "a", "schema": schema, "strict": true } });
    assert_eq!(sent(json!({ "response_format": format })).0["format"], schema);
    assert_eq!(sent(json!({ "response_format": { "type": "json_object" } })).0["format"], "json");
}

#[test]
fn what_the_vendor_has_no_word_for_is_told_or_refused() {
    let (body, adapted) = sent(json!({
        "user": "u", "logit_bias": { "1": 2 }, "store": true, "parallel_tool_calls": false,
        "tool_choice": "required", "tools": [{ "type": "function", "function": { "name": "a" } }],
    }));
    let expected = "parallel_tool_calls: dropped; tool_choice: left to the model; logit_bias: dropped; \
                    user: dropped; store: dropped";
    assert_eq!(adapted.as_deref(), Some(expected));
    assert_eq!(body["tools"][0]["function"]["parameters"], json!({ "type": "object", "properties": {} }));
    let refused = |body: Value| {
        let request = request(body);
        request_out(&request, &model_traits("qwen3"), &mut Adapted::default()).unwrap_err().param.unwrap()
    };
    let at = |url: &str| json!([{ "type": "image_url", "image_url": { "url": url } }]);
    let messages = json!([{ "role": "user", "content": at("https://x.test/a.png") }]);
    assert_eq!(refused(json!({ "messages": messages })), "image");
    assert_eq!(refused(json!({ "n": 2 })), "n");
}

#[test]
fn a_whole_answer_is_read_with_its_calls_and_counts() {
    let body = json!({ "model": "qwen3", "created_at": "2026-01-01T00:00:00Z", "done": true, "done_reason": "stop",
        "message": { "role": "assistant", "content": "ok", "thinking": "hm",
                     "tool_calls": [{ "function": { "name": "look", "arguments": { "at": "sky" } } },
                                    { "id": "given", "function": { "name": "time" } }] },
        "prompt_eval_count": 9, "eval_count": 3 });
    let response = response_in(body.to_string().as_bytes()).unwrap();
    let choice = response.first();
    assert_eq!(choice.finish, Some(Finish::ToolCalls));
    let calls: Vec<&ToolCall> = choice
        .parts
        .iter()
        .filter_map(|part| match part {
            Part::ToolCall(call) => Some(call),
            _ => None,
        })
        .collect();
    assert_eq!((calls[0].arguments.as_str(), calls[1].arguments.as_str()), (r#"{"at":"sky"}"#, "{}"));
    assert!(calls[0].id.starts_with("call_") && calls[1].id == "given");
    assert!(matches!(&choice.parts[0], Part::Thinking(thinking) if thinking.text == "hm"));
    let usage = response.usage.unwrap();
    assert_eq!((usage.input, usage.output), (9, 3));
    assert_eq!(response_in(b"[]").unwrap_err().kind, Kind::VendorMalformed);
    assert_eq!(response_in(b"{}").unwrap_err().kind, Kind::VendorMalformed);
    let cut = response_in(br#"{"message":{"content":"a"},"done":false,"eval_count":1}"#).unwrap();
    assert_eq!((cut.first().finish.clone(), cut.usage), (None, None));
}

#[test]
fn a_stream_is_read_line_by_line() {
    let mut reader = StreamReader::new();
    let mut events = Vec::new();
    for line in [
        json!({ "model": "qwen3", "message": { "role": "assistant", "thinking": "hm", "content": "" }, "done": false }),
        json!({ "model": "qwen3", "message": { "role": "assistant", "content": "Hel" }, "done": false }),
        json!({ "model": "qwen3", "message": { "content": "", "tool_calls": [
            { "function": { "name": "look", "arguments": {} } }] }, "done": false }),
        json!({ "model": "qwen3", "message": { "content": "" }, "done": true, "done_reason": "length",
                "prompt_eval_count": 9, "eval_count": 3 }),
    ] {
        reader.feed(None, line.to_string().as_bytes(), &mut events).unwrap();
    }
    reader.end(&mut events).unwrap();
    let words: Vec<String> = events
        .iter()
        .map(|event| match event {
            Event::Start { model, .. } => format!("start {model}"),
            Event::ThinkingDelta(text) => format!("thinks {text}"),
            Event::TextDelta(text) => format!("says {text}"),
            Event::ToolCallStart { name, .. } => format!("calls {name}"),
            Event::ToolCallDelta { fragment, .. } => format!("with {fragment}"),
            Event::ToolCallEnd { .. } => "end of call".to_owned(),
            Event::Usage(usage) => format!("used {} {}", usage.input, usage.output),
            Event::Finish(finish) => format!("{finish:?}"),
            other => format!("{other:?}"),
        })
        .collect();
    let expected = [
        "start qwen3",
        "thinks hm",
        "says Hel",
        "calls look",
        "with {}",
        "end of call",
        "used 9 3",
        "Length",
        "End",
    ];
    assert_eq!(words, expected);
}

#[test]
fn a_stream_that_fails_or_stops_short_has_no_end() {
    let mut events = Vec::new();
    let mut reader = StreamReader::new();
    reader.feed(None, br#"{"error":"out of memory"}"#, &mut events).unwrap();
    assert!(matches!(&events[..], [Event::Error(error)] if error.message == "out of memory"));
    reader.feed(None, br#"{"message":{"content":"more"}}"#, &mut events).unwrap();
    assert_eq!(events.len(), 1);
    let mut reader = StreamReader::new();
    reader.feed(None, br#"{"message":{"content":"a"},"done":false}"#, &mut events).unwrap();
    assert_eq!(reader.end(&mut events).unwrap_err().kind, Kind::VendorCut);
}

#[test]
fn embeddings_go_and_come_in_one_call() {
    let body =
        json!({ "model": "mine", "input": ["a", "b"], "dimensions": 2, "truncate": false, "other": 1 });
    let mut adapted = Adapted::default();
    let (out, plan) = embed_out(body.to_string().as_bytes(), "nomic-embed-text", &mut adapted).unwrap();
    let out: Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(
        out,
        json!({ "model": "nomic-embed-text", "input": ["a", "b"], "dimensions": 2, "truncate": false })
    );
    assert_eq!(adapted.header().as_deref(), Some("other: dropped"));
    let answer = br#"{"model":"nomic-embed-text","embeddings":[[1,2],[3,4]],"prompt_eval_count":4}"#;
    let (out, usage) = embed_in(answer, &plan).unwrap();
    let out: Value = serde_json::from_slice(&out).unwrap();
    assert_eq!((&out["data"][1]["embedding"], usage.unwrap().input), (&json!([3, 4]), 4));
    assert_eq!(embed_in(br#"{"embeddings":[[1]]}"#, &plan).unwrap_err().kind, Kind::VendorMalformed);
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        let _ = response_in(&bytes);
        let _ = StreamReader::new().feed(None, &bytes, &mut Vec::new());
        let _ = embed_in(&bytes, &Default::default());
    }
}
