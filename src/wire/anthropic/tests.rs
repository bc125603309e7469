use super::*;
use crate::chat::{
    Adapted, CacheHint, Dialect, Event, Field, Finish, Message, ModelTraits, Origin, Output, Part, Policy,
    Request, Role, Signature, Source, Stance, StreamOut, Text, Thinking, ToolCall, ToolResult,
};
use crate::error::{Failure, Kind, Result};
use crate::types::Usage;
use crate::wire::openai::Counting;
use crate::wire::openai_chat;
use crate::wire::openai_chat::tests::{asked_with, events, says, value, written};
use proptest::prelude::*;
use serde_json::{Value, json};

const REQUEST: &str = include_str!("fixtures/request.json");
const OPENAI_REQUEST: &str = include_str!("../openai_chat/fixtures/request.json");
const RESPONSE: &str = include_str!("fixtures/response.json");
const OPENAI_RESPONSE: &str = include_str!("../openai_chat/fixtures/response.json");
const STREAM: &str = include_str!("fixtures/stream.sse");
const ODD: &str = include_str!("fixtures/stream_odd.sse");
const BROKEN: &str = include_str!("fixtures/stream_error.sse");

fn read(stream: &str) -> Vec<Event> {
    events(&mut StreamReader::new(), &[stream.as_bytes()]).unwrap()
}

fn sonnet() -> ModelTraits {
    model_traits("claude-sonnet-4-5")
}

fn sent(request: &Request, traits: &ModelTraits) -> (Value, Adapted) {
    let mut adapted = Adapted::default();
    let body = request_out(request, traits, &mut adapted).unwrap();
    (value(&body), adapted)
}

/// What becomes of an OpenAI request with these fields.
fn from_openai(fields: Value, traits: &ModelTraits) -> (Value, Adapted) {
    let body =
        json!({ "model": "m", "max_tokens": 100_000, "messages": [{ "role": "user", "content": "x" }] });
    sent(&asked_with(body, fields), traits)
}

fn conversation(messages: Vec<Message>) -> Request {
    Request { dialect: Some(Dialect::Anthropic), messages, ..Request::default() }
}

#[test]
fn a_request_survives_the_way_in_and_out() {
    let request = request_in(REQUEST.as_bytes()).unwrap();
    let (out, adapted) = sent(&request, &sonnet());
    let mut expected = value(REQUEST.as_bytes());
    // Said by its absence, or in the shorter of two ways.
    expected["tools"][1]["input_schema"] = json!({ "type": "object", "properties": {} });
    assert_eq!(out, expected);
    assert_eq!(adapted.header(), None);
}

#[test]
fn a_request_of_ours_reaches_openai() {
    let request = request_in(REQUEST.as_bytes()).unwrap();
    let policy = Policy::new([(Field::HostedTool, Stance::Adapt)]);
    let mut adapted = Adapted::new(policy);
    let body = openai_chat::request_out(&request, &openai_chat::model_traits("gpt-5"), &mut adapted).unwrap();
    insta::assert_json_snapshot!("to_openai", value(&body));
    insta::assert_snapshot!("to_openai_adapted", adapted.header().unwrap());
}

#[test]
fn a_request_of_openais_reaches_a_model_that_takes_budgets() {
    let request = openai_chat::request_in(OPENAI_REQUEST.as_bytes()).unwrap();
    let (out, adapted) = sent(&request, &sonnet());
    insta::assert_json_snapshot!("from_openai", out);
    insta::assert_snapshot!("from_openai_adapted", adapted.header().unwrap());
}

#[test]
fn a_request_of_openais_reaches_the_newest_model() {
    let request = openai_chat::request_in(OPENAI_REQUEST.as_bytes()).unwrap();
    let (out, adapted) = sent(&request, &model_traits("claude-opus-4-8"));
    for gone in ["temperature", "top_p", "top_k"] {
        assert_eq!(out.get(gone), None, "{gone}");
    }
    assert_eq!(out["output_config"]["effort"], "high");
    assert!(adapted.header().unwrap().contains("temperature: dropped"));
}

#[test]
fn temperature_is_clamped_and_not_sent_with_top_p() {
    let (out, adapted) = from_openai(json!({ "temperature": 1.5, "top_p": 0.5 }), &sonnet());
    assert_eq!((&out["temperature"], out.get("top_p")), (&json!(1.0), None));
    assert_eq!(adapted.header().unwrap(), "temperature: clamped to 1; top_p: dropped");
}

#[test]
fn a_model_gets_the_limit_it_requires() {
    let request = conversation(vec![says(Role::User, vec![Part::text("x")])]);
    let (out, adapted) = sent(&request, &sonnet());
    assert_eq!(out["max_tokens"], 8_192);
    assert_eq!(adapted.header().unwrap(), "max_output_tokens: set to 8192");
}

#[test]
fn thinking_leaves_room_for_the_answer() {
    let thinking = |fields: Value| {
        let (out, adapted) = from_openai(fields, &sonnet());
        (out["thinking"].clone(), out["max_tokens"].clone(), adapted.header())
    };
    let (plan, limit, record) = thinking(json!({ "reasoning_effort": "low" }));
    assert_eq!((plan, limit), (json!({ "type": "enabled", "budget_tokens": 2048 }), json!(100_000)));
    assert_eq!(record, None);
    let (plan, limit, _) = thinking(json!({ "reasoning_effort": "high", "max_tokens": null }));
    assert_eq!((&plan["budget_tokens"], &limit), (&json!(16_384), &json!(16_384 + 8_192)));
    let (plan, limit, _) = thinking(json!({ "reasoning_effort": "high", "max_tokens": 4000 }));
    assert_eq!((&plan["budget_tokens"], &limit), (&json!(3999), &json!(4000)));
    let (plan, _, record) = thinking(json!({ "reasoning_effort": "high", "max_tokens": 900 }));
    assert_eq!(plan, Value::Null);
    assert!(record.unwrap().contains("no room"));
    let tools = json!([{ "type": "function", "function": { "name": "t" } }]);
    let forced = json!({ "reasoning_effort": "high", "tools": tools, "tool_choice": "required" });
    assert_eq!(thinking(forced).0, Value::Null);
}

#[test]
fn thinking_is_off_amid_calls_whose_thoughts_are_missing() {
    let history = |details: Value| {
        json!({ "reasoning_effort": "high", "messages": [
            { "role": "user", "content": "x" },
            { "role": "assistant", "reasoning_details": details,
              "tool_calls": [{ "id": "1", "function": { "name": "t", "arguments": "{}" } }] },
            { "role": "tool", "tool_call_id": "1", "content": "y" },
        ] })
    };
    let (out, adapted) = from_openai(history(json!([])), &sonnet());
    assert_eq!(out.get("thinking"), None);
    assert!(adapted.header().unwrap().contains("were not returned"));
    let signed = json!([{ "type": "reasoning.text", "text": "Hm.", "signature": "EqRk", "format": "anthropic-claude-v1" }]);
    let (out, _) = from_openai(history(signed), &sonnet());
    assert_eq!(out["thinking"]["type"], "enabled");
    assert_eq!(out["messages"][1]["content"][0]["signature"], "EqRk");
    let (out, _) = from_openai(history(json!([])), &model_traits("claude-opus-4-7"));
    assert_eq!(out["thinking"]["type"], "adaptive");
}

#[test]
fn thoughts_that_are_not_the_vendors_own_are_left_out() {
    let thinking = |signature: Option<Signature>| Part::Thinking(Thinking { text: "Hm.".into(), signature });
    let parts = vec![
        thinking(None),
        thinking(Some(Signature::new(Origin::Gemini, "g"))),
        Part::RedactedThinking { data: "o".into(), origin: Origin::OpenAi },
        Part::text("x"),
    ];
    let request = conversation(vec![
        says(Role::User, vec![Part::text("a")]),
        says(Role::Assistant, parts),
        says(Role::User, vec![Part::text("b")]),
    ]);
    let (out, adapted) = sent(&request, &sonnet());
    assert_eq!(out["messages"][1]["content"], json!([{ "type": "text", "text": "x" }]));
    assert_eq!(adapted.changes().len(), 3);
}

#[test]
fn turns_alternate_results_come_first_and_blank_texts_go() {
    let result = Part::ToolResult(ToolResult { call_id: "a:1".into(), ..ToolResult::default() });
    let call = Part::ToolCall(ToolCall { id: "a:1".into(), name: "t".into(), ..ToolCall::default() });
    let request = conversation(vec![
        says(Role::Assistant, vec![Part::text(" "), call]),
        says(Role::User, vec![Part::text("hi"), Part::text("")]),
        says(Role::Tool, vec![result]),
        says(Role::Assistant, vec![Part::text("so \n")]),
    ]);
    let (out, _) = sent(&request, &sonnet());
    let roles: Vec<&str> =
        out["messages"].as_array().unwrap().iter().map(|m| m["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["user", "assistant", "user", "assistant"]);
    let id = &out["messages"][1]["content"][0]["id"];
    assert_eq!(out["messages"][1]["content"][0]["input"], json!({}));
    assert_eq!(&out["messages"][2]["content"][0]["tool_use_id"], id);
    assert_eq!(out["messages"][2]["content"][1]["text"], "hi");
    assert_eq!(out["messages"][3]["content"], json!([{ "type": "text", "text": "so" }]));
    // No tools were given, but one was called.
    assert_eq!((&out["tools"][0]["name"], &out["tool_choice"]["type"]), (&json!("t"), &json!("none")));
}

#[test]
fn a_request_of_system_texts_only_is_said_by_the_user() {
    let system = vec![Text { text: "x".into(), ..Text::default() }];
    let (out, _) = sent(&Request { system, ..Request::default() }, &sonnet());
    assert_eq!(out.get("system"), None);
    assert_eq!(out["messages"], json!([{ "role": "user", "content": [{ "type": "text", "text": "x" }] }]));
}

#[test]
fn the_choice_of_tools_is_said_in_the_vendors_words() {
    let tools = json!([{ "type": "function", "function": { "name": "t" } }]);
    for (choice, parallel, expected) in [
        (json!(null), json!(null), Value::Null),
        (json!("auto"), json!(null), json!({ "type": "auto" })),
        (json!("required"), json!(true), json!({ "type": "any", "disable_parallel_tool_use": false })),
        (json!("none"), json!(false), json!({ "type": "none" })),
        (json!(null), json!(false), json!({ "type": "auto", "disable_parallel_tool_use": true })),
        (
            json!({ "type": "function", "function": { "name": "t" } }),
            json!(false),
            json!({ "type": "tool", "name": "t", "disable_parallel_tool_use": true }),
        ),
    ] {
        let fields = json!({ "tools": tools, "tool_choice": choice, "parallel_tool_calls": parallel });
        assert_eq!(from_openai(fields, &sonnet()).0["tool_choice"], expected);
    }
}

#[test]
fn what_the_vendor_does_not_have_is_dropped_recorded_or_refused() {
    let (_, adapted) = from_openai(
        json!({ "seed": 1, "presence_penalty": 0.5, "logprobs": true, "logit_bias": {}, "store": true,
                "stop": ["\n", "END"], "metadata": { "a": "b" }, "service_tier": "flex" }),
        &sonnet(),
    );
    let record = adapted.header().unwrap();
    for field in ["seed", "penalties", "logprobs", "logit_bias", "store", "stop", "metadata", "service_tier"]
    {
        assert!(record.contains(&format!("{field}: ")), "{field} in {record}");
    }
    let audio = json!([{ "type": "input_audio", "input_audio": { "data": "aGk=", "format": "wav" } }]);
    for body in [
        json!({ "messages": [{ "role": "user", "content": "x" }], "n": 2 }),
        json!({ "messages": [{ "role": "user", "content": audio }] }),
    ] {
        let request = openai_chat::request_in(body.to_string().as_bytes()).unwrap();
        let failure = request_out(&request, &sonnet(), &mut Adapted::default()).unwrap_err();
        assert_eq!(failure.kind, Kind::InvalidRequest);
        assert!(failure.param.is_some());
    }
}

#[test]
fn json_that_the_vendor_does_not_enforce_is_asked_for_by_an_instruction() {
    let mut request = conversation(vec![says(Role::User, vec![Part::text("x")])]);
    request.output = Output::JsonObject;
    let (out, adapted) = sent(&request, &sonnet());
    assert!(out["system"].as_str().unwrap().contains("JSON object"));
    assert!(adapted.header().unwrap().contains("response_format"));
}

#[test]
fn a_signature_of_another_vendor_rides_through_our_callers() {
    let signature = Signature::new(Origin::Gemini, "g==");
    let parts = vec![
        Part::Thinking(Thinking { text: "Hm.".into(), signature: Some(signature.clone()) }),
        Part::ToolCall(ToolCall {
            id: "1".into(),
            name: "t".into(),
            arguments: "{}".into(),
            signature: Some(signature),
            cache: None,
        }),
    ];
    let mut response = crate::chat::Response::default();
    response.choices.push(crate::chat::Choice { parts: parts.clone(), finish: None, logprobs: None });
    let content = value(&response_out(&response))["content"].clone();
    let body = json!({ "messages": [{ "role": "assistant", "content": content }] });
    assert_eq!(request_in(body.to_string().as_bytes()).unwrap().messages[0].parts, parts);
}

#[test]
fn a_request_that_is_wrong_names_its_field() {
    for (field, body) in [
        ("messages", json!({})),
        ("messages", json!({ "messages": [{ "role": "tool", "content": "x" }] })),
        ("messages", json!({ "messages": [{ "role": "user", "content": 1 }] })),
        ("system", json!({ "messages": [], "system": {} })),
        ("tools", json!({ "messages": [], "tools": [{}] })),
        ("tool_choice", json!({ "messages": [], "tool_choice": { "type": "tool" } })),
        ("thinking", json!({ "messages": [], "thinking": { "type": "deep" } })),
        ("max_tokens", json!({ "messages": [], "max_tokens": -1 })),
    ] {
        let failure = request_in(body.to_string().as_bytes()).unwrap_err();
        assert_eq!((failure.kind, failure.param.as_deref()), (Kind::InvalidRequest, Some(field)), "{body}");
    }
}

#[test]
fn a_count_has_no_limit_and_nothing_that_only_shapes_the_answer() {
    let request = request_in(REQUEST.as_bytes()).unwrap();
    let body = value(&count_tokens_out(&request, &sonnet(), &mut Adapted::default()).unwrap());
    let mut names: Vec<&str> = body.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["messages", "model", "output_config", "system", "thinking", "tool_choice", "tools"]);
    assert_eq!(count_tokens_in(&count_tokens_body(7)).unwrap(), 7);
    assert_eq!(count_tokens_in(b"{}").unwrap_err().kind, Kind::VendorMalformed);
}

#[test]
fn an_answer_is_read_and_written_the_same() {
    let response = response_in(RESPONSE.as_bytes()).unwrap();
    assert_eq!(response.usage.unwrap().input_tokens(), 22);
    assert_eq!(value(&response_out(&response)), value(RESPONSE.as_bytes()));
}

#[test]
fn an_answer_of_ours_reaches_openais_callers_and_back() {
    let response = response_in(RESPONSE.as_bytes()).unwrap();
    insta::assert_json_snapshot!("response_to_openai", value(&openai_chat::response_out(&response)));
    let response = openai_chat::response_in(OPENAI_RESPONSE.as_bytes(), Counting::Inclusive).unwrap();
    insta::assert_json_snapshot!("response_from_openai", value(&response_out(&response)));
}

#[test]
fn every_stop_reason_has_its_meaning_and_comes_back() {
    for (reason, finish, again) in [
        ("end_turn", Finish::Stop, "end_turn"),
        ("max_tokens", Finish::Length, "max_tokens"),
        ("model_context_window_exceeded", Finish::Length, "max_tokens"),
        ("refusal", Finish::ContentFilter, "refusal"),
        ("pause_turn", Finish::Pause, "pause_turn"),
        ("stop_sequence", Finish::StopSequence(Some("E".into())), "stop_sequence"),
        ("something_new", Finish::Stop, "end_turn"),
    ] {
        let body = json!({ "content": [], "stop_reason": reason, "stop_sequence": "E" });
        let response = response_in(body.to_string().as_bytes()).unwrap();
        assert_eq!(response.first().finish, Some(finish));
        assert_eq!(value(&response_out(&response))["stop_reason"], again);
    }
}

#[test]
fn a_stream_is_read_and_written_the_same() {
    assert_eq!(written(&mut StreamWriter::new(None), &read(STREAM)), STREAM);
}

#[test]
fn a_stream_of_ours_reaches_openais_callers() {
    let options = openai_chat::StreamOptions {
        include_usage: true,
        created: 7,
        ..openai_chat::StreamOptions::default()
    };
    let out = written(&mut openai_chat::StreamWriter::new(options), &read(STREAM));
    insta::assert_snapshot!("stream_to_openai", out);
}

#[test]
fn a_call_without_arguments_and_an_own_tool_of_the_vendor_are_whole() {
    let events = read(ODD);
    let own = events.iter().find_map(|event| match event {
        Event::Part(Part::Other(other)) => Some(other.json.read::<Value>().unwrap()),
        _ => None,
    });
    assert_eq!(own.unwrap()["input"], json!({ "query": "x" }));
    let options = openai_chat::StreamOptions::default();
    let out = written(&mut openai_chat::StreamWriter::new(options), &events);
    assert!(out.contains(r#""tool_calls":[{"index":0,"function":{"arguments":"{}"}}]"#), "{out}");
    let usage = Event::Usage(Usage { input: 3, output: 7, ..Usage::default() });
    assert!(events.contains(&usage));
}

#[test]
fn an_error_amid_the_stream_ends_it_and_a_cut_is_no_stop() {
    let seen = read(BROKEN);
    let Some(Event::Error(error)) = seen.last() else { panic!("{seen:?}") };
    assert_eq!((error.kind.as_deref(), error.message.as_str()), (Some("overloaded_error"), "Overloaded"));
    let early = &STREAM[..STREAM.find("event: message_delta").unwrap()];
    let cut: Result<_> = events(&mut StreamReader::new(), &[early.as_bytes()]);
    assert_eq!(cut.unwrap_err().kind, Kind::VendorCut);
    let mut writer = StreamWriter::new(None);
    let mut out = written(&mut writer, &seen).into_bytes();
    writer.fail(&Failure::new(Kind::VendorOverloaded, "Busy."), &mut out);
    writer.emit(&Event::End, &mut out);
    let text = String::from_utf8(out).unwrap();
    assert!(text.contains("event: error") && !text.contains("message_stop"), "{text}");
}

#[test]
fn a_stream_without_its_last_event_is_complete_after_the_reason() {
    let short = &STREAM[..STREAM.find("event: message_stop").unwrap()];
    assert_eq!(read(short), read(STREAM));
}

#[test]
fn a_stream_means_the_same_wherever_it_is_cut() {
    for stream in [STREAM, ODD, BROKEN] {
        let whole = read(stream);
        for at in 0..stream.len() {
            let (a, b) = stream.as_bytes().split_at(at);
            assert_eq!(events(&mut StreamReader::new(), &[a, b]).unwrap(), whole, "cut at {at}");
        }
    }
}

fn any_cache() -> impl Strategy<Value = Option<CacheHint>> {
    prop_oneof![Just(None), Just(Some(CacheHint::FiveMinutes)), Just(Some(CacheHint::OneHour))]
}

fn any_text() -> impl Strategy<Value = Part> {
    ("[a-z]{1,8}", any_cache()).prop_map(|(text, cache)| Part::Text(Text { text, citations: vec![], cache }))
}

fn any_part(role: Role) -> BoxedStrategy<Part> {
    let image = "[a-zA-Z0-9]{4}".prop_map(|data| {
        let source = Source::Base64 { mime: "image/png".into(), data };
        Part::Image(crate::chat::Image { source, detail: None, cache: None })
    });
    match role {
        Role::Tool => ("[a-z]{1,6}", proptest::collection::vec(any_text(), 0..3), any::<bool>())
            .prop_map(|(call_id, parts, is_error)| {
                Part::ToolResult(ToolResult { call_id, name: None, parts, is_error, cache: None })
            })
            .boxed(),
        Role::Assistant => prop_oneof![
            any_text(),
            ("[a-z]{1,6}", any_cache()).prop_map(|(id, cache)| {
                let arguments = r#"{"a": [1, 2]}"#.to_owned();
                Part::ToolCall(ToolCall { id, name: "t".into(), arguments, signature: None, cache })
            }),
            "[a-z]{1,6}".prop_map(|text| Part::Thinking(Thinking {
                signature: Some(Signature::new(Origin::Anthropic, text.clone())),
                text,
            })),
        ]
        .boxed(),
        _ => prop_oneof![any_text(), image].boxed(),
    }
}

/// Conversations as the vendor wants them: the user begins, sides alternate.
fn any_conversation() -> impl Strategy<Value = Vec<Message>> {
    let of = |role| {
        proptest::collection::vec(any_part(role), 1..4).prop_map(move |parts| Message {
            role,
            name: None,
            parts,
        })
    };
    let exchange = (of(Role::Assistant), of(Role::Tool), of(Role::User)).prop_map(|(a, t, u)| vec![a, t, u]);
    (of(Role::User), proptest::collection::vec(exchange, 0..3)).prop_map(|(first, rest)| {
        let mut messages = vec![first];
        messages.extend(rest.into_iter().flatten());
        messages
    })
}

proptest! {
    #[test]
    fn what_the_dialect_can_say_survives_the_way_out_and_in(messages in any_conversation(), cache in any_cache()) {
        let mut request = conversation(messages);
        request.model = "m".into();
        request.include_usage = true;
        request.cache = cache;
        request.sampling.max_output_tokens = Some(5);
        request.tools.push(crate::chat::Tool {
            name: "t".into(),
            schema: crate::chat::Json::parse(r#"{"type": "object"}"#),
            cache,
            ..crate::chat::Tool::default()
        });
        let out = request_out(&request, &sonnet(), &mut Adapted::default()).unwrap();
        prop_assert_eq!(request_in(&out).unwrap(), request);
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        _ = request_in(&bytes);
        _ = response_in(&bytes);
        _ = events(&mut StreamReader::new(), &[&bytes]);
    }

    #[test]
    fn a_damaged_fixture_is_read_without_a_panic(at in any::<usize>(), byte in any::<u8>()) {
        for fixture in [REQUEST, RESPONSE, STREAM, ODD] {
            let mut bytes = fixture.as_bytes().to_vec();
            let at = at % bytes.len();
            bytes[at] = byte;
            if let Ok(request) = request_in(&bytes) {
                _ = request_out(&request, &sonnet(), &mut Adapted::default());
                _ = openai_chat::request_out(&request, &ModelTraits::default(), &mut Adapted::default());
            }
            _ = response_in(&bytes).map(|response| response_out(&response));
            _ = events(&mut StreamReader::new(), &[&bytes]).map(|e| written(&mut StreamWriter::new(None), &e));
        }
    }
}
