use super::*;
use crate::chat::{
    Adapted, CacheHint, Event, Field, Finish, Message, ModelTraits, Origin, Part, Policy, Request, Role,
    Signature, Stance, StreamIn, StreamOut, ThinkingStyle, ToolCall, ToolChoice, ToolResult,
};
use crate::error::{Failure, Kind, Result};
use crate::types::Usage;
use crate::wire::openai::Counting;
use crate::wire::sse::{self, Cutter};
use proptest::prelude::*;
use serde_json::{Value, json};

const REQUEST: &str = include_str!("fixtures/request.json");
const RESPONSE: &str = include_str!("fixtures/response.json");
const STREAM: &str = include_str!("fixtures/stream.sse");
const ODD: &str = include_str!("fixtures/stream_odd.sse");

/// All events of a stream that arrives in these pieces.
pub(in crate::wire) fn events(reader: &mut dyn StreamIn, pieces: &[&[u8]]) -> Result<Vec<Event>> {
    let mut cutter = Cutter::new(1 << 20);
    let mut out = Vec::new();
    for piece in pieces {
        cutter.push(bytes::Bytes::copy_from_slice(piece)).unwrap();
        while let Some(event) = cutter.next_event() {
            let Some(data) = sse::data(&event) else { continue };
            match reader.delta(sse::name(&event), &data) {
                Some(delta) => {
                    out.push(delta.event());
                    out.extend(delta.usage.map(Event::Usage));
                }
                None => reader.feed(sse::name(&event), &data, &mut out)?,
            }
        }
    }
    reader.end(&mut out)?;
    Ok(out)
}

/// The bytes that these events become.
pub(in crate::wire) fn written(writer: &mut dyn StreamOut, events: &[Event]) -> String {
    let mut out = Vec::new();
    events.iter().for_each(|event| writer.emit(event, &mut out));
    String::from_utf8(out).unwrap()
}

/// JSON that must be some.
pub(in crate::wire) fn value(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

/// A message without a name.
pub(in crate::wire) fn says(role: Role, parts: Vec<Part>) -> Message {
    Message { role, name: None, parts }
}

/// What a request of OpenAI's with these fields means.
pub(in crate::wire) fn asked_with(mut body: Value, fields: Value) -> Request {
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    request_in(body.to_string().as_bytes()).unwrap()
}

fn read(stream: &str) -> Vec<Event> {
    events(&mut StreamReader::new(Counting::Inclusive), &[stream.as_bytes()]).unwrap()
}

fn with_usage() -> StreamWriter {
    StreamWriter::new(StreamOptions { include_usage: true, ..StreamOptions::default() })
}

fn body(request: &Request, traits: &ModelTraits) -> Value {
    serde_json::from_slice(&request_out(request, traits, &mut Adapted::default()).unwrap()).unwrap()
}

fn asked(json: Value) -> Request {
    request_in(json.to_string().as_bytes()).unwrap()
}

fn user(content: &str) -> Value {
    json!([{ "role": "user", "content": content }])
}

#[test]
fn a_request_is_read_into_its_meaning() {
    let request = request_in(REQUEST.as_bytes()).unwrap();
    assert_eq!(request.system.len(), 2);
    let roles: Vec<Role> = request.messages.iter().map(|message| message.role).collect();
    use Role::{Assistant, System, Tool, User};
    assert_eq!(roles, [User, User, User, Assistant, Tool, Tool, System, User]);
    assert_eq!(request.tool_choice, Some(ToolChoice::Required));
    assert_eq!(request.sampling.max_output_tokens, Some(900));
    assert!(request.stream && request.include_usage);
    assert_eq!(request.extra.len(), 1);
    insta::assert_debug_snapshot!("request", request);
}

#[test]
fn a_request_is_written_as_a_vendor_of_the_dialect_wants_it() {
    let request = request_in(REQUEST.as_bytes()).unwrap();
    insta::assert_json_snapshot!("request_again", body(&request, &ModelTraits::default()));
}

#[test]
fn what_a_reasoning_model_refuses_is_left_out_and_recorded() {
    let request = request_in(REQUEST.as_bytes()).unwrap();
    let mut adapted = Adapted::default();
    let out = request_out(&request, &model_traits("gpt-5"), &mut adapted).unwrap();
    let out: Value = serde_json::from_slice(&out).unwrap();
    for gone in ["temperature", "top_p", "stop", "frequency_penalty", "logprobs", "max_tokens"] {
        assert_eq!(out.get(gone), None, "{gone}");
    }
    assert_eq!((&out["max_completion_tokens"], &out["reasoning_effort"]), (&json!(900), &json!("high")));
    let record = adapted.header().unwrap();
    assert!(record.contains("temperature: dropped"), "{record}");
}

#[test]
fn a_request_that_is_wrong_names_its_field() {
    for (field, request) in [
        ("messages", json!({ "model": "m" })),
        ("messages", json!({ "messages": [{ "role": "robot", "content": "x" }] })),
        ("messages", json!({ "messages": [{ "role": "tool", "content": "x" }] })),
        ("messages", json!({ "messages": "x" })),
        ("tools", json!({ "messages": [], "tools": [{ "type": "function" }] })),
        ("tool_choice", json!({ "messages": [], "tool_choice": "maybe" })),
        ("response_format", json!({ "messages": [], "response_format": { "type": "json_schema" } })),
        ("temperature", json!({ "messages": [], "temperature": "hot" })),
        ("reasoning_effort", json!({ "messages": [], "reasoning_effort": "extreme" })),
        ("functions", json!({ "messages": [], "functions": [] })),
        ("n", json!({ "messages": [], "n": -1 })),
    ] {
        let failure = request_in(request.to_string().as_bytes()).unwrap_err();
        assert_eq!(
            (failure.kind, failure.param.as_deref()),
            (Kind::InvalidRequest, Some(field)),
            "{request}"
        );
    }
}

#[test]
fn a_signature_rides_in_the_id_of_its_call_and_comes_back() {
    let signature = Signature::new(Origin::Gemini, "s/+==");
    let start = Event::ToolCallStart {
        index: 0,
        id: "call_1".into(),
        name: "look".into(),
        signature: Some(signature.clone()),
    };
    let stream = written(&mut with_usage(), &[start]);
    let chunk: Value = serde_json::from_str(stream.strip_prefix("data: ").unwrap()).unwrap();
    let id = &chunk["choices"][0]["delta"]["tool_calls"][0]["id"];
    let request = asked(json!({ "messages": [
        { "role": "assistant", "tool_calls": [{ "id": id, "function": { "name": "look", "arguments": "{}" } }] },
        { "role": "tool", "tool_call_id": id, "content": "x" },
    ] }));
    let Part::ToolCall(call) = &request.messages[0].parts[0] else { panic!() };
    assert_eq!((call.id.as_str(), &call.signature), ("call_1", &Some(signature)));
    let Part::ToolResult(result) = &request.messages[1].parts[0] else { panic!() };
    assert_eq!(result.call_id, "call_1");
    let sent = body(&request, &ModelTraits::default());
    assert_eq!(sent["messages"][0]["tool_calls"][0]["id"], "call_1");
}

#[test]
fn signed_thoughts_survive_a_client_that_returns_reasoning_details() {
    let events = [
        Event::ThinkingDelta("Hm.".into()),
        Event::SignatureDelta(Signature::new(Origin::Anthropic, "EqRk")),
    ];
    let stream = written(&mut with_usage(), &events);
    let details: Vec<Value> = stream
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .map(|line| {
            serde_json::from_str::<Value>(line).unwrap()["choices"][0]["delta"]["reasoning_details"].clone()
        })
        .filter_map(|details| details.as_array().cloned())
        .flatten()
        .collect();
    let message = json!({ "role": "assistant", "reasoning_content": "Hm.", "reasoning_details": details });
    let request = asked(json!({ "messages": [message] }));
    let Part::Thinking(thinking) = &request.messages[0].parts[0] else { panic!() };
    assert_eq!(thinking.text, "Hm.");
    assert_eq!(thinking.signature, Some(Signature::new(Origin::Anthropic, "EqRk")));
}

#[test]
fn pictures_of_tools_follow_behind_all_results() {
    let result =
        |id: &str, parts| Part::ToolResult(ToolResult { call_id: id.into(), parts, ..ToolResult::default() });
    let picture = crate::chat::Image {
        source: crate::chat::Source::Base64 { mime: "image/png".into(), data: "aGk=".into() },
        detail: None,
        cache: None,
    };
    let parts = vec![
        result("1", vec![Part::text("a"), Part::Image(picture)]),
        result("2", vec![Part::text("b"), Part::text("c")]),
    ];
    let messages = vec![Message { role: Role::Tool, name: None, parts }];
    let out = body(&Request { messages, ..Request::default() }, &ModelTraits::default());
    let messages = out["messages"].as_array().unwrap();
    assert_eq!(messages.len(), 3);
    assert_eq!((&messages[0]["content"], &messages[1]["role"]), (&json!("a"), &json!("tool")));
    assert_eq!(messages[2]["role"], "user");
    assert_eq!(messages[2]["content"][1]["image_url"]["url"], "data:image/png;base64,aGk=");
}

#[test]
fn thoughts_of_earlier_answers_go_back_as_the_model_wants_them() {
    use crate::chat::ReasoningHistory::{Dropped, Kept, Required};
    let request = asked(json!({ "messages": [
        { "role": "assistant", "content": "a", "reasoning_content": "Hm." },
        { "role": "assistant", "content": "b" },
    ] }));
    for (history, first, second) in
        [(Dropped, None, None), (Kept, Some("Hm."), None), (Required, Some("Hm."), Some(""))]
    {
        let traits = ModelTraits { reasoning_history: history, ..ModelTraits::default() };
        let out = body(&request, &traits);
        let thought = |at: usize| out["messages"][at].get("reasoning_content").and_then(Value::as_str);
        assert_eq!((thought(0), thought(1)), (first, second));
    }
}

#[test]
fn thinking_is_asked_for_in_the_models_own_style() {
    let of = |asked_for: Value, thinking| {
        let mut request = json!({ "messages": user("x") });
        request.as_object_mut().unwrap().extend(asked_for.as_object().unwrap().clone());
        let out = body(&asked(request), &ModelTraits { thinking, ..ModelTraits::default() });
        let found = ["reasoning_effort", "thinking", "reasoning"].map(|name| out.get(name).cloned());
        found.into_iter().flatten().next().unwrap_or_default()
    };
    let high = json!({ "reasoning_effort": "high" });
    assert_eq!(of(high.clone(), ThinkingStyle::Effort), json!("high"));
    assert_eq!(of(high.clone(), ThinkingStyle::Budget), json!({ "type": "enabled", "budget_tokens": 16384 }));
    assert_eq!(of(high.clone(), ThinkingStyle::Switch), json!({ "type": "enabled" }));
    assert_eq!(of(high.clone(), ThinkingStyle::Object), json!({ "effort": "high" }));
    assert_eq!(of(high, ThinkingStyle::None), Value::Null);
    let off = json!({ "thinking": { "type": "disabled" } });
    assert_eq!(of(off.clone(), ThinkingStyle::Effort), json!("none"));
    assert_eq!(of(off.clone(), ThinkingStyle::Switch), json!({ "type": "disabled" }));
    assert_eq!(of(off, ThinkingStyle::Object), json!({ "enabled": false }));
    let budget = json!({ "thinking": { "type": "enabled", "budget_tokens": 5000 } });
    assert_eq!(of(budget, ThinkingStyle::Effort), json!("medium"));
}

#[test]
fn a_schema_the_model_does_not_enforce_becomes_an_instruction() {
    let schema =
        json!({ "type": "json_schema", "json_schema": { "name": "n", "schema": { "type": "object" } } });
    let request = asked(json!({ "messages": user("x"), "response_format": schema }));
    let traits = ModelTraits { json_schema: false, ..ModelTraits::default() };
    let out = body(&request, &traits);
    assert_eq!(out["response_format"], json!({ "type": "json_object" }));
    assert!(out["messages"][0]["content"].as_str().unwrap().contains(r#"{"type":"object"}"#));
    let refusing = &mut Adapted::new(Policy::new([(Field::Output, Stance::Refuse)]));
    assert_eq!(
        request_out(&request, &traits, refusing).unwrap_err().param.as_deref(),
        Some("response_format")
    );
}

#[test]
fn cache_hints_come_in_and_go_out_where_the_vendor_takes_them() {
    let text =
        json!([{ "type": "text", "text": "x", "cache_control": { "type": "ephemeral", "ttl": "1h" } }]);
    let request = asked(json!({ "messages": [{ "role": "user", "content": text }] }));
    assert_eq!(request.messages[0].parts[0].cache(), Some(CacheHint::OneHour));
    assert_eq!(body(&request, &ModelTraits::default())["messages"][0]["content"], text);
    let deaf = ModelTraits { cache_hints: false, ..ModelTraits::default() };
    assert_eq!(body(&request, &deaf)["messages"][0]["content"], "x");
    let mut adapted = Adapted::default();
    request_out(&request, &deaf, &mut adapted).unwrap();
    assert_eq!(adapted.header().unwrap(), "cache: dropped");
}

#[test]
fn a_part_nobody_knows_is_kept_as_it_stands() {
    let part = json!({ "type": "video_url", "video_url": { "url": "https://example.com/v" }, "x": 1 });
    let request = asked(json!({ "messages": [{ "role": "user", "content": [part] }] }));
    assert_eq!(body(&request, &ModelTraits::default())["messages"][0]["content"], json!([part]));
}

#[test]
fn a_user_that_is_too_long_for_the_vendor_is_cut() {
    let request = asked(json!({ "messages": user("x"), "user": "é".repeat(40) }));
    assert_eq!(body(&request, &ModelTraits::default())["user"], "é".repeat(32));
}

#[test]
fn several_answers_are_refused_in_a_stream() {
    let request = asked(json!({ "messages": user("x"), "n": 2, "stream": true }));
    let failure = request_out(&request, &ModelTraits::default(), &mut Adapted::default()).unwrap_err();
    assert_eq!(failure.param.as_deref(), Some("n"));
}

#[test]
fn an_answer_is_read_and_written_the_same() {
    let response = response_in(RESPONSE.as_bytes(), Counting::Inclusive).unwrap();
    assert_eq!(response.first().finish, Some(Finish::ToolCalls));
    let usage = Usage { input: 15, cache_read: 5, output: 3, reasoning: 6, ..Usage::default() };
    assert_eq!(response.usage, Some(usage));
    let again: Value = serde_json::from_slice(&response_out(&response)).unwrap();
    assert_eq!(again, serde_json::from_str::<Value>(RESPONSE).unwrap());
}

#[test]
fn an_answer_without_choices_is_malformed() {
    for bad in ["", "[]", "{}", r#"{"choices":[]}"#, r#"{"error":{"message":"x"}}"#] {
        let failure = response_in(bad.as_bytes(), Counting::Inclusive).unwrap_err();
        assert_eq!(failure.kind, Kind::VendorMalformed, "{bad}");
    }
}

#[test]
fn a_stream_is_read_and_written_the_same() {
    let events = read(STREAM);
    assert_eq!(events.last(), Some(&Event::End));
    // The calls' ends and the usage are told a little earlier or later; the bytes are not.
    assert_eq!(written(&mut with_usage(), &events), STREAM);
}

#[test]
fn a_stream_without_the_wish_for_usage_has_none() {
    let out = written(&mut StreamWriter::new(StreamOptions::default()), &read(STREAM));
    assert!(!out.contains("usage") && out.ends_with("data: [DONE]\n\n"));
}

#[test]
fn what_other_servers_do_differently_means_the_same() {
    insta::assert_debug_snapshot!("stream_odd", read(ODD));
}

#[test]
fn calls_may_alternate() {
    let delta =
        |json: Value| format!("data: {}\n\n", json!({ "choices": [{ "delta": { "tool_calls": [json] } }] }));
    let stream = [
        delta(json!({ "index": 3, "id": "a", "function": { "name": "one", "arguments": "{\"x\":" } })),
        delta(json!({ "index": 5, "id": "b", "function": { "name": "two", "arguments": "" } })),
        delta(json!({ "index": 3, "function": { "arguments": "1}" } })),
        delta(json!({ "index": 5, "function": { "arguments": "{}" } })),
        "data: [DONE]\n\n".to_owned(),
    ];
    let fragments: Vec<(usize, String)> = read(&stream.concat())
        .into_iter()
        .filter_map(|event| match event {
            Event::ToolCallDelta { index, fragment } => Some((index, fragment)),
            _ => None,
        })
        .collect();
    assert_eq!(
        fragments,
        [(0, "{\"x\":".into()), (0, "1}".into()), (1, "{}".into())].map(|f: (usize, String)| f)
    );
}

#[test]
fn a_stream_that_ends_early_is_cut_and_never_a_stop() {
    let early = &STREAM[..STREAM.find(r#""finish_reason":"tool_calls""#).unwrap()];
    let reader = &mut StreamReader::new(Counting::Inclusive);
    assert_eq!(events(reader, &[early.as_bytes()]).unwrap_err().kind, Kind::VendorCut);
    let mut out = Vec::new();
    let mut writer = with_usage();
    writer.fail(&Failure::new(Kind::VendorCut, "Cut."), &mut out);
    writer.emit(&Event::End, &mut out);
    let text = String::from_utf8(out).unwrap();
    assert!(text.contains("upstream_closed_early") && !text.contains("[DONE]"), "{text}");
}

#[test]
fn an_error_amid_a_stream_is_an_error_in_every_shape() {
    for data in [
        r#"{"error":{"message":"boom","type":"server_error","code":"x"}}"#,
        r#"{"choices":[{"delta":{},"finish_reason":"error"}],"error":{"message":"boom","code":502}}"#,
        r#"{"choices":[{"delta":{},"error":{"message":"boom"}}]}"#,
        r#"{"choices":[{"delta":{},"finish_reason":"insufficient_system_resource"}]}"#,
    ] {
        let events =
            read(&format!("data: {data}\n\ndata: {{\"choices\":[{{\"delta\":{{\"content\":\"x\"}}}}]}}\n\n"));
        assert!(matches!(events.last(), Some(Event::Error(_))), "{data}: {events:?}");
        assert!(!events.iter().any(|event| matches!(event, Event::Finish(_) | Event::End)));
    }
}

#[test]
fn a_stream_means_the_same_wherever_it_is_cut() {
    for stream in [STREAM, ODD] {
        let whole = read(stream);
        for at in 0..stream.len() {
            let (a, b) = stream.as_bytes().split_at(at);
            let cut = events(&mut StreamReader::new(Counting::Inclusive), &[a, b]).unwrap();
            assert_eq!(cut, whole, "cut at {at}");
        }
    }
}

fn any_part(role: Role) -> BoxedStrategy<Part> {
    let text = "[a-z ]{1,8}".prop_map(Part::text);
    match role {
        Role::User => text.boxed(),
        _ => prop_oneof![
            text,
            ("[a-z0-9]{1,6}", "[a-z]{1,5}").prop_map(|(id, name)| Part::ToolCall(ToolCall {
                id,
                name,
                arguments: r#"{"a": 1}"#.into(),
                ..ToolCall::default()
            })),
        ]
        .boxed(),
    }
}

fn any_messages() -> impl Strategy<Value = Vec<Message>> {
    let role = prop_oneof![Just(Role::User), Just(Role::Assistant)];
    let message = role.prop_flat_map(|role| {
        proptest::collection::vec(any_part(role), 1..4).prop_map(move |mut parts| {
            parts.sort_by_key(|part| matches!(part, Part::ToolCall(_)));
            Message { role, name: None, parts }
        })
    });
    proptest::collection::vec(message, 1..5)
}

proptest! {
    #[test]
    fn what_the_dialect_can_say_survives_the_way_out_and_in(messages in any_messages(), hundredths in 0..200_u8) {
        let mut request = Request { model: "m".into(), messages, ..Request::default() };
        request.dialect = Some(crate::chat::Dialect::OpenAiChat);
        request.sampling.temperature = Some(f64::from(hundredths) / 100.0);
        let out = request_out(&request, &ModelTraits::default(), &mut Adapted::default()).unwrap();
        prop_assert_eq!(request_in(&out).unwrap(), request);
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        _ = request_in(&bytes);
        _ = response_in(&bytes, Counting::Inclusive);
        _ = events(&mut StreamReader::new(Counting::Inclusive), &[&bytes]);
        _ = StreamReader::new(Counting::Inclusive).feed(None, &bytes, &mut Vec::new());
    }

    #[test]
    fn a_damaged_fixture_is_read_without_a_panic(at in 0..REQUEST.len(), byte in any::<u8>()) {
        for fixture in [REQUEST, RESPONSE, STREAM] {
            let mut bytes = fixture.as_bytes().to_vec();
            let at = at % bytes.len();
            bytes[at] = byte;
            if let Ok(request) = request_in(&bytes) {
                _ = request_out(&request, &ModelTraits::default(), &mut Adapted::default());
            }
            _ = response_in(&bytes, Counting::Inclusive).map(|response| response_out(&response));
            _ = events(&mut StreamReader::new(Counting::Inclusive), &[&bytes]).map(|e| written(&mut with_usage(), &e));
        }
    }
}
